"""Predictions of one encoder under the name of another: copied, and perhaps changed a little.

Neither the file nor the order of its rows, columns or seeds counts, only what is in it. As good as
equal are outputs that correlate beyond what two networks ever do (scaled, shifted, rounded, with
faint noise), and estimates with the same mistakes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from marble_eval.files.fingerprint import digest_of
from marble_eval.results.predictions import COLUMNS

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_MOST_VALUES = 2**16  # of a sketch, evenly spaced
_SAME = 1e-6  # short of a correlation of 1: noise of about a thousandth
_FEWEST = 20  # mistakes that two must share; fewer can be chance
_SHARED = 0.99
_NUMBER = re.compile(r"-?\d+\.\d+(?:e[+-]?\d+)?")


@dataclass(frozen=True, eq=False)
class Sketch:
    """What of a table of predictions is compared between encoders."""

    content: str  # digest of all its rows, whatever their order
    outputs: NDArray[np.float64]  # mean over seeds, centred, of length 1; empty if there is none
    estimates: dict[str, str]  # of the test items that an estimate is given for
    mistaken: frozenset[str]  # those whose estimates are not the reference


def sketch_of(table: pd.DataFrame) -> Sketch:
    """Make the sketch of a table of predictions."""
    names = sorted(name for name in table.columns if name not in COLUMNS)
    numbers = table[names].to_numpy(dtype=np.float64)
    rows = zip(
        table[[*COLUMNS]].astype(str).itertuples(index=False, name=None), numbers, strict=True
    )
    content = digest_of(sorted(digest_of((row, each.tolist())) for row, each in rows))
    return Sketch(content, _outputs(table, names), *_estimates(table[table["split"] == "test"]))


def _outputs(table: pd.DataFrame, names: list[str]) -> NDArray[np.float64]:
    means = table.groupby(["split", "id"], sort=True)[names].mean().to_numpy().ravel()
    taken = means[:: max(1, -(-len(means) // _MOST_VALUES))].astype(np.float64)
    if len(taken) == 0 or not np.isfinite(taken).all():
        return np.empty(0)
    centred = taken - taken.mean()
    length = float(np.linalg.norm(centred))
    return centred / length if length > 0 else np.empty(0)


def _estimates(table: pd.DataFrame) -> tuple[dict[str, str], frozenset[str]]:
    found: dict[str, str] = {}
    mistaken = set()
    for name, rows in table.groupby("id", sort=True):
        texts = sorted(_rounded(str(each)) for each in rows["estimate"])
        if any(texts):
            found[str(name)] = " ".join(texts)
            if any(text != _rounded(str(rows["reference"].iloc[0])) for text in texts):
                mistaken.add(str(name))
    return found, frozenset(mistaken)


def _rounded(text: str) -> str:
    return _NUMBER.sub(lambda found: f"{float(found.group()):.3f}", text)


def likeness(one: Sketch, other: Sketch) -> str:
    """Say in what two tables are as good as equal; empty if in nothing."""
    if one.content == other.content:
        return "all its rows"
    if one.outputs.shape == other.outputs.shape and one.outputs.size > 1:
        correlation = float(one.outputs @ other.outputs)
        if correlation > 1 - _SAME:
            return f"outputs that correlate by {correlation:.9f}"
    mistakes = one.mistaken | other.mistaken
    shared = sum(one.estimates.get(each) == other.estimates.get(each) for each in mistakes)
    if len(mistakes) >= _FEWEST and shared >= _SHARED * len(mistakes):
        return f"{shared} of {len(mistakes)} mistaken estimates"
    return ""
