"""How scores, intervals and units are written: on the terminal, in tables, on the page, in figures.

A score is rounded once to four decimals, as CSV and JSON hold it, and then to the decimals of its
unit, a half away from zero: 31.25 % is 31.3 and -0.05 % is -0.1. `page/score_text.js` is the same
rule for the page's scripts.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from marble_eval.metrics.metric import in_unit

_DECIMALS = {"percent": 1, "dB": 1}
_OTHER_DECIMALS = 3
_HUGE = 1e15


def score_text(
    value: float, unit: str, *, decimals: int | None = None, signed: bool = False
) -> str:
    """Write a score in its unit, with the unit's decimals unless others are asked for."""
    places = _DECIMALS.get(unit, _OTHER_DECIMALS) if decimals is None else decimals
    if abs(value) >= _HUGE:  # no score, but a file may claim it
        return f"{value:{'+' if signed else ''}.3e}"
    # repr is the number as it is written: 74.85, although the float is a little less.
    rounded = Decimal(repr(round(float(value), 4))).quantize(
        Decimal(1).scaleb(-places), ROUND_HALF_UP
    )
    return f"{rounded if rounded else abs(rounded):{'+' if signed else ''}f}"


def interval_text(low: float, high: float, unit: str, *, decimals: int | None = None) -> str:
    """Write an interval whose ends are given in their unit: [70.1, 79.0]."""
    ends = (score_text(each, unit, decimals=decimals) for each in (low, high))
    return f"[{', '.join(ends)}]"


def stored_text(value: float, unit: str, *, decimals: int | None = None) -> str:
    """Write a score as a result stores it: a share of 0.3125 is 31.3 in percent."""
    return score_text(in_unit(value, unit), unit, decimals=decimals)


def stored_interval(low: float, high: float, unit: str) -> str:
    """Write an interval as a result stores it."""
    return interval_text(in_unit(low, unit), in_unit(high, unit), unit)


def unit_suffix(unit: str) -> str:
    """Write a unit to follow the name of a metric: " (%)", " (dB)", or nothing."""
    return {"percent": " (%)", "1": ""}.get(unit, f" ({unit})")
