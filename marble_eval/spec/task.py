"""What a task card says (`tasks/*/task.yaml`), and what a track is.

A card holds facts only: labels in class order, where the data lies, how it is
split, how a protocol cuts it, what is measured, and where all of that comes
from. Its `version` is raised whenever a score can move.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from marble_eval.spec.protocol import TaskRules

SPLITS = ("train", "valid", "test")


@dataclass(frozen=True, slots=True)
class Track:
    """A recording with its annotation.

    Attributes
    ----------
    id : str
        Name that is unique in the task and the same on every machine.
    path : Path
        The audio file.
    split : str
        "train", "valid" or "test".
    label : str
        Class name, one of the card's labels.
    group : str
        What must stay on one side of a split (artist, song); the id if nothing.
    """

    id: str
    path: Path
    split: str
    label: str
    group: str


@dataclass(frozen=True, slots=True)
class Layout:
    """One way in which the data lies on disk.

    Attributes
    ----------
    form : {"folders", "jsonl", "csv"}
        Audio at paths made from the split list's ids; one JSON object a line for
        each split; or one CSV for all.
    folder : str
        Where it starts, below the task's root; "." for the root itself.
    path : str
        "folders": pattern of the audio file, with ``{id}`` (an id of the split
        list) and ``{extension}``. "csv": the file's name.
    extensions : tuple of str
        "folders": tried in this order.
    files : mapping of str to str
        "jsonl": file of each split.
    """

    form: Literal["folders", "jsonl", "csv"]
    folder: str
    path: str = ""
    extensions: tuple[str, ...] = ()
    files: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        if PurePosixPath(self.folder).is_absolute():
            raise ValueError(f"'folder' must lie below the task's root. Got {self.folder!r}.")
        if self.form == "jsonl":
            if set(self.files or ()) != set(SPLITS):
                raise ValueError(
                    f"'files' must name a file for each of {', '.join(SPLITS)}. Got {self.files!r}."
                )
            return
        if not self.path:
            raise ValueError(f"'path' must be given for the form {self.form!r}. Add it.")
        if self.form == "folders":
            _check_pattern(self.path)
            if not self.extensions:
                raise ValueError("'extensions' must be given for the form 'folders'. Add them.")


def _check_pattern(pattern: str) -> None:
    try:
        names = {name for _, name, _, _ in string.Formatter().parse(pattern) if name is not None}
    except ValueError:  # a brace without its partner
        names = set()
    if "id" not in names or names - {"id", "extension"}:
        raise ValueError(
            f"'path' must hold {{id}}, and nothing else in braces but {{extension}}. "
            f"Got {pattern!r}."
        )


@dataclass(frozen=True, slots=True)
class SplitList:
    """A published list of the ids in one split.

    Attributes
    ----------
    file : str
        Path below the source's address.
    sha256 : str
        Digest of the published bytes, 64 hexadecimal digits in lower case.
    """

    file: str
    sha256: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ValueError(
                f"'sha256' must be 64 hexadecimal digits in lower case. Got {self.sha256!r}."
            )


@dataclass(frozen=True, slots=True)
class Source:
    """Where something was published.

    Attributes
    ----------
    what : str
        What is to be had there.
    address : str
        Web address, with the revision in it where there is one.
    """

    what: str
    address: str


@dataclass(frozen=True, slots=True)
class Excused:
    """A track that a published variant of the data lacks.

    Attributes
    ----------
    id, split, label : str
        Which track.
    reason : str
        Why it may be absent or unreadable.
    """

    id: str
    split: Literal["train", "valid", "test"]
    label: str
    reason: str


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """A task card.

    Attributes
    ----------
    name : str
        "GTZAN".
    aliases : tuple of str
        Other names by which it is known.
    version : int
        Raised when scores can move.
    kind : str
        Which of `marble_eval.kinds` reads, encodes, decodes and scores it.
    summary : str
        One line for the task list.
    labels : tuple of str
        Class names; the position is the class index.
    data : tuple of Layout
        The layouts understood, in the order they are looked for; empty where the
        folder's ``task.py`` reads the tracks.
    split_source : str
        Address below which the split lists are published; empty if the data
        carries its own split.
    split_lists : mapping of str to SplitList
        One list for each split, or none.
    sizes : mapping of str to int
        Tracks in each split.
    label_counts : mapping of str to tuple of int
        Tracks of each label in each split, in label order; may be empty.
    may_lack : tuple of Excused
        Tracks whose absence is part of a published variant.
    protocols : mapping of str to TaskRules
        What each protocol fixes for this task.
    metrics : tuple of str
        The metrics computed, main metric first.
    higher_is_better : bool
        Direction of the main metric.
    embedded : bool
        The data is made by the project itself; never ranked with real data.
    column : str
        Name of the task on MARBLE's leaderboard; empty if it is not there.
    licence : str
        Terms of the data.
    citation : str
        BibTeX.
    sources : tuple of Source
        Where the data is to be had.
    """

    name: str
    aliases: tuple[str, ...]
    version: int
    kind: str
    summary: str
    labels: tuple[str, ...]
    data: tuple[Layout, ...]
    split_source: str
    split_lists: Mapping[str, SplitList]
    sizes: Mapping[str, int]
    label_counts: Mapping[str, tuple[int, ...]]
    may_lack: tuple[Excused, ...]
    protocols: Mapping[str, TaskRules]
    metrics: tuple[str, ...]
    higher_is_better: bool
    embedded: bool
    column: str
    licence: str
    citation: str
    sources: tuple[Source, ...]

    def __post_init__(self) -> None:
        for name in (self.name, *self.aliases):
            # It becomes a folder, a file and a word on the command line.
            if not re.fullmatch(r"\w[\w-]*", name, re.ASCII):
                raise ValueError(
                    f"'name' and 'aliases' must be made of letters, digits, _ and -. Got {name!r}."
                )
        if self.version < 1:
            raise ValueError(f"'version' must be at least 1. Got {self.version!r}.")
        if len(set(self.labels)) != len(self.labels) or len(self.labels) < 2:
            raise ValueError(f"'labels' must be two or more different names. Got {self.labels!r}.")
        if not self.metrics or len(set(self.metrics)) != len(self.metrics):
            raise ValueError(
                f"'metrics' must be one or more different names, the main one first. "
                f"Got {self.metrics!r}."
            )
        self._check_splits()

    def _check_splits(self) -> None:
        for name in ("sizes", "split_lists", "label_counts"):
            table = getattr(self, name)
            if table and set(table) != set(SPLITS):
                raise ValueError(f"{name!r} must name {', '.join(SPLITS)}. Got {list(table)!r}.")
        for split, size in self.sizes.items():
            if size < 1:
                raise ValueError(f"'sizes' of {split!r} must be at least 1. Got {size!r}.")
        for split, counts in self.label_counts.items():
            if len(counts) != len(self.labels) or sum(counts) != self.sizes.get(split):
                raise ValueError(
                    f"'label_counts' of {split!r} must have one number a label, with the sum "
                    f"{self.sizes.get(split)}. Got {counts!r}."
                )
        for each in self.may_lack:
            if each.label not in self.labels:
                raise ValueError(
                    f"'may_lack' must have labels of the card. Got {each.label!r} for {each.id!r}."
                )

    @property
    def main_metric(self) -> str:
        """Return the metric that ranks encoders and chooses among probes."""
        return self.metrics[0]
