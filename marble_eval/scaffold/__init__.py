"""A task folder to start from: a commented card, a table, a README, a little audio.

What `marble-eval init` writes runs as it is, so that its owner can change one thing at
a time: the audio, the table, the card. The music is synthesised here with NumPy.
"""

from marble_eval.scaffold.card import floor_of
from marble_eval.scaffold.folder import task_name, write_task_folder

__all__ = ["floor_of", "task_name", "write_task_folder"]
