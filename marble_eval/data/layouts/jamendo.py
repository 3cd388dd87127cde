"""MTG-Jamendo: tags and artists in the published tables of a split, audio in folders by id.

A table (`autotagging_*.tsv`) has one row a track: TRACK_ID, ARTIST_ID, ALBUM_ID, PATH
("NN/<id>.mp3"), DURATION in seconds, and its tags, each in a cell of its own. A track's
id is its PATH without the ending; its group is the artist, whom the split keeps on one
side (Bogdanov et al., 2019). Two kinds of copies are read: the publisher's audio, low or
full quality, at paths made from the ids; and MARBLE v2's lists (the layout's ``files``),
which name no artist, so that the tables say who it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from marble_eval.data.layouts import Reading, jsonl
from marble_eval.data.layouts.rows import refuse
from marble_eval.spec import SPLITS, Label, Layout, TaskSpec, Track

_COLUMNS = ("TRACK_ID", "ARTIST_ID", "ALBUM_ID", "PATH", "DURATION", "TAGS")


class Row(NamedTuple):
    """One track of a table."""

    id: str  # "NN/<id>"
    artist: str  # "artist_000087"
    tags: tuple[str, ...]  # with their prefix, as "genre---rock"


def read(reading: Reading, layout: Layout) -> list[Track]:
    """Read the tracks at ``path`` (with ``{id}``, ``{extension}``), or those of v2's ``files``."""
    tracks = _in_lists(reading, layout) if layout.files else _in_folders(reading, layout)
    return tracks if any(each.path.exists() for each in tracks) else []


def rows_of(content: bytes, file: Path) -> tuple[Row, ...]:
    r"""Read a table."""
    head, *lines = content.decode("utf-8").splitlines() or [""]
    if tuple(head.split("\t")) != _COLUMNS:
        refuse([f"line 1: must be {', '.join(_COLUMNS)}, divided by tabs. Got {head!r}."], file)
    rows, faults = [], []
    for number, line in enumerate(lines, start=2):
        _, artist, _, path, _, *tags = (*line.split("\t"), *[""] * 5)
        tags = [each for each in tags if each]
        if artist and PurePosixPath(path).suffix and tags:
            rows.append(Row(str(PurePosixPath(path).with_suffix("")), artist, tuple(tags)))
        else:
            faults.append(f"line {number}: must have an artist, a path and a tag. Got {line!r}.")
    refuse(faults, file)
    return tuple(rows)


def _in_folders(reading: Reading, layout: Layout) -> list[Track]:
    """Find the publisher's audio; the tables are not asked for where there is none."""
    folder = reading.root / layout.folder
    of_any = [layout.path.format(id="[0-9][0-9]/*", extension=each) for each in layout.extensions]
    if not any(True for pattern in of_any for _ in folder.glob(pattern)):
        return []
    rows = [(split, row) for split, table in _tables(reading).items() for row in table]
    labels = [
        reading.label_of({layout.label: list(row.tags)}, layout.label, reading.spec)
        for _, row in rows
    ]
    return [
        Track(row.id, _audio(folder, layout, row.id), split, label, row.artist)
        for (split, row), label in zip(rows, _in_card_order(labels, reading.spec), strict=True)
    ]


def _in_lists(reading: Reading, layout: Layout) -> list[Track]:
    """Read MARBLE v2's lists, and give each track the id and the artist of the tables."""
    listed = jsonl.read(reading, layout)
    if not any(each.path.exists() for each in listed):
        return []
    artists = {row.id: row.artist for rows in _tables(reading).values() for row in rows}
    names = [each.id.removesuffix(".low") for each in listed]  # NN/<id>.low.flac
    refuse(
        [
            f"{each.split} names {name!r}, which is in no published table of {reading.spec.name}."
            for each, name in zip(listed, names, strict=True)
            if name not in artists
        ],
        reading.root / layout.folder,
    )
    labels = _in_card_order([each.label for each in listed], reading.spec)
    return [
        replace(each, id=name, label=label, group=artists[name])
        for each, name, label in zip(listed, names, labels, strict=True)
    ]


def _tables(reading: Reading) -> dict[str, tuple[Row, ...]]:
    files = {name: Path(each.file) for name, each in reading.spec.split_lists.items()}
    return {split: rows_of(reading.lists(split), files.get(split, Path(split))) for split in SPLITS}


def _audio(folder: Path, layout: Layout, name: str) -> Path:
    paths = [folder / layout.path.format(id=name, extension=each) for each in layout.extensions]
    return next((path for path in paths if path.exists()), paths[0])


def _in_card_order(labels: Sequence[Label], spec: TaskSpec) -> list[Label]:
    """Put tags in the card's order; one that it does not know comes last, to be refused."""
    place = {tag: at for at, tag in enumerate(spec.labels)}
    return [
        tuple(sorted(map(str, tags), key=lambda tag: place.get(tag, len(place)))) for tags in labels
    ]
