"""How often intervals and ties hold the truth: plain percentiles against the methods in use.

    python -m tests.benchmarks.coverage [DATA SETS]

Simulated data sets with a known truth: accuracy in groups with a chance each, R² of items one
by one and in groups, and 14 layers that are truly equal.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from marble_eval.scores.statistics import (
    bootstrap_interval,
    bootstrap_weights,
    left_out_weights,
    tied_with_best,
)

Reals = npt.NDArray[np.float64]
Statistic = Callable[[Reals], Reals]  # weights of groups (row, group) -> scores (row,)
Draw = Callable[[np.random.Generator], Statistic]


def accuracy(groups: int, items: int, chance: float, correlation: float) -> Draw:
    """Draw hits of groups whose own chance follows a beta distribution."""
    total = (1 - correlation) / correlation

    def draw(generator: np.random.Generator) -> Statistic:
        own = generator.beta(chance * total, (1 - chance) * total, groups)
        hits = generator.binomial(items, own)
        return lambda weights: weights @ hits / (items * weights.sum(axis=1))

    return draw


def r2(groups: int, items: int, share: float, correlation: float) -> Draw:
    """Draw targets and estimates that explain a share of their variance."""

    def normal(generator: np.random.Generator) -> Reals:
        common = np.repeat(generator.standard_normal(groups), items)
        own = generator.standard_normal(groups * items)
        return np.asarray(np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own)

    def draw(generator: np.random.Generator) -> Statistic:
        estimate = np.sqrt(share) * normal(generator)
        target = estimate + np.sqrt(1 - share) * normal(generator)
        columns = (np.ones_like(target), target, target**2, (target - estimate) ** 2)
        sums = [each.reshape(groups, items).sum(axis=1) for each in columns]

        def score(weights: Reals) -> Reals:
            count, first, second, error = (weights @ each for each in sums)
            return np.asarray(1 - error / (second - first**2 / count))

        return score

    return draw


def covered(draw: Draw, groups: int, truth: float, sets: int) -> tuple[float, float]:
    """Count how often plain percentiles and our interval hold the truth, in percent."""
    weights, without = bootstrap_weights(range(groups), seed=1), left_out_weights(range(groups))
    generator = np.random.default_rng(2)
    plain = ours = 0
    for _ in range(sets):
        score = draw(generator)
        resampled = score(weights)
        low, high = np.percentile(resampled, [2.5, 97.5])
        plain += low <= truth <= high
        observed = float(score(np.ones((1, groups)))[0])
        interval = bootstrap_interval(
            resampled, 0.95, groups=groups, observed=observed, left_out=score(without)
        )
        ours += interval.low <= truth <= interval.high
    return 100 * plain / sets, 100 * ours / sets


def tied(items: int, groups: int, sets: int) -> tuple[float, float, float]:
    """Count ties of 14 equal layers, in percent: one by one with the largest, each, all."""
    names = np.arange(items) % groups
    weights = bootstrap_weights(names, seed=1)
    generator = np.random.default_rng(2)
    pairs = each = every = 0.0
    for _ in range(sets):
        hard = generator.standard_normal((items, 1)) + generator.standard_normal((items, 14))
        hits = (hard < np.sqrt(2) * norm.ppf(0.7)).astype(float)
        values, draws = hits.mean(axis=0), (weights @ hits / weights.sum(axis=1, keepdims=True)).T
        ends = np.percentile(draws[values.argmax()] - draws, [2.5, 97.5], axis=1)
        pairs += ((ends[0] <= 1e-12) & (ends[1] >= -1e-12)).mean()
        found = tied_with_best(values, draws, groups=groups)
        each, every = each + found.mean(), every + found.all()
    return 100 * pairs / sets, 100 * each / sets, 100 * every / sets


def main(sets: int) -> None:
    """Print both tables."""
    cases = {
        f"accuracy, {groups} groups of {items}, {chance:g}, correlation {correlation:g}": (
            accuracy(groups, items, chance, correlation),
            groups,
            chance,
        )
        for groups in (8, 16, 32)
        for items, chance, correlation in ((12, 0.7, 0.2), (6, 0.8, 0.1), (12, 0.5, 0.4))
    }
    for groups, items, correlation in ((8, 12, 0.2), (16, 12, 0.2), (96, 1, 0.0), (200, 1, 0.0)):
        for share in (0.2, 0.5, 0.8):
            name = f"R2 {share:g}, {groups} groups of {items}"
            cases[name] = r2(groups, items, share, correlation), groups, share
    sys.stdout.write(f"{'coverage, %':<52}  percentiles   now\n")
    for name, (draw, groups, truth) in cases.items():
        plain, ours = covered(draw, groups, truth, sets)
        sys.stdout.write(f"{name:<52}  {plain:11.1f}  {ours:4.1f}\n")
    sys.stdout.write(f"\n{'14 equal layers tied, %':<30}  pairwise   each   all\n")
    for items, groups in ((48, 48), (197, 197), (96, 16)):
        found = tied(items, groups, max(1, sets // 4))
        cells = "  ".join(f"{value:5.1f}" for value in found)
        sys.stdout.write(f"{f'{items} items in {groups} groups':<30}     {cells}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
