"""Kinds of task: what classification, tagging, regression, key and pitch each are.

A kind is a module with four functions (read the tracks, encode targets, decode
outputs, score) and the facts that training needs. A task folder may replace any
of the four in a ``task.py``; see `marble_eval.registry`. Every kind has:

- ``LOSS``, a name in `marble_eval.probes.losses`, and ``SCALED``, whether targets are
  standardised for training;
- ``LABELS``, the labels that every card of the kind has, or None, and ``AGGREGATIONS``,
  how its clips may become tracks;
- ``label_of(row, field, spec)``: from a row to a label, or a ValueError;
- ``outputs(spec)``: how many a probe needs;
- ``metrics_of(spec)``: every metric, and whether higher is better;
- ``labels_of(tracks, spec)``: label names where the card gives none;
- ``columns_of(spec)``: the label columns of a table;
- ``texts(values, spec)``: targets or estimates as text, for the table of predictions;
- ``label_scores(reference, estimate, spec)`` and ``label_counts(reference, spec)``;
- ``confusion_of(reference, estimate, spec)``, or None where there are no classes.
"""

#: The modules of this package that a card's ``kind`` can name.
KINDS = ("classification", "key", "pitch", "regression", "tagging")
