"""The README of a new task folder: how to run it, and how to put other data in."""

from __future__ import annotations

from marble_eval.scaffold.card import EXAMPLES

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
}

_GUIDE = """\
# {name}

{summary}: a task of the kind *{kind}* ({remark}). The audio here is synthesised, 84 tracks of
0.4 s, so that the folder runs as it is:

    marble-eval run task={place} encoder=mel

`encoder=mel` is a floor of log-mel statistics, which needs no weights; `marble-eval encoders`
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
     fifths, one fifth, one fifth, with the labels spread evenly, and the division is kept in
     `tracks.split.csv`; there must be ten groups or more.
   - `group`: what must not be in two splits, because an encoder could know it again: the artist,
     the player, the song. Without this column every track is its own group. Validation and test
     need two or more groups each, and better twenty: the interval of a score is drawn from them.
   - Other columns are left alone.

3. Change `name` and `labels` in `task.yaml`.
4. Run it with `--dry-run`: every row that breaks a rule is named, with its line.

A `tracks.jsonl` works in place of `tracks.csv`: a JSON object a line, with the same names.

## What comes out

A table of scores with 95 % intervals, the layer that validation chose, and the test score of every
layer; `results/` gets a `result.json` with all of it and the predictions for each track. Features
are cached, so a second run with another probe does not encode again.
"""


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
    return _GUIDE.format(
        name=name,
        kind=kind,
        remark=EXAMPLES[kind].remark,
        summary=EXAMPLES[kind].summary,
        place=place,
        header=header,
        row=row,
        columns=columns.rstrip("\n").replace("\n", "\n   "),
    )
