"""The most likely path of a hidden Markov model whose states only count up inside a period.

A state is (interval, phase): the length of a period in whole frames, and how many of
them have passed. Inside a period the phase goes on by one; at its end any interval may
follow, each with its probability. The first frames of a period are observed by one
density, the others by a second one. So whole periods are the states of a semi-Markov
chain, and the Viterbi recursion goes from period to period with densities that are
summed in advance. Nothing is approximated: the path is that of the full model, whose
states are numbered by interval, then phase.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

#: Log probabilities are rounded to multiples of this. Then their sums are exact in float64
#: (up to an hour of 100 frames a second), so sums in another order are the same, and
#: equally likely paths are equal on every machine.
_STEP = 2.0**-30


class PeriodModel(NamedTuple):
    """The periods that there are.

    Lengths in frames, rising (interval,); how many frames at the beginning of each have the first
    density (interval,); log probabilities of one interval (row) being followed by another, -inf
    where it cannot be. In each row the possible ones are neighbours, and the interval itself is
    among them.
    """

    intervals: np.ndarray
    first_frames: np.ndarray
    log_transitions: np.ndarray


class Periods(NamedTuple):
    """A path through the states, as periods.

    First frame of each, negative if it was under way when the track began; which of the model's
    intervals each has, of which the last may reach behind the track; the natural logarithm of the
    joint probability of path and observations.
    """

    starts: np.ndarray
    choices: np.ndarray
    log_probability: float


def likeliest_periods(log_densities: np.ndarray, model: PeriodModel) -> Periods:
    """Find the most likely path, from the log densities (frame, 2) of first frames and of others.

    Of equally likely paths the one that ends in the state of the lowest number, and comes to it
    from the lowest. All states are equally likely before the first frame, from which one step of
    the model leads to it, as in madmom. Time grows with frames x possible transitions, memory with
    frames x intervals: one byte each up to 256 intervals.

    Examples
    --------
    Periods of two frames, and an observation that fits every second frame:

    >>> model = PeriodModel(np.array([2]), np.array([1]), np.array([[0.0]]))
    >>> fits = np.log([[0.1, 0.9], [0.9, 0.1], [0.1, 0.9], [0.9, 0.1]])
    >>> likeliest_periods(fits, model).starts.tolist()
    [-1, 1, 3]
    """
    if log_densities.ndim != 2 or log_densities.shape[1] != 2 or len(log_densities) == 0:
        raise ValueError(
            "log_densities must have shape (frame, 2) with a frame or more. "
            f"Got {log_densities.shape}."
        )
    if not np.isfinite(log_densities).all():
        raise ValueError("log_densities must be finite. Got nan or infinity.")
    frames = len(log_densities)
    model = model._replace(log_transitions=_rounded(model.log_transitions))
    first, others = _sums(log_densities, int(model.intervals[-1]))
    scores = _scores_at_the_beginning(model)
    pointers = np.zeros((frames, scores.shape[1]), np.min_scalar_type(scores.shape[1] - 1))
    possible = np.isfinite(model.log_transitions)
    bands = np.stack((possible.argmax(axis=1), possible.cumsum(axis=1).argmax(axis=1) + 1))
    _compiled()(scores, pointers, first, others, *model, bands)
    start, choice, score = _best_end(scores, first, others, model)
    path = [(start, choice)]
    while start > 0:
        choice = int(pointers[start, choice])
        start -= int(model.intervals[choice])
        path.append((start, choice))
    starts, choices = np.array(path[::-1]).T
    return Periods(starts, choices, score)


def _rounded(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.round(values / _STEP) * _STEP)


def _sums(log_densities: np.ndarray, longest: int) -> tuple[np.ndarray, np.ndarray]:
    """Sum both densities up to each frame, from `longest` before the first, where they are 0."""
    sums = np.zeros((2, longest + 1 + len(log_densities)))
    np.cumsum(_rounded(log_densities.T), axis=1, out=sums[:, longest + 1 :])
    return sums[0], sums[1]


def _scores_at_the_beginning(model: PeriodModel) -> np.ndarray:
    """Give the scores of periods that begin with the first frame, and before it.

    They are a ring: the row (longest + frame) modulo its length holds, for each
    interval, the best score of a path to a period that begins with the frame, before
    the frame is observed.
    """
    longest = int(model.intervals[-1])
    prior = _rounded(np.array(-math.log(model.intervals.sum())))
    scores = np.full((longest + 1, len(model.intervals)), prior)
    scores[longest] += model.log_transitions.max(axis=0)
    return scores


def _advance(
    scores: np.ndarray,
    pointers: np.ndarray,
    first: np.ndarray,
    others: np.ndarray,
    intervals: np.ndarray,
    first_frames: np.ndarray,
    log_transitions: np.ndarray,
    bands: np.ndarray,
) -> None:
    """Fill in, for every frame, how well and from where each interval begins with it."""
    count, size = len(intervals), len(scores)
    ended = np.empty(count)
    sources = np.zeros(count, np.int64)
    for frame in range(1, len(pointers)):
        end = size - 1 + frame
        for i in range(count):
            start = end - intervals[i]
            middle = start + first_frames[i]
            observed = (first[middle] - first[start]) + (others[end] - others[middle])
            ended[i] = scores[start % size, i] + observed
        row = scores[end % size]
        row[:] = -np.inf
        for i in range(count):
            for k in range(bands[0, i], bands[1, i]):
                score = ended[i] + log_transitions[i, k]
                better = score > row[k]
                # Two choices and no branch: so they become vector instructions.
                sources[k] = i if better else sources[k]
                row[k] = score if better else row[k]
        # A loop, since numba takes 2 s to compile the assignment of one array to another.
        for k in range(count):
            pointers[frame, k] = sources[k]


@functools.cache
def _compiled() -> Callable[..., None]:
    """Compile the recursion, once a process.

    It is not kept on disk: numba refuses to, where it may write neither beside the
    module nor below the home (its issue 5566).
    """
    import numba  # noqa: PLC0415 (it loads slowly, and only decoding needs it)

    compiled: Callable[..., None] = numba.njit(nogil=True)(_advance)
    return compiled


def _best_end(
    scores: np.ndarray, first: np.ndarray, others: np.ndarray, model: PeriodModel
) -> tuple[int, int, float]:
    """Give the start, the choice and the score of the best period to be in at the last frame."""
    longest, end = int(model.intervals[-1]), len(first) - 1
    choices = np.arange(len(model.intervals))[:, np.newaxis]
    phases = np.arange(longest)
    starts = end - 1 - phases
    middles = np.minimum(starts + model.first_frames[choices], end)
    totals = scores[starts % len(scores), choices]  # (interval, phase), as the states are numbered
    totals += (first[middles] - first[starts]) + (others[end] - others[middles])
    totals[phases >= model.intervals[choices]] = -np.inf
    choice, phase = divmod(int(totals.argmax()), longest)
    return int(starts[phase]) - longest, choice, float(totals[choice, phase])
