"""Kinds of task: what classification, and later others, have in common.

A kind is a module with four functions (read the tracks, encode targets, decode
outputs, score) and the facts that training needs. A task folder may replace any
of the functions in a ``task.py``; see `marble_eval.registry`.
"""

#: The modules below this package that a card's ``kind`` can name.
KINDS = ("classification",)
