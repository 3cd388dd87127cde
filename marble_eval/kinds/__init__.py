"""Kinds of task: what classification, tagging, key, … and beats, chords and notes each are.

A kind is a module with four functions (read the tracks, encode targets, decode
outputs, score) and the facts that training needs. A task folder may replace any
of the four in a ``task.py``; see `marble_eval.registry`. Every kind has:

- ``FRAMES``, whether it has an estimate for every frame of a track, not one for the track;
- ``LOSS``, a name in `marble_eval.probes.losses`, and ``SCALED``, whether targets are
  standardised for training;
- ``LABELS``, the labels that every card of the kind has, or None, ``AGGREGATIONS``,
  how its clips may become tracks, and ``RULES``, those of a card without any;
- ``label_of(row, field, spec)``: from a row to a label, or a ValueError;
- ``outputs(spec)``: how many a probe needs;
- ``metrics_of(spec)``: every metric, and whether higher is better;
- ``labels_of(tracks, spec)``: label names where the card gives none;
- ``columns_of(spec)``: the label columns of a table.

A kind with one estimate a track encodes, decodes and scores whole splits, and has:

- ``texts(values, spec)``: targets or estimates as text, for the table of predictions, and
  ``values_of(texts, spec)``, which reads targets back exactly, or raises a ValueError;
- ``RANKED``, whether only the order of an output among the items counts, and ``BIASED``, the
  metrics that copies of an item in a resample move one way;
- ``item_scores(reference, estimate, spec)``, how good each estimate is by itself, by the main
  metric of ``spec`` if that can be said of one: higher is better, nan where nothing can be said;
- ``label_scores(reference, estimate, spec)`` and ``label_counts(reference, spec)``;
- ``confusion_of(reference, estimate, spec)``, or None where there are no classes.

A kind with an estimate for every frame takes the frames of one track, of which the
i-th stands for the time i / rate, and events in seconds:

- ``annotation_of(text)`` and ``text_of(events)``: between a track's label and its events;
- ``encode(annotation, frames, rate, spec, rules, widened=…)``: targets (frame, output); nan
  where nothing is to be learnt;
- ``decode(logits, rate, spec, rules)``: the events of a whole track;
- ``score(reference, estimate, spec, rules)``: for each metric of the card a numerator and a
  denominator. The score of a split is the sum of the ones over the sum of the others, so a
  mean over tracks has a value and 1, pooled counts have the counts, and a track in whose
  reference there is nothing to be found has 0 and 0;
- ``draft_counts(logits, annotation, rate, spec, rules)``: such a pair for what stands in for
  the main metric once an epoch, and ``DRAFT``, what that is;
- ``quantised(annotation, frames, rate, spec, rules)``: the reference as frames of this rate can
  hold it, whose score is the ceiling that the rate imposes.
"""

#: The modules of this package that a card's ``kind`` can name.
KINDS = (
    "beat",
    "chord",
    "classification",
    "frames",
    "key",
    "pitch",
    "regression",
    "tagging",
)
