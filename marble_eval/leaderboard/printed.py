"""A section as people read it, on a terminal, in Markdown or LaTeX: words, numbers and marks.

Runs come before published models. Columns without a score are omitted and named; labels with the
same value for every model are omitted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from marble_eval.leaderboard.models import Model
from marble_eval.leaderboard.score_text import score_text
from marble_eval.leaderboard.sections import FLAT, MARBLE, ModelScores, Section

_DISTINGUISHING = (
    *("revision", "precision", "features", "protocol", "protocol_version", "track", "probe"),
    *("deviations", "choices"),
)
_NAMES = {MARBLE: "MARBLE average", FLAT: "Flat average"}


class PrintedCell(NamedTuple):
    """A number and its marks; no text where there is no score."""

    text: str = ""
    best: bool = False
    tied: bool = False
    reproduced: bool = False


class PrintedRow(NamedTuple):
    """A model: labels, cells, and whether a paper reports it."""

    labels: tuple[str, ...]
    cells: tuple[PrintedCell, ...]
    reported: bool


class PrintedTable(NamedTuple):
    """A table in words."""

    labels: tuple[str, ...]
    headers: tuple[str, ...]  # of scores and averages
    rows: tuple[PrintedRow, ...]  # runs first
    names: tuple[str, ...]  # for each header, the name it has in the section
    empty: tuple[str, ...]  # headers of columns left out, since no model has a score there


def printed_table(section: Section, *, beside: Sequence[str] = ()) -> PrintedTable:
    """Put a section into words; `beside` are labels to show in any case."""
    models = sorted(section.models, key=lambda each: each.model.source != "run")
    names = [*(column.header for column in section.columns), *section.averages]
    filled = {name for each in models for name in (*each.scores, *each.averages)}
    present = tuple(name for name in names if name in filled)
    labels = ("encoder", *_labels([each.model for each in models], beside))
    best = {name: _best(section, models, name) for name in present}
    rows = [
        PrintedRow(
            labels=tuple(_label(each, label) for label in labels),
            cells=tuple(_cell(section, each, name, best[name]) for name in present),
            reported=each.model.source == "reported",
        )
        for each in models
    ]
    return PrintedTable(
        labels=labels,
        headers=tuple(_NAMES.get(name, name) for name in present),
        rows=tuple(rows),
        names=present,
        empty=tuple(_NAMES.get(name, name) for name in names if name not in filled),
    )


def _labels(models: Sequence[Model], beside: Sequence[str]) -> list[str]:
    runs = [model for model in models if model.source == "run"]
    found = [
        name
        for name in _DISTINGUISHING
        if (name in beside and runs) or len({getattr(model, name) for model in runs}) > 1
    ]
    # Deviations and choices are shown even if all rows share them.
    found += [
        name
        for name in ("deviations", "choices")
        if name not in found and any(getattr(model, name) for model in runs)
    ]
    return [*found, *(["licence"] if "licence" in beside and runs else []), "source"]


def _label(scores: ModelScores, name: str) -> str:
    if name == "licence":
        found = dict.fromkeys(row.licence for row in scores.rows if row.licence)
        return "; ".join(found)
    return str(getattr(scores.model, name))


def _best(section: Section, models: Sequence[ModelScores], name: str) -> float | None:
    """Find the best run of a column; None where runs do not compare or there is only one."""
    values = [
        value
        for each in models
        if each.model.source == "run" and (value := value_of(each, name)) is not None
    ]
    if not section.comparable or len(values) < 2:
        return None
    higher = {column.header: column.higher_is_better for column in section.columns}
    return max(values) if higher.get(name, True) else min(values)


def value_of(scores: ModelScores, name: str) -> float | None:
    """Return a model's score or average by header or name; None if it has none."""
    row = scores.scores.get(name)
    return scores.averages.get(name) if row is None else row.value


def _cell(section: Section, scores: ModelScores, name: str, best: float | None) -> PrintedCell:
    value = value_of(scores, name)
    if value is None:
        return PrintedCell()
    units = {column.header: column.unit for column in section.columns}
    run, ranks = scores.model.source == "run", scores.ranks.get(name)
    is_best = run and best is not None and value == best
    return PrintedCell(
        text=score_text(value, units.get(name, "percent")),
        best=is_best,
        tied=ranks is not None and ranks.tied and not is_best,
        reproduced=not run and name in scores.scores and scores.scores[name].reproduced == "true",
    )


class Remark(NamedTuple):
    """A sentence below a table, and the mark it explains: best, tied, reproduced or none."""

    mark: str
    text: str


def legend(section: Section, table: PrintedTable) -> list[Remark]:
    """Explain the numbers and marks of a table; each form puts its own sign before a mark."""
    cells = [cell for row in table.rows for cell in row.cells]
    found = [Remark("", text) for text in _units(section, table)]
    if any(cell.best for cell in cells):
        found.append(Remark("best", "the best run of a column."))
        if any(each.ranks for each in section.models):
            tied = "tied with it: the 95 % interval of the paired difference includes 0."
            found.append(Remark("tied", tied))
        else:
            found.append(Remark("", "Ties were not tested."))
    if any(cell.reproduced for cell in cells):
        said = "the reported value lies within the 95 % interval of our run."
        found.append(Remark("reproduced", said))
    if any(row.reported for row in table.rows):
        said = "Reported rows are taken from papers and were not run here."
        found.append(Remark("", said))
    if table.empty and table.rows:
        found.append(Remark("", f"No score yet: {', '.join(table.empty)}."))
    return found


def legend_lines(
    section: Section, table: PrintedTable, marks: Mapping[str, str], escape: Callable[[str], str]
) -> list[str]:
    """Write the legend with a form's own marks; `escape` makes text safe for the form."""
    return [
        f"{marks[each.mark]}: {escape(each.text)}" if each.mark else escape(each.text)
        for each in legend(section, table)
    ]


def _units(section: Section, table: PrintedTable) -> list[str]:
    """State the units of the columns, and those where lower is better."""
    shown = [column for column in section.columns if column.header in table.names]
    units = {column.unit for column in shown} | ({"percent"} if section.averages else set())
    words = {
        "percent": "percent",
        "dB": "separation in dB",
        "1": "others in their own unit",
    }
    said = ", ".join(words[unit] for unit in words if unit in units)
    found = [f"{said[:1].upper()}{said[1:]}."]
    low = [column.header for column in shown if not column.higher_is_better]
    return found + ([f"Lower is better: {', '.join(low)}."] if low else [])
