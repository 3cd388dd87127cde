"""A comparison as text: the difference with its tests, the items that flipped, what differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from marble_eval.leaderboard.score_text import score_text
from marble_eval.metrics.metric import BY_RECORDING, in_unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from marble_eval.results import Result
    from marble_eval.scores.comparison import Difference, SettingChange, Side

_SHOWN = 5  # items of each direction, where not every one is asked for
_WIDEST = 40  # characters of a reference, an estimate or a setting


def difference_text(each: Difference, changed: pd.DataFrame, *, every: bool = False) -> str:
    """Describe the difference of two results."""
    unit = each.unit
    groups = "" if each.groups == each.items else f" in {each.groups} groups"
    what = "recordings" if each.metric.endswith(BY_RECORDING) else "items"
    lines = [f"{each.task}   {each.metric}   {each.items} test {what}{groups}"]
    if each.left_out:
        lines.append(f"  {each.left_out} test items left out that one of the two lacks")
    for name, side in (("A", each.first), ("B", each.second)):
        lines.append(
            f"  {name:<6}{_two(side.value, unit):>8}   {side.encoder} ({side.revision}), "
            f"{side.protocol}, probe {side.probe}, layer {side.layer}, {_seeds(side, unit)}"
        )
    lines.append(
        f"  B - A {_two(each.difference, unit, signed=True):>8}   95 % interval "
        f"{_signed_interval(each, unit)}"
    )
    if each.undefined:
        lines.append(f"  {each.undefined} resamples have no value and are not in the interval")
    holm = "" if each.p_holm == each.p_permutation else f" ({each.p_holm:.3g} after Holm)"
    lines.append(
        f"  p     {each.p_permutation:>8.3g}   by permutation{holm}, {each.p_bootstrap:.3g} by "
        f"bootstrap: {_verdict(each)}"
    )
    return "\n".join(lines + _item_lines(each, changed, every=every))


def _two(value: float, unit: str, *, signed: bool = False) -> str:
    """Write a score with two decimals, one more than tables have: differences are small."""
    return score_text(in_unit(value, unit), unit, decimals=2, signed=signed)


def _signed_interval(each: Difference, unit: str) -> str:
    return f"[{_two(each.low, unit, signed=True)}, {_two(each.high, unit, signed=True)}]"


def _seeds(side: Side, unit: str) -> str:
    if side.seeds == 1:  # which has no spread, not one of 0
        return "1 seed"
    return f"{side.seeds} seeds ± {_two(side.seed_spread, unit)}"


def _verdict(each: Difference) -> str:
    return each.verdict.replace("first", "A").replace("second", "B")


def _item_lines(each: Difference, changed: pd.DataFrame, *, every: bool) -> list[str]:
    gained, lost = changed[changed["change"] > 0], changed[changed["change"] < 0]
    lines = [f"  items   {len(gained)} better in B, {len(lost)} better in A"]
    for name, part in (("B", gained), ("A", lost)):
        shown = part if every else part.head(_SHOWN)
        lines += [f"    better in {name}   {_item(row)}" for row in shown.itertuples()]
        if len(part) > len(shown):
            lines.append(f"    better in {name}   {len(part) - len(shown)} more (--items)")
    return lines


def _item(row: Any) -> str:
    said = f"{row.id}   {row.score_first:.2f} -> {row.score_second:.2f}"
    texts = [_short(str(each)) or "none" for each in (row.reference, row.first, row.second)]
    if texts[0].startswith("{"):  # events of a whole track, as JSON: not for a line
        return said
    return f"{said}   {texts[0]}: {texts[1]} -> {texts[2]}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WIDEST else f"{line[: _WIDEST - 1]}…"


def difference_overview(differences: Sequence[Difference]) -> str:
    """List several differences, one line each, with p values adjusted for their number."""
    width = max(len(each.task) for each in differences)
    widest = max(len(each.metric) for each in differences)
    lines = [f"{len(differences)} tests; p values after Holm"]
    for each in differences:
        unit = each.unit
        lines.append(
            f"  {each.task:<{width}}  {each.metric:<{widest}}  "
            f"{_two(each.first.value, unit):>7}  {_two(each.second.value, unit):>7}  "
            f"{_two(each.difference, unit, signed=True):>7} {_signed_interval(each, unit)}  "
            f"p {each.p_holm:.3g}  {_verdict(each)}"
        )
    return "\n".join(lines)


def configuration_text(first: Result, second: Result, changes: Sequence[SettingChange]) -> str:
    """List the settings in which two results differ."""
    tasks = [f"{each.task.name}@{each.task.version}" for each in (first, second)]
    lines = [tasks[0] if tasks[0] == tasks[1] else f"{tasks[0]} and {tasks[1]}"]
    if not changes:
        return f"{lines[0]}   same configuration: data, encoder, rules and versions"
    width = max(len(each.setting) for each in changes)
    for each in changes:
        one, two = ("-" if side is None else _short(side) for side in (each.first, each.second))
        lines.append(f"  {each.setting:<{width}}   {one}   ->   {two}")
    return "\n".join(lines)
