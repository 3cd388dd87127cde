"""How scores, intervals and units are written for people."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

_DECIMALS = {"percent": 1, "dB": 2}


def score_text(value: float, unit: str) -> str:
    """Write a score, given in its unit, with the decimals of that unit."""
    step = Decimal(1).scaleb(-_DECIMALS.get(unit, 3))
    return str(Decimal(value).quantize(step, ROUND_HALF_UP)).replace("-", "−")


def interval_text(low: float | None, high: float | None, unit: str) -> str:
    """Write an interval, given in its unit; "–" where there is none."""
    if low is None or high is None:
        return "–"
    return f"[{score_text(low, unit)}, {score_text(high, unit)}]"


def unit_suffix(unit: str) -> str:
    """Write a unit to follow the name of a metric: " (%)", " (dB)", or nothing."""
    return {"percent": " (%)", "1": ""}.get(unit, f" ({unit})")
