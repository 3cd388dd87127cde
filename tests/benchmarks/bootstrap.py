"""Time resampled scores of tags against scikit-learn, asked once a tag and resample.

50 tags on 5,000 tracks, from one in three to one in a hundred tracks, under 1,000 bootstrap
resamples. A thousand would take scikit-learn minutes, so it gets a few, the first
ones, and the ratio is that of the seconds a resample. Both are timed in turn, in CPU seconds
of one process, since those suffer least from a busy neighbour; that both give the same
scores is looked at too. The goal is seconds for the whole.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import sys
import time
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from marble_eval.metrics.tagging import average_precision, roc_auc
from marble_eval.scores.statistics import bootstrap_weights

if TYPE_CHECKING:
    from collections.abc import Callable

_METRICS: dict[str, tuple[Callable[..., np.ndarray], Callable[..., float]]] = {
    "roc_auc": (roc_auc, roc_auc_score),
    "average_precision": (average_precision, average_precision_score),
}


class MetricTimes(NamedTuple):
    """One metric, resampled both ways.

    Attributes
    ----------
    metric : str
        Its name.
    clock, cpu : float
        Seconds for all resamples at once.
    foreign_cpu : float
        Seconds of scikit-learn for its few.
    ratio : float
        How many times as long a resample takes scikit-learn, in CPU seconds.
    apart : float
        Largest difference of the two on one resample.
    """

    metric: str
    clock: float
    cpu: float
    foreign_cpu: float
    ratio: float
    apart: float


class BootstrapRatio(NamedTuple):
    """Resampled scores against scikit-learn's.

    Attributes
    ----------
    tags, tracks, resamples, few : int
        What is scored, and how many resamples scikit-learn gets.
    drawn : float
        CPU seconds to draw the resamples.
    metrics : tuple of MetricTimes
        Medians over the rounds.
    rounds : int
        How often each side was timed.
    """

    tags: int
    tracks: int
    resamples: int
    few: int
    drawn: float
    metrics: tuple[MetricTimes, ...]
    rounds: int

    def __str__(self) -> str:
        each = "; ".join(
            f"{at.metric} {at.clock:.2f} s ({at.cpu:.2f} CPU s), scikit-learn {at.foreign_cpu:.2f} "
            f"CPU s for {self.few}, {at.ratio:.0f} times as long a resample, "
            f"scores {at.apart:.0e} apart"
            for at in self.metrics
        )
        return (
            f"{self.tags} tags x {self.tracks} tracks x {self.resamples} resamples, drawn in "
            f"{self.drawn:.2f} CPU s: {each}; median of {self.rounds}"
        )


def bootstrap_ratio(
    *,
    tags: int = 50,
    tracks: int = 5000,
    resamples: int = 1000,
    few: int = 3,
    rounds: int = 3,
) -> BootstrapRatio:
    """Time resampled scores and scikit-learn's in turn.

    Parameters
    ----------
    tags, tracks, resamples : int
        What is scored.
    few : int
        Resamples that scikit-learn gets.
    rounds : int
        How often each side is timed.

    Returns
    -------
    BootstrapRatio
        The figures; ``str`` makes a line of them.
    """
    generator = np.random.default_rng(0)
    reference = generator.random((tracks, tags)) < np.geomspace(1 / 3, 1 / 100, tags)
    scores = generator.standard_normal((tracks, tags)) + reference
    start = time.process_time()
    weights = bootstrap_weights(range(tracks), resamples=resamples, seed=0)
    drawn = time.process_time() - start
    metrics = tuple(
        _times(name, reference, scores, weights, few=few, rounds=rounds) for name in _METRICS
    )
    return BootstrapRatio(tags, tracks, resamples, few, drawn, metrics, rounds)


def _times(
    name: str,
    reference: np.ndarray,
    scores: np.ndarray,
    weights: np.ndarray,
    *,
    few: int,
    rounds: int,
) -> MetricTimes:
    ours, theirs = _METRICS[name]
    times = []
    for _ in range(rounds):
        clock, cpu = time.perf_counter(), time.process_time()
        found = ours(reference, scores, weights=weights)
        clock, cpu = time.perf_counter() - clock, time.process_time() - cpu
        start = time.process_time()
        expected = [_asked(theirs, reference, scores, row) for row in weights[:few]]
        times.append((clock, cpu, time.process_time() - start))
    apart = float(np.abs(found[:few] - expected).max())
    clock, cpu, foreign = (median(each) for each in zip(*times, strict=True))
    of_rounds = [(foreign / few) / (cpu / len(weights)) for _, cpu, foreign in times]
    return MetricTimes(name, clock, cpu, foreign, median(of_rounds), apart)


def _asked(
    metric: Callable[..., float], reference: np.ndarray, scores: np.ndarray, row: np.ndarray
) -> float:
    """Ask scikit-learn about every tag, and take the mean."""
    columns = zip(reference.T, scores.T, strict=True)
    return float(np.mean([metric(*each, sample_weight=row) for each in columns]))


def main() -> None:
    """Time resampled scores from the command line."""
    parser = argparse.ArgumentParser(description="Time resampled scores against scikit-learn.")
    parser.add_argument("--tags", type=int, default=50, help="tags (50)")
    parser.add_argument("--tracks", type=int, default=5000, help="tracks (5000)")
    parser.add_argument("--resamples", type=int, default=1000, help="resamples (1000)")
    parser.add_argument("--few", type=int, default=3, help="resamples of scikit-learn (3)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is timed (3)")
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.info(
        "%s, %s cores, load %.2f before the start, %s",
        *(platform.processor() or platform.machine(), os.cpu_count(), os.getloadavg()[0]),
        " ".join(["python -m tests.benchmarks.bootstrap", *sys.argv[1:]]),
    )
    logging.info("%s", bootstrap_ratio(**vars(chosen)))


if __name__ == "__main__":
    main()
