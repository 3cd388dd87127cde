"""The text of a new task's card: few fields, each told in a line of its own.

What most data sets can do without stands below as comments, which are valid card text
once the sign before them is taken away.
"""

from __future__ import annotations

from typing import NamedTuple


class Example(NamedTuple):
    """What a card of one kind says of the music that comes with it."""

    remark: str
    summary: str
    labels: str
    metrics: str


#: By kind: a remark, the summary, the lines of ``labels`` and the metrics.
EXAMPLES = {
    "classification": Example(
        "one class a track",
        "Three timbres, told by their overtones",
        """\
# The classes, in the order in which results list them. Without this line they are taken from
# the table, and a misspelt one would be a class of its own.
labels: [bright, hollow, pure]
""",
        "accuracy, macro_f1",
    ),
    "tagging": Example(
        "any number of tags a track, none included",
        "What sounds in a mixture of three",
        """\
# The tags, in the order in which results list them. Without this line they are taken from the
# table, and a misspelt one would be a tag of its own.
labels: [bell, drone, hiss]
""",
        "roc_auc, average_precision",
    ),
    "regression": Example(
        "one number a track, or several",
        "How bright a tone is, and how long it lasts",
        """\
# The numbers to be told: each is a column of the table.
labels: [brightness, sustain]
""",
        "r2, r2_brightness, r2_sustain",
    ),
    "key": Example(
        "one of the 24 major and minor keys a track",
        "Keys of short cadences",
        """\
# The labels are the 24 keys, and need not be named. "F# minor", "Gb min", "f#:minor" and "F#m"
# in the table are the same key.
""",
        "weighted_score, mirex_score, accuracy",
    ),
    "pitch": Example(
        "one note a track, by its MIDI number",
        "Single notes of many timbres",
        """\
# The notes that can occur, as MIDI numbers (60 is middle C). Without this line they are taken
# from the table.
labels: ["60", "62", "64", "65", "67", "69"]
""",
        "accuracy, chroma_accuracy",
    ),
}

_CARD = """\
# The card of this task. marble-eval reads it whenever the task is run; a name that it does not
# know is an error, never passed over.

# Name under which results are filed: letters, digits, _ and -.
name: {name}

# What is to be told of a track: {remark}.
# The kinds are classification, tagging, regression, key and pitch.
kind: {kind}

{labels}
# The table of tracks, beside this file. A tracks.jsonl with the same names works as well.
data:
  - {{form: table, path: tracks.csv}}

# Raise it when you change labels, splits or audio, so that old and new results are not mixed.
version: 1

# ----- All that follows is optional: take the "#" and the space after it away to use it. -----

# summary: {summary}

# Shown beside the scores, which inherit the terms of the data.
# licence: CC-BY-4.0

# How others are to cite the data, as BibTeX.
# citation: |
#   @misc{{yours,
#     title = {{Title of the data set}},
#     year  = {{2025}}
#   }}

# The metrics computed. The first one chooses among the probes and ranks encoders.
# metrics: [{metrics}]

# How many tracks a split has. A copy of the data with more or fewer is refused.
# sizes: {{train: 48, valid: 18, test: 18}}

# How tracks are cut, under each protocol. Without this block a track is encoded in one piece,
# which takes much memory if it is longer than half a minute.
# protocols:
#   marble-v1: &windows
#     clip_seconds: 10.0   # the length of a clip; the outputs of a track's clips are averaged
#     tail: pad            # a last clip that is too short is filled with zeros; or keep, drop
#     tail_seconds: 1.0    # a shorter rest than this is left out
#   marble-v2: *windows
"""


def card_text(name: str, kind: str) -> str:
    """Write the card of a new task.

    Parameters
    ----------
    name : str
        Name of the task.
    kind : str
        One of `EXAMPLES`.

    Returns
    -------
    str
        A ``task.yaml``.

    Raises
    ------
    KeyError
        If there is no example of the kind.

    Examples
    --------
    >>> [line for line in card_text("Mine", "pitch").splitlines() if line.startswith("name")]
    ['name: Mine']
    """
    example = EXAMPLES[kind]
    return _CARD.format(
        name=name,
        kind=kind,
        remark=example.remark,
        labels=example.labels,
        summary=example.summary,
        metrics=example.metrics,
    )
