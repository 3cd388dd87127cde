"""Beats and downbeats: how well the estimated times of a track agree with the annotated ones.

Times are seconds as they were annotated; nothing is rounded to frames. The measures
are those of mir_eval 0.8.2 (Raffel et al., ISMIR 2014) after Davies, Degara and
Plumbley (technical report C4DM-TR-09-06, 2009). Each metric of a track is a numerator
and a denominator, and the score of a split is the sum of the ones over the sum of the
others: (value, 1) gives a mean over tracks, (2 TP, n_reference + n_estimate) the
F-measure of all their beats together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mir_eval.beat
import numpy as np
import numpy.typing as npt

from marble_eval.errors import near_misses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from marble_eval.data.annotations.beat_files import Beats

#: Every metric; higher is better.
METRICS = (
    "beat_f1", "downbeat_f1",
    "beat_f1_pooled", "downbeat_f1_pooled",
    "beat_f1_20ms", "downbeat_f1_20ms",
    "beat_cmlc", "beat_cmlt", "beat_amlc", "beat_amlt", "beat_information_gain",
    "downbeat_cmlc", "downbeat_cmlt", "downbeat_amlc", "downbeat_amlt",
    "downbeat_information_gain",
)  # fmt: skip

#: The narrow window, in seconds: what MARBLE's paper states (arXiv 2306.10548, §2.2).
NARROW = 0.02

#: No later time is scored, in seconds: mir_eval takes it for another unit.
LATEST = mir_eval.beat.MAX_TIME

_CONTINUITY = ("cmlc", "cmlt", "amlc", "amlt")

Times = npt.NDArray[np.float64]


def beat_counts(
    reference: Beats,
    estimate: Beats,
    metrics: Sequence[str],
    *,
    tolerance: float = 0.07,
    trim_seconds: float = 0.0,
) -> npt.NDArray[np.float64]:
    """Give the numerator and the denominator of each metric of one track.

    Parameters
    ----------
    reference : Beats
        Annotated times in seconds; downbeats empty where they are not annotated.
    estimate : Beats
        Estimated times in seconds.
    metrics : sequence of str
        Some of `METRICS`. Only these are computed.
    tolerance : float
        How far an estimate may lie from the reference to be right, in seconds, for
        ``f1`` and ``f1_pooled``.
    trim_seconds : float
        Beats before this time are left out, of the reference and the estimate alike.

    Returns
    -------
    np.ndarray [shape=(metric, 2), float64]
        In the order of ``metrics``. (value, 1) with a value in [0, 1], (2 TP,
        n_reference + n_estimate) for ``f1_pooled``, and (0, 0) where the reference has
        no such beat: the track then counts nowhere. Higher is better.

    Raises
    ------
    ValueError
        If a metric is unknown, or times do not rise, are not finite or lie behind
        `LATEST`.

    Notes
    -----
    As in mir_eval, an estimate without beats scores 0, and so do continuity and
    information gain where the reference or the estimate has only one beat, which has
    no interval. Information gain is divided by the logarithm of mir_eval's 41 bins; it
    asks how steady the error is, not how small: a constant delay has nearly 1. (Not
    quite: mir_eval divides the error of a beat before the first by the whole track.)

    Examples
    --------
    Every other beat is found, so that precision is 1 and recall one half:

    >>> from marble_eval.data.annotations.beat_files import Beats
    >>> reference = Beats(np.arange(0, 20, 0.5), np.array([]))
    >>> estimate = Beats(np.arange(0, 20, 1.0), np.array([]))
    >>> beat_counts(reference, estimate, ["beat_f1", "beat_f1_pooled", "downbeat_f1"]).round(3)
    array([[ 0.667,  1.   ],
           [40.   , 60.   ],
           [ 0.   ,  0.   ]])
    """
    for name in metrics:
        if name not in METRICS:
            raise ValueError(
                f"a metric of beats must be a known one. Got {name!r}. {near_misses(name, METRICS)}"
            )
    counts: dict[str, tuple[float, float]] = {}
    for event, *pair in zip(("beat", "downbeat"), reference, estimate, strict=True):
        prefix = f"{event}_"
        measures = {each.removeprefix(prefix) for each in metrics if each.startswith(prefix)}
        if measures:
            # Trimming leaves the order alone; what it leaves out is to be right as well.
            one, other = (
                mir_eval.beat.trim_beats(_checked(times, f"{who} {event}s"), trim_seconds)
                for times, who in zip(pair, ("reference", "estimated"), strict=True)
            )
            found = _counts(one, other, measures, tolerance)
            counts |= {prefix + measure: each for measure, each in found.items()}
    return np.array([counts[name] for name in metrics], dtype=np.float64).reshape(-1, 2)


def _checked(times: npt.ArrayLike, who: str) -> Times:
    """Return the times as an array; refuse what mir_eval would score wrongly, or not at all."""
    seconds = np.asarray(times, dtype=np.float64)
    # Two beats at one time have no interval, by which mir_eval divides.
    if seconds.ndim != 1 or not np.isfinite(seconds).all() or (np.diff(seconds) <= 0).any():
        raise ValueError(f"{who} must be finite times in seconds that rise. Got {seconds!r}.")
    if seconds.size and seconds[-1] > LATEST:
        raise ValueError(f"{who} must lie before {LATEST:g} seconds. Got {float(seconds[-1])!r}.")
    return seconds


def _counts(
    reference: Times, estimate: Times, measures: set[str], tolerance: float
) -> dict[str, tuple[float, float]]:
    if not reference.size:
        return dict.fromkeys(measures, (0.0, 0.0))
    values: dict[str, Any] = {}
    for measure, window in (("f1", tolerance), ("f1_20ms", NARROW)):
        if measure in measures:
            values[measure] = _f_measure(reference, estimate, window)
    has_intervals = min(reference.size, estimate.size) > 1
    if measures & set(_CONTINUITY):
        found = mir_eval.beat.continuity(reference, estimate) if has_intervals else (0.0,) * 4
        values |= zip(_CONTINUITY, found, strict=True)
    if "information_gain" in measures:
        values["information_gain"] = (
            mir_eval.beat.information_gain(reference, estimate) if has_intervals else 0.0
        )
    counts = {measure: (float(value), 1.0) for measure, value in values.items()}
    if "f1_pooled" in measures:
        right = matched(reference, estimate, tolerance)
        counts["f1_pooled"] = (2.0 * right, float(reference.size + estimate.size))
    return counts


def _f_measure(reference: Times, estimate: Times, window: float) -> float:
    # mir_eval has the same 0 for no estimate, with a warning.
    if not estimate.size:
        return 0.0
    return float(mir_eval.beat.f_measure(reference, estimate, f_measure_threshold=window))


def matched(reference: npt.ArrayLike, estimate: npt.ArrayLike, window: float) -> int:
    """Count the pairs of the largest one-to-one matching of rising times within a window (s).

    Equal to ``len(mir_eval.util.match_events(reference, estimate, window))``, which searches a
    graph. In times that rise, whatever is too early for the next of the others is too early for
    all that follow, and may be dropped; any two that are near enough may be paired. So one pass in
    O(n + m) finds as many.

    Examples
    --------
    One estimate cannot be two beats:

    >>> matched([1.0, 1.05, 2.0], [1.02, 2.07], 0.07)
    2
    """
    # Lists of floats: single elements of arrays are slow to get.
    references = np.asarray(reference, dtype=np.float64).tolist()
    estimates = np.asarray(estimate, dtype=np.float64).tolist()
    pairs = at = 0
    for time in estimates:
        # The bounds are rounded as mir_eval rounds them, or ties would be told differently.
        earliest, latest = time - window, time + window
        while at < len(references) and references[at] < earliest:
            at += 1
        if at < len(references) and references[at] <= latest:
            pairs += 1
            at += 1
    return pairs


def likelihood(activations: np.ndarray, targets: np.ndarray) -> float:
    """Return how sure outputs (frame, event) are of what is right: exp(-binary cross-entropy).

    Targets are from 0 to 1, nan where nothing is known; 1 where nothing is known at all.
    """
    known = np.isfinite(targets)
    if not known.any():
        return 1.0
    right = np.clip(activations[known], 1e-7, 1 - 1e-7)
    wanted = np.asarray(targets[known], dtype=np.float64)
    return float(np.exp(np.mean(wanted * np.log(right) + (1 - wanted) * np.log(1 - right))))
