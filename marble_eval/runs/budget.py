"""What the features of a run take on disk, and what can be done where that is too much.

Every frame of every layer of a large data set does not fit on a disk: an hour of
13 layers of 768 numbers at 75 frames a second is 5.4 GB. So the size is told first,
a run beyond the limit is refused with the choices that would fit, and, if it is
asked for, layers are encoded a few at a time.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from marble_eval.errors import MarbleError, MissingError
from marble_eval.files.home import check_writable
from marble_eval.probes import LEARNED_SUM

if TYPE_CHECKING:
    from marble_eval.audio.pieces import FrameGrid
    from marble_eval.runs.run_plan import RunPlan

_USUAL = 3  # 25 frames a second of 75
_STEPS = (2, 3, 4, 5, 6, 8, 10, 15)  # of how many frames one is made
_BORDER = 2  # frames by which a track may come out longer: rounding, and an encoder's borders
_MARGIN = 1.01  # for a size that is written with three digits


def feature_bytes(prepared: RunPlan) -> int:
    """Say what the features of a run take, those that are cached included."""
    found = prepared.survey
    return (found.cached_rows + found.new_rows) * prepared.plan.store.row_bytes


def savings(prepared: RunPlan) -> list[str]:
    """Say what each choice would make of the size, so that it fits, or is a third if it does."""
    total, limit = feature_bytes(prepared), prepared.settings.features.max_bytes
    goal = limit if _is_over(prepared) else total / _USUAL
    cuts, lines = prepared.plan.cuts, []
    if cuts.grid is not None:
        lines += _lower_rate(prepared, cuts.grid, goal)
    if prepared.settings.features.dtype == "float32" and total / 2 <= limit:
        lines.append(f"features.dtype=float16: {in_words(total / 2)}")
    if cuts.grid is not None:
        lines += _fewer_layers(prepared, cuts.layers, goal)
    if _is_over(prepared):
        lines.append(f"features.max_bytes={_MARGIN * total:.2e}: all of it, {in_words(total)}")
    return lines


def _is_over(prepared: RunPlan) -> bool:
    return feature_bytes(prepared) > prepared.settings.features.max_bytes


def _lower_rate(prepared: RunPlan, grid: FrameGrid, goal: float) -> list[str]:
    """Name the highest rate that reaches the goal; none if one was chosen and all fits."""
    total = feature_bytes(prepared)
    if not _is_over(prepared) and grid.step > 1:
        return []
    tracks = len(set(prepared.survey.digests.values()))
    border = _BORDER * tracks * prepared.plan.store.row_bytes if _is_over(prepared) else 0
    for step in _STEPS:
        if total / step + border <= goal:
            return [f"features.frame_rate={grid.rate / step:.6g}: {in_words(total / step)}"]
    return []


def _fewer_layers(prepared: RunPlan, kept: tuple[int, ...], goal: float) -> list[str]:
    """Name some layers that fit, and all of them a few at a time, which the sum cannot be."""
    each = feature_bytes(prepared) / len(kept)
    fitting = max(int(goal / each), 0 if _is_over(prepared) else 1)
    fitting = min(fitting, len(kept) - 1)
    if not fitting:
        return []
    singles = [reads[0] for name, reads in prepared.layers.items() if name != LEARNED_SUM]
    some = (singles or list(kept))[-fitting:]
    lines = [f"layers={_listed(some)}: {in_words(each * len(some))}"]
    if len(singles) > fitting:
        less = "" if _is_over(prepared) else f"features.max_bytes={_MARGIN * each * fitting:.2e} "
        lines.append(
            f"features.in_turn=true {less}layers={_listed(singles)}: {fitting} at a time, "
            f"{in_words(each * fitting)}, the same scores"
        )
    return lines


def _listed(layers: list[int]) -> str:
    return "[" + ",".join(str(at) for at in layers) + "]"


def check_budget(prepared: RunPlan) -> None:
    """Refuse a run whose new features could not be written, or would take more than they may."""
    features = prepared.settings.features
    total = feature_bytes(prepared)
    if not prepared.survey.new_rows:
        return
    _check_disk(prepared)
    if total <= features.max_bytes:
        return
    can_turn = prepared.plan.cuts.grid is not None and LEARNED_SUM not in prepared.layers
    if features.in_turn and can_turn:
        if total / prepared.plan.store.shape[0] <= features.max_bytes:
            return
    listed = "".join(f"\n  {each}" for each in savings(prepared))
    raise MissingError(
        f"{prepared.task.spec.name} with {prepared.encoder.name}: features must take at most "
        f"{in_words(features.max_bytes)} (features.max_bytes). They would take {in_words(total)}"
        f", in {prepared.plan.store.folder.parent}. Choose:{listed}"
    )


def _check_disk(prepared: RunPlan) -> None:
    """Refuse a cache that cannot be written, or a disk without room for the new features."""
    folder, remedy = prepared.plan.store.folder, "Set MARBLE_EVAL_HOME to another folder."
    existing = check_writable(folder, "the cache of features", remedy)
    each_turn = 1.0
    if prepared.settings.features.in_turn:
        each_turn = min(1.0, prepared.settings.features.max_bytes / feature_bytes(prepared))
    needed = prepared.survey.new_rows * prepared.plan.store.row_bytes * each_turn
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise MarbleError(
            f"{folder}: the disk must have room for new features of {in_words(needed)}. "
            f"{in_words(free)} are free. {remedy}"
        )


def turns(prepared: RunPlan) -> list[tuple[str, ...]]:
    """Say which layers are encoded together."""
    features, names = prepared.settings.features, tuple(prepared.layers)
    total = feature_bytes(prepared)
    if total <= features.max_bytes or not features.in_turn or not prepared.survey.new_rows:
        return [names]
    fitting = max(1, int(features.max_bytes * len(names) / total))
    return [names[start : start + fitting] for start in range(0, len(names), fitting)]


def in_words(size: float) -> str:
    """Write a number of bytes for a person."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
