"""Whether two results differ: a paired interval and a paired test on the same items.

The interval resamples the items for both at once. The permutation test swaps the two
estimates of items at random, which changes nothing if the encoders are as good as each
other (Noreen 1989; Dror et al. 2018); items of one group are swapped together. Both are about
the items; what another seed would do stands apart, as the spread over the seeds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from marble_eval.errors import ValidationError
from marble_eval.scores.split_scores import LEVEL, SEED
from marble_eval.scores.statistics import (
    bootstrap_interval,
    bootstrap_p,
    holm,
    permutation_p,
    swaps,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from marble_eval.scores.rescoring import StoredScores

PERMUTATIONS = 2000


@dataclass(frozen=True)
class Side:
    """One of two results: who, and what it scored."""

    encoder: str
    revision: str
    protocol: str
    probe: str
    layer: str
    value: float
    seed_spread: float
    seeds: int


@dataclass(frozen=True)
class Difference:
    """The second result's score less the first's, on the same items.

    Attributes
    ----------
    task : str
        Name and version.
    metric : str
        What was scored.
    unit : {"percent", "dB", "1"}
        Its unit in tables.
    higher_is_better : bool
        Its direction.
    items, groups : int
        Test items, and groups that were resampled and swapped.
    left_out : int
        Items that one of the two lacks.
    first, second : Side
        The two.
    difference, low, high : float
        Second less first, with its interval.
    level : float
        Share inside the interval.
    p_bootstrap, p_permutation : float
        Two-sided; the chance of such a difference if there is none.
    p_holm : float
        The permutation's, adjusted by Holm over all tasks compared.
    undefined : int
        Resamples on which one of the two has no value; the interval is without them.
    """

    task: str
    metric: str
    unit: str
    higher_is_better: bool
    items: int
    groups: int
    left_out: int
    first: Side
    second: Side
    difference: float
    low: float
    high: float
    level: float
    p_bootstrap: float
    p_permutation: float
    p_holm: float
    undefined: int = 0

    @property
    def verdict(self) -> str:
        """Say in words what the adjusted test says."""
        if self.p_holm >= 1 - self.level:
            return "no difference shown"
        better = self.difference > 0 if self.higher_is_better else self.difference < 0
        return f"{'second' if better else 'first'} is better"


def difference_of(
    first: StoredScores,
    second: StoredScores,
    metric: str,
    *,
    permutations: int = PERMUTATIONS,
    left_out: int = 0,
) -> Difference:
    """Test the difference of two results on the same items.

    Parameters
    ----------
    first, second : StoredScores
        From `marble_eval.scores.comparison.pairing.on_common_items`.
    metric : str
        One that both can give.
    permutations : int
        How many swaps are tried.
    left_out : int
        Items that one of the two lacks.

    Returns
    -------
    Difference
        Its ``p_holm`` is that of one test alone.

    Raises
    ------
    SpecError
        If one of the two has no such metric.
    ValidationError
        If their items cannot be scored by it, or no resample of them can.
    """
    values = [each.values(metric) for each in (first, second)]
    observed = float(values[1].mean() - values[0].mean())
    resampled = second.bootstrap(metric) - first.bootstrap(metric)
    if np.isnan(resampled).all():
        raise ValidationError(
            f"{first.result.task.name}: must have test items on which {metric} of both results "
            f"can be resampled. Got none in {len(resampled)} resamples. Compare by another metric."
        )
    groups = first.groups_of(metric)
    interval = bootstrap_interval(resampled, LEVEL, groups=len(set(groups)), observed=observed)
    drawn = swaps(groups, permutations=permutations, seed=SEED)
    p_value = permutation_p(
        observed,
        second.swapped(first, metric, drawn),
        exact=len(drawn) == 2 ** len(set(groups)),
    )
    task = first.result.task
    return Difference(
        task=f"{task.name}@{task.version}",
        metric=metric,
        unit=first.metrics[metric].unit,
        higher_is_better=first.metrics[metric].higher_is_better,
        items=len(groups),
        groups=len(set(groups)),
        left_out=left_out,
        first=_side(first, values[0]),
        second=_side(second, values[1]),
        difference=observed,
        low=interval.low,
        high=interval.high,
        level=LEVEL,
        p_bootstrap=bootstrap_p(resampled, groups=len(set(groups))),
        p_permutation=p_value,
        p_holm=p_value,
        undefined=interval.undefined,
    )


def _side(stored: StoredScores, values: np.ndarray) -> Side:
    result = stored.result
    return Side(
        encoder=result.encoder.name,
        revision=result.encoder.revision,
        protocol=result.protocol.name,
        probe=result.probe.name,
        layer=result.chosen.layer,
        value=float(values.mean()),
        seed_spread=float(values.std(ddof=1)) if len(values) > 1 else 0.0,
        seeds=len(values),
    )


def adjusted(differences: Sequence[Difference]) -> list[Difference]:
    """Adjust the p values of all tests for their number (Holm 1979).

    Parameters
    ----------
    differences : sequence of Difference
        All that were tested.

    Returns
    -------
    list of Difference
        In the same order, with ``p_holm``.
    """
    values = holm(np.array([each.p_permutation for each in differences]))
    return [
        replace(each, p_holm=float(value)) for each, value in zip(differences, values, strict=True)
    ]
