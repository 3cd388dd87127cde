"""The README of a new task folder: how to run it, and how to put other data in."""

from __future__ import annotations

from typing import NamedTuple

from marble_eval.scaffold.card import EXAMPLES
from marble_eval.scaffold.etudes import ETUDES

#: By kind: the header of the table, a row, and what stands in the label columns.
_TABLES = {
    "classification": (
        "path,label,split,group",
        "audio/take 1.wav,bright,train,Ann",
        "- `label`: the class, written as in the card.\n",
    ),
    "tagging": (
        "path,label,split,group",
        "audio/take 1.wav,bell;drone,train,Ann",
        "- `label`: the tags, divided by `;`. An empty cell is a track without any tag.\n",
    ),
    "regression": (
        "path,brightness,sustain,split,group",
        "audio/take 1.wav,0.25,0.9,train,Ann",
        "- `brightness`, `sustain`: the numbers, with a point. Your own columns are named in\n"
        "  the card, under `labels`.\n",
    ),
    "key": (
        "path,label,split,group",
        "audio/take 1.wav,F# minor,train,Ann",
        "- `label`: tonic and mode, like `F# minor`, `Gb min`, `f#:minor` or `F#m`; a capital\n"
        "  alone, like `Eb`, is major.\n",
    ),
    "pitch": (
        "path,label,split,group",
        "audio/take 1.wav,60,train,Ann",
        "- `label`: the MIDI number of the note, 0 to 127; 60 is middle C.\n",
    ),
    "beat": (
        "path,beats,split,group",
        "audio/take 1.wav,audio/take 1.beats,train,Ann",
        "- `beats`: the file of its beats, relative to this folder, or absolute. A line for each\n"
        "  beat: its time in seconds and, if it is known, its place in the bar, as in `0.53 1`;\n"
        "  1 is the downbeat, and without places downbeats are not asked for. `.beats` and\n"
        "  `.txt` with spaces, `.csv` with commas, `.tsv` with tabs, or `.jams`.\n",
    ),
    "chord": (
        "path,chords,split,group",
        "audio/take 1.wav,audio/take 1.lab,train,Ann",
        "- `chords`: the file of its chords, relative to this folder, or absolute. A line for\n"
        "  each chord: start and end in seconds, and its name, as in `0.0 2.5 A:min7/b3`. A\n"
        "  chord counts as the major or minor triad in it; `N` is no chord, and `X`, like what\n"
        "  has no such triad (`C:sus4`), is not scored. `.lab` and `.txt` with spaces, `.csv`\n"
        "  with commas, `.tsv` with tabs, or `.jams`.\n",
    ),
    "frames": (
        "path,notes,split,group",
        "audio/take 1.wav,audio/take 1.mid,train,Ann",
        "- `notes`: the file of its notes, relative to this folder, or absolute. MIDI (`.mid`),\n"
        "  whose sustain pedal is heeded and whose drums are left out; or a line for each note:\n"
        "  onset and end in seconds, MIDI number from 21 to 108, as in `0.5,1.25,60`. `.csv`\n"
        "  with commas, `.tsv` with tabs, `.txt` with spaces.\n",
    ),
}


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

_FLOORS = {"mel": "log-mel statistics", "chroma": "chroma statistics"}

_GUIDE = """\
# {name}

{summary}: a task of the kind *{kind}*
({remark}). The audio here is synthesised, {music},
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


def guide_text(name: str, kind: str, place: str) -> str:
    """Write the README of a new task.

    Parameters
    ----------
    name : str
        Name of the task.
    kind : str
        One of `marble_eval.scaffold.card.EXAMPLES`.
    place : str
        The folder as it is to be written behind ``task=``.

    Returns
    -------
    str
        Markdown.

    Raises
    ------
    KeyError
        If there is no example of the kind.

    Examples
    --------
    >>> guide_text("Mine", "pitch", "./mine").splitlines()[0]
    '# Mine'
    """
    header, row, columns = _TABLES[kind]
    example, manner = EXAMPLES[kind], _MANY if kind in ETUDES else _ONE
    return _GUIDE.format(
        name=name,
        kind=kind,
        remark=example.remark,
        summary=example.summary,
        encoder=example.encoder,
        floor=_FLOORS[example.encoder],
        place=place,
        header=header,
        row=row,
        columns=columns.rstrip("\n").replace("\n", "\n   "),
        music=manner.music,
        fields=manner.fields,
        spread=manner.spread,
        pairs=manner.pairs.format(name=name),
        more=manner.more,
    )
