"""Beats from an activation by the bar-pointer model: a steady tempo that may drift.

A beat period is divided into parts, of which the first expects the activation to be
high, the others low. Periods have whole numbers of frames; from one to the next the
tempo may change, large changes being unlikely. The same model with a tempo of bars
finds downbeats.

States: Krebs, Böck and Widmer (ISMIR 2015). Observations: Böck, Krebs and Widmer (ISMIR
2014). Beats are the largest values inside the first parts, as in madmom's
DBNBeatTrackingProcessor with ``correct=True``; its ``threshold`` is not here.
"""

from __future__ import annotations

import math

import numpy as np

from marble_eval.decoding.semi_markov import PeriodModel, likeliest_periods

#: Least distance of a probability from 0 and 1: in float32 nothing below 1 is nearer. A
#: saturated output in a wrong place would otherwise forbid every path.
_MARGIN = 2.0**-24


def decode_beats(
    activation: np.ndarray,
    rate: float,
    *,
    tempo: tuple[float, float],
    transition_lambda: float,
    observation_lambda: int,
) -> np.ndarray:
    """Find the beats of a whole track, or its downbeats with a tempo of bars: times in seconds.

    ``activation`` (frame,) are probabilities, ``tempo`` the slowest and fastest in beats a minute;
    the lambdas are those of `beat_model`. Probabilities are taken as no nearer to 0 and 1 than
    2^-24, where madmom finds no path. An activation that is zero everywhere has no beats. The
    first call of a process compiles for about a second.

    Examples
    --------
    >>> activation = np.full(100, 0.01)
    >>> activation[[10, 35, 60, 85]] = 0.9
    >>> rules = {"transition_lambda": 100, "observation_lambda": 16}
    >>> decode_beats(activation, 50, tempo=(55, 215), **rules).tolist()
    [0.2, 0.7, 1.2, 1.7]
    """
    model = beat_model(
        rate,
        tempo=tempo,
        transition_lambda=transition_lambda,
        observation_lambda=observation_lambda,
    )
    densities = log_densities(activation, observation_lambda)
    if not activation.any():
        return np.empty(0)
    starts, choices, _ = likeliest_periods(densities, model)
    ends = np.minimum(starts + model.first_frames[choices], len(activation))
    beats = [
        start + int(activation[start:end].argmax())
        for start, end in zip(np.maximum(starts, 0).tolist(), ends.tolist(), strict=True)
        if start < end
    ]
    return np.array(beats, dtype=np.float64) / rate


def beat_model(
    rate: float, *, tempo: tuple[float, float], transition_lambda: float, observation_lambda: int
) -> PeriodModel:
    """Give the periods of a range of tempo, and how likely one follows another.

    Intervals are all whole numbers of frames between those of the tempo, which are rounded.
    Interval b follows a with a probability proportional to exp(-transition_lambda |b / a - 1|), or
    never if that is 2^-52 or less. Frame f of an interval a belongs to its first part if
    f / a < 1 / observation_lambda. madmom computes f / a in rounded arithmetic, which gives some
    intervals one frame more in the first part: with 16 parts only those of 784 frames or more.
    """
    _check_rules(rate, tempo, transition_lambda, observation_lambda)
    slowest, fastest = tempo
    intervals = np.arange(round(60.0 * rate / fastest), round(60.0 * rate / slowest) + 1)
    ratios = intervals / intervals[:, np.newaxis]
    transitions = np.exp(-transition_lambda * np.abs(ratios - 1))
    transitions[transitions <= np.spacing(1.0)] = 0
    transitions /= transitions.sum(axis=1, keepdims=True)
    log_transitions = np.full(transitions.shape, -np.inf)
    np.log(transitions, out=log_transitions, where=transitions > 0)
    return PeriodModel(intervals, -(-intervals // observation_lambda), log_transitions)


def log_densities(activation: np.ndarray, observation_lambda: int) -> np.ndarray:
    """Give how well each frame fits the first part of a beat period, and the others: (frame, 2).

    log p and log((1 - p) / (observation_lambda - 1)), all finite.
    """
    if activation.ndim != 1:
        raise ValueError(f"activation must have shape (frame,). Got {activation.shape}.")
    # Asked so that nan is refused too.
    if not ((activation >= 0) & (activation <= 1)).all():
        raise ValueError(
            "activation must hold probabilities from 0 to 1; logits need the sigmoid first. "
            f"Got {activation.min()} to {activation.max()}."
        )
    probability = np.clip(activation.astype(np.float64), _MARGIN, 1 - _MARGIN)
    return np.log(np.stack((probability, (1 - probability) / (observation_lambda - 1)), axis=1))


def _check_rules(
    rate: float, tempo: tuple[float, float], transition_lambda: float, observation_lambda: int
) -> None:
    if not (rate > 0 and math.isfinite(rate)):
        raise ValueError(f"rate must be positive and finite. Got {rate!r}.")
    slowest, fastest = tempo
    if not 0 < slowest <= fastest <= 30 * rate:
        raise ValueError(
            f"tempo must rise from above 0 to at most {30 * rate:g}, which is two frames a beat "
            f"at {rate:g} Hz. Got {tempo!r}."
        )
    if not (transition_lambda > 0 and math.isfinite(transition_lambda)):
        raise ValueError(
            f"transition_lambda must be positive and finite. Got {transition_lambda!r}."
        )
    if not (isinstance(observation_lambda, int) and observation_lambda >= 2):
        raise ValueError(
            f"observation_lambda must be an integer of 2 or more. Got {observation_lambda!r}."
        )
