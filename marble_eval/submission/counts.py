"""How many tracks a submitted result trained, chose and was scored on, and which it misses.

The record counts tracks, its predictions list items, and the card of the task publishes
the size of each split: the three must agree, less what the record names as missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from marble_eval.spec import SPLITS
from marble_eval.submission.findings import Finding, some

if TYPE_CHECKING:
    import pandas as pd

    from marble_eval.submission.submitted import Submitted


def check_counts(
    submitted: Submitted, table: pd.DataFrame | None
) -> tuple[list[Finding], list[str]]:
    """Hold the counts of a record against its predictions and its task's card."""
    found, unchecked = _within_record(submitted), []
    if table is not None:
        found += _against_table(submitted, table)
    if submitted.rules is not None and submitted.rules.scored == "recording":
        unchecked.append("the number of tracks; whole recordings are scored, of several each")
    if submitted.task is not None and submitted.task.spec.sizes:
        found += _against_card(submitted, table)
    elif submitted.task is not None:
        unchecked.append(f"the sizes of the splits; the card of {submitted.task_name} gives none")
    return found, unchecked


def _within_record(submitted: Submitted) -> list[Finding]:
    result, says, excused = submitted.result, submitted.says, submitted.excused
    counts, found = result.counts, []
    if result.task.sizes["test"] != counts.scored:
        rule = "task.sizes of 'test' must be counts.scored"
        found.append(says(rule, result.task.sizes["test"], counts.scored))
    missing = [each.id for each in counts.missing]
    if len(set(missing)) != len(missing):
        found.append(says("counts.missing must name a track once", some(missing), "each once"))
    lost = submitted.tracks_left_out
    without_excuse = [each for each in missing if each not in excused]
    if len(without_excuse) != sum(lost.values()):
        rule = "protocol.deviations must count every track of counts.missing that has no excuse"
        got = f"{sum(lost.values())} tracks left out"
        found.append(says(rule, got, f"{len(without_excuse)}: {some(without_excuse)}"))
    lacking = lost["test"] + sum(excused.get(each) == "test" for each in missing)
    if counts.expected - counts.scored != lacking:
        rule = "counts.expected less counts.scored must be the test tracks left out"
        found.append(says(rule, counts.expected - counts.scored, lacking))
    return found


def _against_table(submitted: Submitted, table: pd.DataFrame) -> list[Finding]:
    result, found = submitted.result, []
    items = {split: _first_seed(table, split) for split in ("valid", "test")}
    scored = None if submitted.rules is None else submitted.rules.scored
    for split, rows in items.items():
        tracks = _tracks(rows, scored)
        if tracks is not None and tracks != result.task.sizes[split]:
            rule = f"{split} must have as many tracks as task.sizes says"
            found.append(submitted.table_says(rule, tracks, result.task.sizes[split]))
    there = set(items["test"]["id"]) | set(items["valid"]["id"])
    both = sorted(each.id for each in result.counts.missing if each.id in there)
    if both:
        rule = "counts.missing must name tracks that were not scored"
        found.append(submitted.says(rule, f"{some(both)}, which are", "others"))
    return found


def _first_seed(table: pd.DataFrame, split: str) -> pd.DataFrame:
    rows = table[table["split"] == split]
    return rows[rows["seed"] == rows["seed"].iloc[0]]


def _tracks(rows: pd.DataFrame, scored: str | None) -> int | None:
    """Count the tracks behind the items; None where the table cannot tell."""
    if scored == "track":
        return len(rows)
    if scored == "clip":  # `marble_eval.probes.examples` names the clips of a track "track#0", …
        return int(rows["id"].str.rpartition("#")[0].nunique())
    return None


def _recordings(rows: pd.DataFrame) -> int:
    return int(rows["recording"].where(rows["recording"] != "", rows["id"]).nunique())


def _against_card(submitted: Submitted, table: pd.DataFrame | None) -> list[Finding]:
    """Hold each split against its published size, less what is named as left out."""
    task, result = submitted.task, submitted.result
    if task is None:
        return []
    spec, excused = task.spec, submitted.excused
    lost, found = submitted.tracks_left_out, []
    for split in SPLITS:
        size, of_split = spec.sizes[split], [id for id in excused if excused[id] == split]
        there = result.task.sizes[split] + lost[split]
        least, most = size - len(of_split), size
        if spec.counted == "recording":
            if table is None or split == "train":
                continue
            there = _recordings(_first_seed(table, split))
            least -= lost[split]
        elif table is not None and split != "train":
            absent = set(of_split) - set(_first_seed(table, split)["id"])
            least = most = size - len(absent)
        if not least <= there <= most:
            expected = f"{size}" if least == most == size else f"{least} to {most}"
            rule = f"{split} must have the {spec.counted}s that the card of {spec.name} publishes"
            found.append(submitted.says(rule, there, expected))
    return found + _label_counts(submitted, table)


def _label_counts(submitted: Submitted, table: pd.DataFrame | None) -> list[Finding]:
    """Hold the number of test tracks of each class against the card."""
    task = submitted.task
    if task is None or table is None or submitted.rules is None or submitted.result.counts.missing:
        return []
    published = task.spec.label_counts.get("test", ())
    if not published or submitted.rules.scored != "track" or task.spec.counted != "track":
        return []
    rows = _first_seed(table, "test")
    targets = task.track_kind.values_of(list(rows["reference"]), task.spec)
    excused = [each.label for each in task.spec.may_lack if each.id not in set(rows["id"])]
    found = []
    for label, counted, number in zip(
        task.spec.labels, task.track_kind.label_counts(targets, task.spec), published, strict=True
    ):
        if counted not in (number, number - excused.count(label)):
            rule = f"test must have the items of {label!r} that the card publishes"
            found.append(submitted.table_says(rule, int(counted), number))
    return found
