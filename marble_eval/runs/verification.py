"""Hold a copy of a task's data against its card: what is there, what is not, what is wrong.

Every track is opened, nothing is encoded. Headers give lengths; whether a file can be
decoded to its end is read where that is cheap, or everywhere if asked for. Files
that no track names are counted, and are no fault: releases hold more than a task uses.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from marble_eval.audio import UnusableAudio, cheap_to_read, inspect, read
from marble_eval.data.annotations import SLACK_SECONDS, end_of
from marble_eval.data.tracks import counted_tracks, groups_astride, label_names, track_faults
from marble_eval.files.fingerprint import file_digest
from marble_eval.runs.task_data import default_root, labelled_tracks, reader_remarks, shared_audio
from marble_eval.spec import SPLITS, Annotation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from marble_eval.progress import Progress
    from marble_eval.registry import Task
    from marble_eval.spec import TaskSpec, Track

_SUFFIXES = frozenset({".wav", ".flac", ".mp3", ".ogg", ".au", ".aif", ".aiff"})
_TOLERANCE_SECONDS = 0.05


class Faulty(NamedTuple):
    """A track and what is wrong with it."""

    id: str
    split: str
    path: str
    reason: str


@dataclass(frozen=True)
class Verification:
    """What was found."""

    task: str
    root: str
    expected: Mapping[str, int]
    found: Mapping[str, int]
    labels: Mapping[str, Mapping[str, list[int]]]
    missing: tuple[Faulty, ...]
    unreadable: tuple[Faulty, ...]
    wrong_length: tuple[Faulty, ...]
    excused: tuple[Faulty, ...]
    extra: tuple[str, ...]
    astride: tuple[str, ...]
    shared: tuple[str, ...]
    faults: tuple[str, ...]
    remarks: tuple[str, ...]
    hours: float
    decoded: bool

    @property
    def good(self) -> bool:
        """Return whether the copy is as the card says."""
        return not (self.missing or self.unreadable or self.wrong_length or self.faults)


class _Looked(NamedTuple):
    """What one file gave: its length and digest, or why it cannot be used."""

    seconds: float
    digest: str
    reason: str


def verify(
    task: Task,
    root: Path | None,
    splits: Path | None,
    *,
    decode: bool,
    readers: int,
    progress: Progress,
) -> Verification:
    """Look at every file of a copy."""
    task, tracks = labelled_tracks(task, root, splits)
    folder = root or default_root(task)
    looked = _look_at(tracks, decode=decode, readers=readers, progress=progress)
    excuses = {each.id: each.reason for each in task.spec.may_lack}
    lacking = [_faulty(each, looked[each.id].reason) for each in tracks if looked[each.id].reason]
    excused = tuple(
        each._replace(reason=f"{each.reason}; {excuses[each.id]}")
        for each in lacking
        if each.id in excuses
    )
    lost = [each for each in lacking if each.id not in excuses]
    there = [each for each in tracks if not looked[each.id].reason]
    shared = tuple(shared_audio(there, {name: each.digest for name, each in looked.items()}))
    # Published splits are used as they are; one's own can be mended.
    own = [f"the same audio in two splits: {each}" for each in shared if task.provider == "folder"]
    kept = [each for each in tracks if each.id not in {every.id for every in excused}]
    return Verification(
        task=f"{task.spec.name}@{task.spec.version}",
        root=str(folder),
        expected={split: task.spec.sizes.get(split, 0) for split in SPLITS},
        found={
            split: len(counted_tracks([each for each in there if each.split == split], task.spec))
            for split in SPLITS
        },
        labels=_labels(there, task.spec),
        missing=tuple(each for each in lost if each.reason == "missing"),
        unreadable=tuple(each for each in lost if each.reason != "missing"),
        wrong_length=(
            *_wrong_length(there, looked, task.spec),
            *_too_short(there, looked, task),
        ),
        excused=excused,
        extra=_extra(folder, tracks),
        astride=tuple(groups_astride(tracks)),
        shared=shared,
        faults=(*track_faults(kept, task.spec), *own),
        remarks=(*task.spec.remarks, *reader_remarks(task, root, splits)),
        hours=sum(looked[each.id].seconds for each in there) / 3600,
        decoded=decode,
    )


def _look_at(
    tracks: Sequence[Track], *, decode: bool, readers: int, progress: Progress
) -> dict[str, _Looked]:
    def look(track: Track) -> _Looked:
        try:
            facts = inspect(track.path)
            if decode or cheap_to_read(track.path):
                read(track.path, "mean")
            return _Looked(facts.seconds, file_digest(track.path), "")
        except UnusableAudio as error:
            return _Looked(0.0, "", error.reason)
        except OSError as error:
            return _Looked(0.0, "", f"unreadable: {error.strerror}")

    found = {}
    progress.begin("verify", len(tracks))
    pool = ThreadPoolExecutor(readers, thread_name_prefix="verify")
    try:
        for track, looked in zip(tracks, pool.map(look, tracks), strict=True):
            found[track.id] = looked
            progress.advance()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        progress.end()
    return found


def _faulty(track: Track, reason: str) -> Faulty:
    return Faulty(track.id, track.split, str(track.path), reason)


def _labels(tracks: Sequence[Track], spec: TaskSpec) -> dict[str, dict[str, list[int]]]:
    table: dict[str, dict[str, list[int]]] = {}
    for split in SPLITS:
        of_split = counted_tracks([each for each in tracks if each.split == split], spec)
        counts = Counter(name for each in of_split for name in label_names(each))
        published = spec.label_counts.get(split, ())
        table[split] = {
            label: [counts[label], *published[at : at + 1]]
            for at, label in enumerate(spec.labels)
            if not any(isinstance(each.label, Annotation) for each in tracks)
        }
    return table


def _wrong_length(
    tracks: Sequence[Track], looked: Mapping[str, _Looked], spec: TaskSpec
) -> tuple[Faulty, ...]:
    if not spec.length_seconds:
        return ()
    shortest, longest = spec.length_seconds
    return tuple(
        _faulty(each, f"{seconds:.2f} s, {shortest:g} to {longest:g} s expected")
        for each in tracks
        if not shortest - _TOLERANCE_SECONDS
        <= (seconds := looked[each.id].seconds)
        <= longest + _TOLERANCE_SECONDS
    )


def _too_short(tracks: Sequence[Track], looked: Mapping[str, _Looked], task: Task) -> list[Faulty]:
    """Find audio that ends before what is annotated in it."""
    found = []
    for each in tracks if task.kind.estimate == "frame" else ():
        end, seconds = (
            end_of(task.frame_kind.annotation_of(str(each.label))),
            looked[each.id].seconds,
        )
        if end > seconds + SLACK_SECONDS:
            found.append(_faulty(each, f"{seconds:.2f} s, annotated to {end:.2f} s"))
    return found


def _extra(root: Path, tracks: Sequence[Track]) -> tuple[str, ...]:
    named = {each.path for each in tracks}
    return tuple(
        sorted(
            path.relative_to(root).as_posix()
            for path in root.rglob("*")
            if path.suffix.lower() in _SUFFIXES and path not in named
        )
    )
