"""The two tables of a leaderboard, and their CSV files.

Same inputs, same bytes: rows are sorted by their content, columns are fixed, and
free text is guarded so that no spreadsheet takes it for a formula.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from marble_eval.atomic_file import write_atomically
from marble_eval.leaderboard.admission import Entry, admit, model_of
from marble_eval.leaderboard.average import CELLS, Cell, task_average
from marble_eval.leaderboard.published import PublishedScore, published_scores
from marble_eval.leaderboard.rows import COLUMNS, Row, published_row, result_rows
from marble_eval.results import read_result

_MODEL = (
    "encoder",
    "revision",
    "precision",
    "features",
    "protocol",
    "protocol_version",
    "track",
    "probe",
    "deviations",
    "source",
)
_WHOLE = ("task_version", "protocol_version", "n", "expected", "scored")
_REAL = ("setting", "value", "low", "high", "seed_spread")
# What a spreadsheet may run (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

Model = tuple[str, ...]


class Board(NamedTuple):
    """A leaderboard.

    Attributes
    ----------
    long : pandas.DataFrame
        One row for each metric; columns as `marble_eval.leaderboard.rows.Row`.
    wide : pandas.DataFrame
        One row for each model.
    left_out : mapping of str to int
        Results that do not stand in the wide table, by reason; those on the
        other kind of data stand in neither.
    """

    long: pd.DataFrame
    wide: pd.DataFrame
    left_out: Mapping[str, int]


def board(results: Iterable[Path], *, embedded: bool = False) -> Board:
    """Make a leaderboard from result files.

    Parameters
    ----------
    results : iterable of Path
        The `result.json` files.
    embedded : bool
        True for results on embedded data alone; False for results on real data
        and what papers report.

    Returns
    -------
    Board
        The tables. In the wide one of real results the columns are MARBLE's and
        its average; in that of embedded ones, each task's metrics.

    Raises
    ------
    MissingError
        If a file does not exist.
    ValidationError
        If a file is invalid, or two claim one cell.

    Examples
    --------
    >>> reported = board([]).wide.set_index("encoder")
    >>> reported.loc["MERT-v1-95M", ["GTZAN", "average"]].tolist()
    [74.8, 63.2589]
    """
    every = [Entry(path, read_result(path)) for path in sorted(set(results))]
    taken = [each for each in every if each.result.task.embedded == embedded]
    left_out = Counter(
        {"real data" if embedded else "embedded data": len(every) - len(taken)},
    )
    reported = () if embedded else published_scores()
    rows = [row for entry in taken for row in result_rows(entry.result)]
    rows += [published_row(score) for score in reported]
    admission = admit(taken, embedded=embedded)
    cells = _metric_cells(admission.entries) if embedded else CELLS
    models = _models(admission.entries, reported, cells, embedded)
    counted = +(left_out + admission.left_out)
    return Board(_long(rows), _wide(models, cells, embedded), dict(sorted(counted.items())))


def _metric_cells(entries: Iterable[Entry]) -> tuple[Cell, ...]:
    """Make a column of each metric of each task."""
    found = {(entry.result.task.name, name) for entry in entries for name in entry.result.metrics}
    return tuple(Cell(f"{task} {metric}", task, metric) for task, metric in sorted(found))


def _models(
    entries: Iterable[Entry],
    reported: Iterable[PublishedScore],
    cells: Iterable[Cell],
    embedded: bool,
) -> dict[Model, dict[str, float]]:
    """Collect the scores of each model under the headers of its cells."""
    headers = {(cell.task, cell.metric): cell.header for cell in cells}
    models: dict[Model, dict[str, float]] = {}
    for _, result in entries:
        column = result.task.name if embedded else result.task.column
        scores = models.setdefault((*model_of(result), "run"), {})
        for row in result_rows(result):
            if (column, row.metric) in headers:
                scores[headers[column, row.metric]] = row.value
    for score in reported:
        model = (score.encoder, "", "", "", "", "", score.track, "", "", "reported")
        models.setdefault(model, {})[headers[score.task, score.metric]] = score.value
    return models


def _long(rows: Iterable[Row]) -> pd.DataFrame:
    """Make the long table, sorted by content."""
    values = sorted(
        (dataclasses.astuple(row) for row in rows),
        key=lambda cells: (str(cells[0]).casefold(), *map(str, cells)),
    )
    table = pd.DataFrame(values, columns=list(COLUMNS))
    return table.astype(dict.fromkeys(_WHOLE, "Int64") | dict.fromkeys(_REAL, "float64"))


def _wide(
    models: Mapping[Model, Mapping[str, float]], cells: Iterable[Cell], embedded: bool
) -> pd.DataFrame:
    """Make the wide table; MARBLE's average belongs to MARBLE's tasks."""
    headers = [cell.header for cell in cells]
    numbers = headers if embedded else [*headers, "average"]
    values = []
    for model in sorted(models, key=lambda model: (model[0].casefold(), *model)):
        scores = dict(models[model])
        average = None if embedded else task_average(scores)
        if average is not None:
            scores["average"] = round(average, 4)
        values.append([*model, *(scores.get(name) for name in numbers)])
    table = pd.DataFrame(values, columns=[*_MODEL, *numbers])
    return table.astype(dict.fromkeys(numbers, "float64"))


def write_board(tables: Board, path: Path) -> tuple[Path, Path]:
    """Write the two tables of a leaderboard as CSV.

    Parameters
    ----------
    tables : Board
        The leaderboard.
    path : Path
        File of the long table, such as `leaderboard.csv`; its folder must exist.

    Returns
    -------
    tuple of Path
        The long table and, beside it, the wide one (`leaderboard.wide.csv`).

    Notes
    -----
    UTF-8, "." for decimals, an empty cell for what does not apply. Text that a
    spreadsheet would run as a formula gets an apostrophe in front.
    """
    beside = path.with_name(f"{path.stem}.wide.csv")
    write_atomically(path, _csv(tables.long))
    write_atomically(beside, _csv(tables.wide))
    return path, beside


def _csv(table: pd.DataFrame) -> bytes:
    guarded = table.copy()
    for name in table.columns:
        if not pd.api.types.is_numeric_dtype(table[name]):
            guarded[name] = table[name].map(_guarded)
    text: str = guarded.to_csv(index=False, lineterminator="\n")
    return text.encode("utf-8")


def _guarded(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
