"""What a probe is trained on and what is scored: clips, tracks or whole recordings.

Training takes tracks with all their clips, or lets each clip go its own way. An
estimate is made for each clip, for each track, or for all tracks cut from one
recording; the outputs of what belongs together are averaged. The task's card says
which, under each protocol (`marble_eval.spec.TaskRules`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from marble_eval.errors import ValidationError
from marble_eval.spec import TaskRules, Track, Unit


@dataclass(frozen=True)
class Examples:
    """The examples of one split.

    Features are (layer, clip, width), the clips of an item together; clips (item,) count them. A
    clip or a recording stands as a track with an id of its own.
    """

    items: list[Track]
    features: np.ndarray
    clips: np.ndarray


def examples_of(
    tracks: Sequence[Track],
    clips: Mapping[str, int],
    read: Callable[[Track], np.ndarray],
    unit: Unit,
) -> Examples:
    """Arrange the features of a split; a recording stands where its first track does.

    `read` returns the features of a track (clip, layer, width); it is called once per track, so
    that they are in memory once.
    """
    together = [tracks[at] for places in _units(tracks, unit) for at in places]
    if unit == "clip":
        items = [
            replace(each, id=f"{each.id}#{number}", recording=each.recording or each.id)
            for each in together
            for number in range(clips[each.id])
        ]
        counts = [1] * len(items)
    elif unit == "track":
        items, counts = list(tracks), [clips[each.id] for each in tracks]
    else:
        items, counts = [], []
        for places in _units(tracks, unit):
            items.append(_joined([tracks[at] for at in places]))
            counts.append(sum(clips[tracks[at].id] for at in places))
    return Examples(items, _stacked(together, sum(counts), read), np.array(counts, dtype=np.int64))


def larger_units(items: Sequence[Track]) -> tuple[list[Track], np.ndarray]:
    """Group examples by their recording.

    Returns also the position of each example's recording (item,).
    """
    units = _units(items, "recording")
    of_item = np.empty(len(items), dtype=np.int64)
    for number, places in enumerate(units):
        of_item[places] = number
    return [_joined([items[at] for at in places]) for places in units], of_item


def target_scale(targets: np.ndarray, dimensions: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation (dimension,) of the training targets (item, dimension)."""
    mean, deviation = targets.mean(axis=0), targets.std(axis=0)
    still = [name for name, each in zip(dimensions, deviation, strict=True) if not each > 0]
    if still:
        raise ValidationError(
            f"every dimension must vary in training. {', '.join(still)} does not. "
            f"Take it out of the card's labels."
        )
    return mean, deviation


def training_unit(rules: TaskRules) -> Unit:
    """Say what is one example in training."""
    return "clip" if rules.batch_of == "clips" else "track"


def _stacked(
    tracks: Sequence[Track], clips: int, read: Callable[[Track], np.ndarray]
) -> np.ndarray:
    """Read the features of tracks into one array (layer, clip, width)."""
    first = read(tracks[0])
    stacked = np.empty((first.shape[1], clips, first.shape[2]), dtype=first.dtype)
    start = 0
    for number, each in enumerate(tracks):
        features = read(each) if number else first
        stacked[:, start : start + len(features)] = features.transpose(1, 0, 2)
        start += len(features)
    return stacked


def _units(tracks: Sequence[Track], unit: Unit) -> list[list[int]]:
    """Say which tracks belong together."""
    units: dict[str, list[int]] = {}
    for at, each in enumerate(tracks):
        name = (each.recording or each.id) if unit == "recording" else each.id
        units.setdefault(name, []).append(at)
    return list(units.values())


def _joined(pieces: Sequence[Track]) -> Track:
    first = pieces[0]
    for each in pieces:
        for what in ("label", "group"):
            if getattr(each, what) != getattr(first, what):
                raise ValidationError(
                    f"the tracks of recording {first.recording!r} must share their {what}, since "
                    f"they are scored together. Got {getattr(first, what)!r} for {first.id} and "
                    f"{getattr(each, what)!r} for {each.id}."
                )
    return first if not first.recording else replace(first, id=first.recording)
