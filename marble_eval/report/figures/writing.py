"""Every figure that results have the data for, as PNG and SVG files in a folder."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from marble_eval.files.atomic_file import write_atomically
from marble_eval.leaderboard.comparable import conditions_of
from marble_eval.report.figures.curves import SERIES, checkpoint_curve, cost_scatter, layer_curves
from marble_eval.report.figures.label_scores import label_scores
from marble_eval.report.figures.maps import confusion_map, grid_map, heat_map
from marble_eval.report.figures.series import comparable, divided
from marble_eval.report.figures.style import rendered
from marble_eval.results import read_result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from marble_eval.results import Result

_OF_TASK: dict[str, Callable[[Sequence[Result]], Figure | None]] = {
    "layers": layer_curves,
    "cost": cost_scatter,
    "steps": checkpoint_curve,
}
_OF_RESULT: dict[str, Callable[[Result], Figure | None]] = {
    "grid": grid_map,
    "confusion": confusion_map,
    "labels": label_scores,
}
_LONGEST = 120  # characters; file systems take 255 bytes


class _Drawn(NamedTuple):
    """The files of a figure, and what it shows: its kind and names first."""

    key: tuple[str, ...]
    files: dict[str, bytes]


def _drawn(key: tuple[str, ...], figure: Figure | None) -> Iterator[_Drawn]:
    if figure is not None:
        yield _Drawn(key, rendered(figure))


def write_figures(paths: Iterable[Path], folder: Path) -> list[Path]:
    """Draw results and write every figure twice.

    Figures: `layers` (a curve for each encoder), `cost` and `steps` for each task, `heat`
    for each set of rules, and `grid`, `confusion` and `labels` for each result. What is not
    comparable gets figures of its own, embedded data always. More encoders than one figure
    can tell apart are divided over several.
    """
    results = [read_result(path) for path in sorted(set(paths))]
    drawn = list(_figures(results))
    names = file_names([each.key for each in drawn])
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, each in zip(names, drawn, strict=True):
        for kind, content in each.files.items():
            path = folder / f"{name}.{kind}"
            write_atomically(path, content)
            written.append(path)
    return sorted(written)


def _figures(results: Sequence[Result]) -> Iterator[_Drawn]:
    for group in divided(results, conditions_of):
        first = group[0]
        data = "embedded" if first.task.embedded else "real"
        yield from _drawn(
            ("heat", data, first.protocol.name, str(conditions_of(first))), heat_map(group)
        )
    for group in comparable(results):
        yield from _of_group(group)
        for result in group:
            for kind, draw in _OF_RESULT.items():
                key = (kind, result.task.name, result.encoder.name, *_rest(result))
                yield from _drawn(key, draw(result))


def _of_group(group: Sequence[Result]) -> Iterator[_Drawn]:
    """Draw what shows several encoders, some of them at a time."""
    first = group[0]
    for kind, draw in _OF_TASK.items():
        series = [[each] for each in group]
        if draw is checkpoint_curve:  # the checkpoints of one encoder are one line
            series = divided([r for r in group if r.encoder.step is not None], _line_of)
        for start in range(0, len(series), SERIES):
            part = "" if len(series) <= SERIES else f"-part{start // SERIES + 1}"
            key = (kind, first.task.name, first.protocol.name + part, *_rest(first))
            members = [each for one in series[start : start + SERIES] for each in one]
            yield from _drawn(key, draw(members))


def _line_of(result: Result) -> str:
    return result.encoder.name


def _rest(result: Result) -> tuple[str, ...]:
    """Give what else tells a figure from others."""
    task, encoder = result.task, result.encoder
    return (
        str(conditions_of(result)),
        str(task.version),
        task.data_digest,
        encoder.revision,
        result.unit,
    )


def file_names(keys: Sequence[tuple[str, ...]]) -> list[str]:
    """Name the files of figures."""
    plain = [".".join(map(_safe, key[:3]))[:_LONGEST] for key in keys]
    often = Counter(name.casefold() for name in plain)
    names: list[str] = []
    for name, key in zip(plain, keys, strict=True):
        chosen = name
        if often[name.casefold()] > 1:
            chosen = f"{name}.{hashlib.sha256(repr(key).encode()).hexdigest()[:8]}"
        number, wanted = 2, chosen
        while chosen.casefold() in {each.casefold() for each in names}:
            chosen, number = f"{wanted}.{number}", number + 1
        names.append(chosen)
    return names


def _safe(part: str) -> str:
    return re.sub(r"[^A-Za-z0-9@_=+-]+", "-", part).strip("-") or "none"
