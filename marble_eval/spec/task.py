"""What a task card says (`tasks/*/task.yaml`), and what a track is.

A card holds facts only: labels in class order, where the data lies, how it is
split, how a protocol cuts it, what is measured, and where all of that comes
from. Its `version` is raised whenever a score can move. A card of one's own data
needs a name and a kind; what it leaves out has the defaults given here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from marble_eval.spec.download import Download
from marble_eval.spec.layout import SPLITS, Layout, SplitList
from marble_eval.spec.protocol import TaskRules


class Annotation(str):
    """Events in time as one line of JSON, where other tracks have the name of a class.

    Which events, the kind of the task knows; see `marble_eval.data.annotations`.
    """

    __slots__ = ()


#: A class name, events in time, tags, or one number for each dimension.
Label = str | Annotation | tuple[str, ...] | tuple[float, ...]


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
    label : str, tuple of str or tuple of float
        What its kind of task asks for: a class, a key or a pitch by its name, tags
        in the order of the card's labels, one number for each dimension, or events
        (an `Annotation`).
    group : str
        What must stay on one side of a split (artist, song); the id if nothing.
    recording : str
        The recording it was cut from, where pieces of one are tracks of their own;
        empty for a whole recording.
    """

    id: str
    path: Path
    split: str
    label: Label
    group: str
    recording: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """Where something was published."""

    what: str  # what is to be had there
    address: str  # web address, with the revision in it where there is one


@dataclass(frozen=True, slots=True)
class Excused:
    """A track that a published variant of the data lacks."""

    # Which track.
    id: str
    split: Literal["train", "valid", "test"]
    reason: str  # why it may be absent or unreadable
    label: str = ""  # its class, where the card counts classes


_TABLES = (Layout("table", path="tracks.csv"), Layout("table", path="tracks.jsonl"))


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """A task card.

    Attributes
    ----------
    name : str
        "GTZAN".
    kind : str
        Which of `marble_eval.kinds` reads, encodes, decodes and scores it.
    aliases : tuple of str
        Other names by which it is known.
    version : int
        Raised when scores can move.
    summary : str
        One line for the task list.
    labels : tuple of str
        Names of classes, tags or dimensions; the position is the index. Empty to
        take them from the data, in the order that the kind gives them.
    dataset : str
        Name of the data set; tasks of one share a folder in the data home. Empty
        for the task's own name.
    data : tuple of Layout
        The layouts understood, in the order they are looked for; a folder's
        ``task.py`` may read others.
    split_source : str
        Address below which the split lists are published; empty if the data
        carries its own split.
    split_lists : mapping of str to SplitList
        By split, or by another name that the layout asks for.
    counted : {"track", "recording"}
        What ``sizes`` and ``label_counts`` count; recordings where layouts differ in
        whether they come whole or in pieces.
    sizes : mapping of str to int
        How many there are in each split; empty if that is not published.
    label_counts : mapping of str to tuple of int
        How many of each label in each split, in label order; may be empty.
    may_lack : tuple of Excused
        Tracks whose absence is part of a published variant.
    length_seconds : tuple of float
        Shortest and longest file expected, for `data verify`; may be empty.
    hours : float or None
        Audio in all; None where it is not published.
    protocols : mapping of str to TaskRules
        What each protocol fixes for this task; empty for the rules' defaults.
    metrics : tuple of str
        The metrics computed, main metric first; empty for those of the kind.
    higher_is_better : bool
        Direction of the main metric.
    embedded : bool
        The data is made by the project itself; never ranked with real data.
    column : str
        Name of the task on MARBLE's leaderboard; empty if it is not there.
    remarks : tuple of str
        What every result of the task says, such as where it differs from MARBLE's.
    licence : str
        Terms of the data.
    citation : str
        BibTeX.
    sources : tuple of Source
        Where the data is to be had.
    downloads : tuple of Download
        What `data download` fetches; empty where only a person can get it.
    instructions : str
        How to get the data by hand.
    """

    name: str
    kind: str
    aliases: tuple[str, ...] = ()
    version: int = 1
    summary: str = ""
    labels: tuple[str, ...] = ()
    dataset: str = ""
    data: tuple[Layout, ...] = _TABLES
    split_source: str = ""
    split_lists: Mapping[str, SplitList] = field(default_factory=dict)
    counted: Literal["track", "recording"] = "track"
    sizes: Mapping[str, int] = field(default_factory=dict)
    label_counts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    may_lack: tuple[Excused, ...] = ()
    length_seconds: tuple[float, ...] = ()
    hours: float | None = None
    protocols: Mapping[str, TaskRules] = field(default_factory=dict)
    metrics: tuple[str, ...] = ()
    higher_is_better: bool = True
    embedded: bool = False
    column: str = ""
    remarks: tuple[str, ...] = ()
    licence: str = "not stated"
    citation: str = ""
    sources: tuple[Source, ...] = ()
    downloads: tuple[Download, ...] = ()
    instructions: str = ""

    def __post_init__(self) -> None:
        for name in (self.name, *self.aliases):
            # It becomes a folder, a file and a word on the command line.
            if not re.fullmatch(r"\w[\w-]*", name, re.ASCII):
                raise ValueError(
                    f"'name' and 'aliases' must be made of letters, digits, _ and -. Got {name!r}."
                )
        if self.version < 1:
            raise ValueError(f"'version' must be at least 1. Got {self.version!r}.")
        for name in ("labels", "metrics"):
            if len(set(getattr(self, name))) != len(getattr(self, name)):
                raise ValueError(f"{name!r} must be different names. Got {getattr(self, name)!r}.")
        if self.length_seconds and not 0 <= self.length_seconds[0] <= self.length_seconds[-1]:
            raise ValueError(f"'length_seconds' must rise. Got {self.length_seconds!r}.")
        if len(self.length_seconds) not in (0, 2):
            raise ValueError(f"'length_seconds' must be two numbers. Got {self.length_seconds!r}.")
        self._check_splits()

    def _check_splits(self) -> None:
        for name in ("sizes", "label_counts"):
            table = getattr(self, name)
            if table and set(table) != set(SPLITS):
                raise ValueError(f"{name!r} must name {', '.join(SPLITS)}. Got {list(table)!r}.")
        for split, size in self.sizes.items():
            if size < 1:
                raise ValueError(f"'sizes' of {split!r} must be at least 1. Got {size!r}.")
        for split, counts in self.label_counts.items():
            # Tags may share a track, so their counts have no sum to keep.
            right_sum = self.kind == "tagging" or sum(counts) == self.sizes.get(split)
            if len(counts) != len(self.labels) or not right_sum:
                raise ValueError(
                    f"'label_counts' of {split!r} must have one number a label, with the sum "
                    f"{self.sizes.get(split)}. Got {counts!r}."
                )
        for each in self.may_lack:
            if each.label and each.label not in self.labels:
                raise ValueError(
                    f"'may_lack' must have labels of the card. Got {each.label!r} for {each.id!r}."
                )

    @property
    def main_metric(self) -> str:
        """Return the metric that ranks encoders and chooses among probes."""
        return self.metrics[0]
