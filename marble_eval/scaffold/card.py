"""The text of a new task's card: few fields, each told in a line of its own.

What most data sets can do without stands below as comments, which are valid card text
once the sign before them is taken away.
"""

from __future__ import annotations

from typing import NamedTuple

from marble_eval.kinds import KINDS
from marble_eval.scaffold.etudes import ETUDES


class Example(NamedTuple):
    """What a card of one kind says of the music that comes with it.

    Attributes
    ----------
    remark : str
        What is told of a track.
    summary : str
        Of the music.
    labels : str
        The field and what is to be said of it, in lines.
    metrics : str
        All of the kind, its main metric first.
    frames : str
        For a kind with an estimate for every frame: its rules that one may want to change,
        as lines of a commented block.
    encoder : str
        The floor that can learn it.
    """

    remark: str
    summary: str
    labels: str
    metrics: str
    frames: str = ""
    encoder: str = "mel"


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
    "beat": Example(
        "the times of its beats and downbeats",
        "Clicks in bars of three and four",
        """\
# The outputs are beat and downbeat, and need not be named. A file of beats has a line for each:
# the time in seconds and, if it is known, the place in the bar, 1 for the downbeat.
""",
        """\
beat_f1, downbeat_f1, beat_f1_pooled, downbeat_f1_pooled,
#   beat_f1_20ms, downbeat_f1_20ms, beat_cmlc, beat_cmlt, beat_amlc, beat_amlt,
#   beat_information_gain, downbeat_cmlc, downbeat_cmlt, downbeat_amlc, downbeat_amlt,
#   downbeat_information_gain""",
        """\
#       decoder: dbn                    # a dynamic Bayesian network; or peaks
#       tempo: [55.0, 215.0]            # slowest and fastest, in beats a minute
#       downbeat_tempo: [18.0, 72.0]    # and in bars a minute
#       threshold: 0.5                  # probability from which a peak is a beat
#       tolerance: 0.07                 # how far an estimate may lie from a beat, in seconds
""",
    ),
    "chord": Example(
        "its chord at each time, one of 24 major and minor triads or none",
        "Major and minor triads, one after another",
        """\
# The labels are the 24 triads and N, no chord, and need not be named. A file of chords has a line
# for each: start, end, and a name such as C, A:min7/b3, N, or X for what is not to be scored.
""",
        "frame_accuracy, majmin, root",
        encoder="chroma",
    ),
    "frames": Example(
        "which of a piano's 88 notes sound at each time",
        "Melodies of one voice",
        """\
# The labels are the 88 notes, and need not be named. A file of notes is MIDI, or has a line for
# each: onset, end, MIDI number (21 to 108).
""",
        "frame_f1, frame_precision, frame_recall, note_f1, note_f1_pooled",
        """\
#       threshold: 0.5                  # probability from which a note sounds
#       tolerance: 0.05                 # how far an estimate may lie from an onset, in seconds
""",
    ),
}

_CARD = """\
# The card of this task. marble-eval reads it whenever the task is run; a name that it does not
# know is an error, never passed over.

# Name under which results are filed: letters, digits, _ and -.
name: {name}

# What is to be told of a track: {remark}.
# The kinds are {kinds}.
kind: {kind}

{labels}
# The table of tracks, beside this file. A tracks.jsonl with the same names, named here, works too.
data:
  - {{form: table, path: tracks.csv}}
{pairs}
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
# sizes: {sizes}

{protocols}"""

_SIZES = "{train: 48, valid: 18, test: 18}"
_ETUDE_SIZES = "{train: 12, valid: 4, test: 4}"

_PAIRS = """\
# Without a table (take "# " away): every audio file of the folder is a track, with the annotation
# that is called so, beside it or elsewhere in here. The tracks are divided once, by rule.
#   - {{form: pairs, folder: audio, path: "{{stem}}{suffix}", extensions: [wav, flac, mp3]}}
"""

_CLIPS = """\
# How tracks are cut, under each protocol. Without this block a track is encoded in one piece,
# which takes much memory if it is longer than half a minute.
# protocols:
#   marble-v1: &windows
#     clip_seconds: 10.0   # the length of a clip; the outputs of a track's clips are averaged
#     tail: pad            # a last clip that is too short is filled with zeros; or keep, drop
#     tail_seconds: 1.0    # a shorter rest than this is left out
#   marble-v2: *windows
"""

_FRAMES = """\
# How tracks are cut and decoded, under each protocol; what stands here is what holds without this
# block. A long track is cut into clips of half a minute, of which the encoder hears a second more
# on both sides; their frames are joined, and the track is decoded and scored as a whole.
# protocols:
#   marble-v1: &windows
#     clip_seconds: 30.0                # what is encoded at once; null for whole tracks
#     batch_of: clips                   # always, where there is an estimate for every frame
#     frames:
#       context_seconds: 1.0            # heard on both sides of a clip, so that no cut shows
#       batch_windows: 8                # a step of training; fewer where there are few tracks
{frames}#   marble-v2: *windows
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
    form = ETUDES.get(kind)
    return _CARD.format(
        name=name,
        kind=kind,
        kinds=", ".join(KINDS[:-1]) + f" and {KINDS[-1]}",
        pairs=_PAIRS.format(suffix=form.suffix) if form else "",
        sizes=_ETUDE_SIZES if form else _SIZES,
        protocols=_FRAMES.format(frames=example.frames) if form else _CLIPS,
        remark=example.remark,
        labels=example.labels,
        summary=example.summary,
        metrics=example.metrics,
    )


def floor_of(kind: str) -> str:
    """Name the encoder without weights that learns a kind's music best.

    Parameters
    ----------
    kind : str
        One of `EXAMPLES`.

    Returns
    -------
    str
        A name to be written behind ``encoder=``.

    Raises
    ------
    KeyError
        If there is no example of the kind.

    Examples
    --------
    >>> floor_of("chord")
    'chroma'
    """
    return EXAMPLES[kind].encoder
