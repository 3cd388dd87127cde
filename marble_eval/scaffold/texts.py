"""The texts of a new task folder: its card and its README.

A card has few fields, each explained in a line of its own. What most data sets can do without
is there as comments, which are valid card text once the sign before them is taken away.
"""

from __future__ import annotations

import textwrap
from typing import NamedTuple

from marble_eval.kinds import KINDS, Kind
from marble_eval.spec import TaskSpec

_CARD = """\
# The card of this task. marble-eval reads it whenever the task is run; a name that it does not
# know is an error, never passed over.

# Name under which results are filed: letters, digits, _ and -.
name: {name}

# The target of a track: {target}.
# The kinds are {kinds}.
kind: {kind}

{labels}
# The table of tracks, in this folder. A tracks.jsonl with the same names, named here, works too.
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
# How tracks are cut and decoded, under each protocol; what is given here also holds without
# this block. A long track is cut into clips of half a minute, of which the encoder hears a second
# more on both sides; their frames are joined, and the track is decoded and scored as a whole.
# protocols:
#   marble-v1: &windows
#     clip_seconds: 30.0                # what is encoded at once; null for whole tracks
#     batch_of: clips                   # always, where there is an estimate for every frame
#     frames:
#       context_seconds: 1.0            # heard on both sides of a clip, so that no cut shows
#       batch_windows: 8                # a step of training; fewer where there are few tracks
{frames}#   marble-v2: *windows
"""


def card_text(name: str, kind: Kind) -> str:
    """Write the ``task.yaml`` of a new task."""
    example, of_frames = kind.example, kind.estimate == "frame"
    metrics = kind.metrics_of(TaskSpec(name="example", kind=kind.name, labels=example.columns))
    return _CARD.format(
        name=name,
        kind=kind.name,
        kinds=", ".join(KINDS[:-1]) + f" and {KINDS[-1]}",
        pairs=_PAIRS.format(suffix=example.suffix) if of_frames else "",
        sizes=_ETUDE_SIZES if of_frames else _SIZES,
        protocols=_FRAMES.format(frames=example.frames) if of_frames else _CLIPS,
        target=example.target,
        labels=example.labels,
        summary=example.summary,
        metrics="\n#   ".join(textwrap.wrap(", ".join(metrics), 80)),
    )


class _Manner(NamedTuple):
    """What differs between kinds with one answer a track and those with many."""

    music: str
    fields: str
    spread: str
    pairs: str
    more: str


_ONE = _Manner(
    music="84 tracks of 0.4 s",
    fields="`name` and `labels`",
    spread=", with the labels spread evenly",
    pairs="",
    more="",
)
_MANY = _Manner(
    music="20 tracks of 8 s",
    fields="`name`",
    spread="",
    pairs="""
Without a table, audio and annotations alone will do: take the `#` before `form: pairs` in the card
away, and `tracks.csv` out of this folder. Every audio file is then a track, with the annotation
that is called like it; the division is kept in `{name}.split.csv`.
""",
    more="""
Tracks may be of any length. What is longer than half a minute is cut for the encoder, which hears a
second more on both sides of a cut; the frames are joined, and the track is decoded and scored as a
whole, by the times that were annotated. The table of scores says what is the most that could be
had with the encoder's frame rate. Frames of every layer take much room, so look at what
`--dry-run` forecasts before a large encoder is run.
""",
)

_GUIDE = """\
# {name}

{summary}: a task of the kind *{kind}*
({target}). The audio here is synthesised, {music},
so that the folder runs as it is:

    marble-eval run task={place} encoder={encoder}

`encoder={encoder}` is a floor of {floor}, which needs no weights; `marble-eval encoders`
lists the others. Add `--dry-run` to check the data and encode nothing.

## Put your own data in

1. Put your audio into `audio/`, or leave it where it is and write absolute paths: wav, flac, ogg
   or mp3, any sample rate, any number of channels.
2. Write `tracks.csv`, UTF-8, separated by commas, a line for each track:

       {header}
       {row}

   - `path`: the audio file, relative to this folder, or absolute.
   {columns}
   - `split`: `train`, `valid` or `test`. Without this column the tracks are divided once, three
     fifths, one fifth, one fifth{spread}.
     The division is kept in `tracks.split.csv`; there must be ten groups or more.
   - `group`: what must not be in two splits, because an encoder could know it again: the artist,
     the player, the song. Without this column every track is its own group. Validation and test
     need two or more groups each, and better twenty: the interval of a score is drawn from them.
   - Other columns are left alone.

3. Change {fields} in `task.yaml`.
4. Run it with `--dry-run`: every row that breaks a rule is named, with its line.

A `tracks.jsonl` works in place of `tracks.csv`, if `task.yaml` names it: a JSON object a line, with
the same names.
{pairs}
## What comes out

A table of scores with 95 % intervals, the layer that validation chose, and the test score of every
layer; `results/` gets a `result.json` with all of it and the predictions for each track. Features
are cached, so a second run with another probe does not encode again.
{more}"""


def guide_text(name: str, kind: Kind, place: str) -> str:
    """Write the README.md of a new task; ``place`` is the folder as behind ``task=``."""
    example, manner = kind.example, _MANY if kind.estimate == "frame" else _ONE
    return _GUIDE.format(
        name=name,
        kind=kind.name,
        target=example.target,
        summary=example.summary,
        encoder=example.encoder,
        floor=example.floor,
        place=place,
        header=",".join(("path", *example.columns, "split", "group")),
        row=f"audio/take 1.wav,{example.cell},train,Ann",
        columns=example.cell_text.rstrip("\n").replace("\n", "\n   "),
        music=manner.music,
        fields=manner.fields,
        spread=manner.spread,
        pairs=manner.pairs.format(name=name),
        more=manner.more,
    )
