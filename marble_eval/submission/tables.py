"""The table of predictions of a submitted result: its seeds, splits, items and outputs.

Every seed must have the same items in both splits, with the same references and groups,
and as many outputs as a probe of the task has. How many items there must be, `counts` knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from marble_eval.errors import MarbleError
from marble_eval.results import read_predictions
from marble_eval.results.predictions import COLUMNS
from marble_eval.submission.findings import Finding, shown, some
from marble_eval.submission.parquet_limits import table_fault

if TYPE_CHECKING:
    import pandas as pd

    from marble_eval.submission.submitted import Submitted

_SPLITS = ("valid", "test")


def read_table(submitted: Submitted) -> tuple[pd.DataFrame | None, list[Finding]]:
    """Read the predictions of a result, within bounds.

    Parameters
    ----------
    submitted : Submitted
        The result.

    Returns
    -------
    table : pandas.DataFrame or None
        None if it cannot be used.
    findings : list of Finding
        Why not.
    """
    beside = submitted.predictions
    if beside.is_symlink() or not beside.is_file():
        return None, [submitted.table_says("must be there", "no such plain file", "a table")]
    named = submitted.result.predictions
    if named is None or named.file != beside.name:  # what is bounded must be what is read
        got = "null" if named is None else shown(named.file)
        return None, [submitted.says("'predictions' must name the table", got, beside.name)]
    fault = table_fault(beside)
    if fault is not None:
        return None, [
            submitted.table_says("must be a table of bounded size and plain types", *fault)
        ]
    try:
        return read_predictions(submitted.path), []
    except (MarbleError, OSError, ValueError, KeyError) as error:
        said = str(error).removeprefix(f"{beside}: ")
        rule = "must be the table of predictions that the result was written with"
        return None, [submitted.table_says(rule, said, "that table")]


def check_table(submitted: Submitted, table: pd.DataFrame) -> list[Finding]:
    """Check that each split has each item once for each seed, and the number of outputs.

    Parameters
    ----------
    submitted : Submitted
        The result.
    table : pandas.DataFrame
        Its predictions, each item at most once a split and seed.

    Returns
    -------
    list of Finding
        Every fault; scores can be recomputed if there is none.
    """
    says, result = submitted.table_says, submitted.result
    found = []
    splits = sorted({str(each) for each in table["split"]})
    if splits != sorted(_SPLITS):
        found.append(says("must hold both splits and no other", some(splits), some([*_SPLITS])))
    seeds = list(dict.fromkeys(table["seed"].tolist()))
    if sorted(seeds, key=str) != sorted(result.chosen.seeds, key=str):
        rule = "must have the seeds of chosen.seeds"
        found.append(says(rule, seeds, list(result.chosen.seeds)))
    for split in _SPLITS:
        items = {
            seed: rows.set_index("id")[["recording", "group", "reference"]]
            for seed, rows in table[table["split"] == split].groupby("seed", sort=False)
        }
        found += _same_items(submitted, split, items)
    found += _on_both_sides(submitted, table)
    return found + _outputs(submitted, table)


def _same_items(submitted: Submitted, split: str, items: dict[int, pd.DataFrame]) -> list[Finding]:
    """Compare the items of each seed with those of the seed that has most."""
    if not items:
        return []
    most = max(items, key=lambda seed: len(items[seed]))
    whole, found = items[most], []
    for seed, each in items.items():
        where = f"{split} of seed {seed} must have the items of seed {most}"
        lacking = sorted(set(whole.index) - set(each.index))
        more = sorted(set(each.index) - set(whole.index))
        if lacking:
            found.append(submitted.table_says(where, f"none called {some(lacking)}", "all"))
        if more:
            found.append(submitted.table_says(where, f"{some(more)} besides", "no other"))
        both = whole.index.intersection(each.index)
        differ = (whole.loc[both] != each.loc[both]).any(axis=1)
        if differ.any():
            rule = f"{where}, with the same references and groups"
            names = [str(name) for name in both[differ]]
            found.append(submitted.table_says(rule, f"others for {some(names)}", "the same"))
    return found


def _on_both_sides(submitted: Submitted, table: pd.DataFrame) -> list[Finding]:
    """Name the items and groups that stand in validation and in test."""
    found = []
    for column, what in (("id", "an item"), ("group", "a group")):
        sides = [set(table.loc[table["split"] == split, column]) for split in _SPLITS]
        both = sorted(str(each) for each in sides[0] & sides[1])
        if both:
            rule = f"{what} must stand in one split"
            found.append(submitted.table_says(rule, f"{some(both)} in both", "valid or test"))
    return found


def _outputs(submitted: Submitted, table: pd.DataFrame) -> list[Finding]:
    """Hold the number of outputs against what the task's kind asks of a probe."""
    task = submitted.task
    if task is None:
        return []
    number = len(table.columns) - len(COLUMNS)
    expected = 0 if task.kind.estimate == "frame" else task.kind.outputs(task.spec)
    if number == expected:
        return []
    return [submitted.table_says("must have the outputs of the task's probe", number, expected)]
