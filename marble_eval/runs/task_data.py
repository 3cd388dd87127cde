"""The data of a task: where it is looked for, its tracks, and what is wrong with them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from marble_eval.audio import UnusableAudio, inspect
from marble_eval.data.annotations import misfit
from marble_eval.data.splits import published_list
from marble_eval.data.tracks import check_tracks
from marble_eval.errors import ValidationError
from marble_eval.features.audio_check import Unusable
from marble_eval.files.home import home_folder
from marble_eval.probes.examples import target_scale
from marble_eval.spec import SPLITS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from marble_eval.registry import Task
    from marble_eval.spec import FrameRules, TaskRules, TaskSpec, Track

_LISTED = 20  # pairs named in a message; the others are counted


def default_root(task: Task) -> Path:
    """Return where a task's data is looked for when the user names no folder.

    That is beside the card of a task given as a folder, else in the data home, where tasks of
    one data set share a folder; of another package's task beside its card if there is none.
    """
    home = data_folder(task.spec)
    is_ours = task.provider.startswith("marble-eval ")
    return home if is_ours or (task.provider != "folder" and home.is_dir()) else task.folder


def data_folder(spec: TaskSpec) -> Path:
    """Say where in the data home a task's data belongs: tasks of one data set share it."""
    return home_folder() / "data" / (spec.dataset or spec.name)


def task_tracks(task: Task, root: Path | None, splits: Path | None) -> tuple[Task, list[Track]]:
    """Read a task's tracks and hold them against its card."""
    task, tracks = labelled_tracks(task, root, splits)
    tracks = [each for each in tracks if not _is_excused(each, task)]
    check_tracks(tracks, task.spec, root or default_root(task))
    return task, tracks


def labelled_tracks(task: Task, root: Path | None, splits: Path | None) -> tuple[Task, list[Track]]:
    """Read a task's tracks as they are."""
    spec, root = task.spec, root or _own_root(task)
    tracks = task.kind.read_tracks(root, spec, partial(published_list, spec, root, splits))
    if not spec.labels:
        labels = task.kind.labels_of(tracks, spec)
        spec = replace(spec, labels=labels)
        if fault := task.kind.fault_of(spec):
            raise ValidationError(f"{root}: {spec.name}: {fault}")
        task = replace(task, spec=spec)
    return task, tracks


def reader_remarks(task: Task, root: Path | None, splits: Path | None) -> list[str]:
    """Return what the task's own code has to say of a copy of the data."""
    root = root or default_root(task)
    return list(
        task.kind.remarks(root, task.spec, partial(published_list, task.spec, root, splits))
    )


def _own_root(task: Task) -> Path:
    """Return where a task's data is looked for; embedded music is made there if it is not."""
    root = default_root(task)
    if task.spec.embedded and task.provider.startswith("marble-eval "):
        from marble_eval.embedded import EMBEDDED  # noqa: PLC0415 - it loads a synthesiser

        return EMBEDDED[task.spec.name](root)
    return root


def check_splits_differ(
    tracks: Sequence[Track], digests: Mapping[str, str], task: Task
) -> list[str]:
    """Find audio that is in two splits under two names."""
    shared = shared_audio(tracks, digests)
    if not shared:
        return []
    if task.provider == "folder":
        listed = "\n".join(f"  {each}" for each in shared[:_LISTED])
        raise ValidationError(
            f"{task.spec.name}: the same audio must not be in two splits. Got {len(shared)} "
            f"pairs:\n{listed}\nGive them one split, or take one of each out of the table."
        )
    return [f"the same audio in two splits: {len(shared)} pairs, the first {shared[0]}"]


def shared_audio(tracks: Sequence[Track], digests: Mapping[str, str]) -> list[str]:
    """Name the tracks that are one audio under two names, in two splits."""
    first: dict[str, Track] = {}
    shared = []
    for each in tracks:
        other = first.setdefault(digests[each.id], each)
        if other.split != each.split:
            shared.append(f"{other.id} ({other.split}) and {each.id} ({each.split})")
    return shared


def misfits(tracks: Sequence[Track], task: Task) -> list[Unusable]:
    """Find tracks whose annotation lies outside their audio, as in another unit."""
    found = []
    for each in tracks if task.kind.estimate == "frame" else ():
        try:
            seconds = inspect(each.path).seconds
        except UnusableAudio:  # which decoding tells, with its reason
            continue
        if reason := misfit(task.frame_kind.annotation_of(str(each.label)), seconds):
            found.append(Unusable(each, reason))
    return found


def check_scorable(tracks: Sequence[Track], task: Task, rules: TaskRules) -> None:
    """Refuse data from which nothing can be learnt or scored, before anything is encoded."""
    if rules.frames is not None:
        _check_references(tracks, task, rules.frames)
        return
    if task.kind.loss == "cross-entropy" and len({each.label for each in tracks}) < 2:
        raise ValidationError(
            f"{task.spec.name}: the tracks must be of two or more classes. "
            f"Got {tracks[0].label!r} alone."
        )
    if task.kind.scaled:
        trained = [each for each in tracks if each.split == "train"]
        target_scale(task.track_kind.encode(trained, task.spec), task.spec.labels)
    for split in ("valid", "test"):
        of_split = [each for each in tracks if each.split == split]
        reference = task.track_kind.encode(of_split, task.spec)
        try:
            task.track_kind.score(reference, reference, task.spec)
        except ValueError as error:
            raise ValidationError(
                f"{task.spec.name}: the {split} split, {len(of_split)} tracks, cannot be scored: "
                f"{error}"
            ) from None


def _check_references(tracks: Sequence[Track], task: Task, rules: FrameRules) -> None:
    """Refuse splits in whose references there is nothing to be found."""
    kind, spec = task.frame_kind, replace(task.spec, metrics=(task.spec.main_metric,))
    for split in SPLITS:
        found = 0.0
        for each in tracks:
            if each.split == split and not found:
                reference = kind.annotation_of(str(each.label))
                found += float(kind.score(reference, reference, spec, rules)[0, 1])
        if not found:
            raise ValidationError(
                f"{task.spec.name}: the {split} split must have references that "
                f"{task.spec.main_metric} can be computed of. Got none in its tracks."
            )


def _is_excused(track: Track, task: Task) -> bool:
    """Say whether a published variant of the data lacks this very file, as the user's does."""
    # Names first: a data set may have a hundred thousand files to be asked for.
    return any(each.id == track.id for each in task.spec.may_lack) and not track.path.exists()
