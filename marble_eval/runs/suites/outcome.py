"""What became of the tasks of a suite: one table, one exit code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from marble_eval.errors import MarbleError, MissingError
from marble_eval.leaderboard import metric_unit, published_value
from marble_eval.leaderboard.score_text import score_text, stored_interval, stored_text

if TYPE_CHECKING:
    from marble_eval.runs.run import Finished


class Outcome(NamedTuple):
    """What became of one task of a suite.

    Attributes
    ----------
    task : str
        Its name; of a folder, its path, if not even the card could be read.
    finished : Finished or None
        Result and its file, if the task was run.
    forecast : str
        What a run would do, if that was asked for.
    error : Exception or None
        What went wrong.
    there : bool
        False if none of the task's data was found.
    """

    task: str
    finished: Finished | None = None
    forecast: str = ""
    error: Exception | None = None
    there: bool = True

    @property
    def exit_code(self) -> int:
        """Return 0, or the code of a failure; missing data is none."""
        if self.error is None or not self.there:
            return 0
        return self.error.exit_code if isinstance(self.error, MarbleError) else 1

    @property
    def reason(self) -> str:
        """Return what went wrong in words; empty if nothing did."""
        if self.error is None or isinstance(self.error, MarbleError):
            return str(self.error or "")
        return f"{type(self.error).__name__}: {self.error}. Run it alone, task=NAME, to see where."


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """Sum up outcomes as the exit code of a command.

    Parameters
    ----------
    outcomes : sequence of Outcome
        Of one suite.

    Returns
    -------
    int
        0 if every task that is there ran, 3 if none is there, else the largest code
        of the failures.

    Examples
    --------
    >>> absent = Outcome("MTT", error=MissingError("nothing there"), there=False)
    >>> exit_code([absent, Outcome("GTZAN")]), exit_code([absent])
    (0, 3)
    """
    if not any(each.there for each in outcomes):
        return MissingError.exit_code
    return max(each.exit_code for each in outcomes)


def summary_table(outcomes: Sequence[Outcome]) -> str:
    """Put the outcomes of a suite into one table.

    Parameters
    ----------
    outcomes : sequence of Outcome
        Of one suite.

    Returns
    -------
    str
        A line for each metric: value and interval in percent, the layer chosen, the
        published value. Below it stand the tasks that failed or are missing, and why.
        After a dry run, the forecasts.
    """
    rows = [row for each in outcomes for row in _rows(each)]
    lines = _aligned(rows) if rows else []
    for each in outcomes:
        if each.forecast:
            lines += ["", each.forecast]
    for word, there in (("failed", True), ("missing", False)):
        some = [each for each in outcomes if each.error is not None and each.there is there]
        if some:
            lines += ["", f"{word}: {len(some)} of {len(outcomes)} tasks"]
            lines += [f"  {each.task}: {each.reason}" for each in some]
    return "\n".join(lines).lstrip("\n")


def _rows(outcome: Outcome) -> list[tuple[str, ...]]:
    if outcome.error is not None:
        return [(outcome.task, "-", "-", "failed" if outcome.there else "missing", "-", "-")]
    if outcome.finished is None:
        return []
    result = outcome.finished.result
    rows: list[tuple[str, ...]] = []
    for number, (name, score) in enumerate(result.metrics.items()):
        published = published_value(result.encoder.name, result.task.column, name)
        rows.append(
            (
                "" if number else result.task.name,
                name,
                stored_text(score.value, metric_unit(name)),
                stored_interval(score.low, score.high, metric_unit(name)),
                "" if number else result.chosen.layer,
                score_text(published.value, published.unit) if published else "-",
            )
        )
    return rows


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    rows = [("task", "metric", "value", "95 % interval", "layer", "published"), *rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if column == 2 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
