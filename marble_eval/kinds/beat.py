"""Beat: the times of beats and downbeats in a track, from two outputs a frame.

Targets are 1 in the frame nearest to an event, and in training a little less in the
frames beside it. Outputs are brought to one frame rate for every encoder and decoded
for the whole track at once: by a dynamic Bayesian network, downbeats in the range of
bars and not of beats, or by their peaks. Scores are of times as they were annotated.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit

from marble_eval.data.annotations.beat_files import checked_beats, read_beats
from marble_eval.data.annotations.beats import Beats, beats_of, beats_text
from marble_eval.data.layouts import Reading, read_layouts
from marble_eval.data.layouts.jsonl import below
from marble_eval.decoding.bar_pointer import decode_beats
from marble_eval.decoding.interpolation import interpolated
from marble_eval.decoding.peaks import pick_peaks, relative_threshold
from marble_eval.metrics.beat import LATEST, METRICS, NARROW, beat_counts, likelihood
from marble_eval.spec import FrameRules, TaskRules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from marble_eval.data.layouts import Lists
    from marble_eval.spec import TaskSpec, Track

FRAMES = True
LOSS = "binary-cross-entropy"
# A long track is cut; a second is heard on both sides, so that the cut does not show.
RULES = TaskRules(clip_seconds=30.0, batch_of="clips", frames=FrameRules(context_seconds=1.0))
SCALED = False
AGGREGATIONS = ("mean-logits",)
LABELS = ("beat", "downbeat")
DRAFT = "F-measure of peaks, with a tenth of likelihood,"
_LEAST = 0.05  # probability below which nothing is a beat: silence has peaks too
_BESIDES, _SURE = 0.01, 0.1  # what the other event counts in it, and the likelihood

annotation_of = beats_of
text_of = beats_text


def metrics_of(spec: TaskSpec) -> dict[str, bool]:
    """Name every metric of the kind, and say whether higher is better."""
    return dict.fromkeys(METRICS, True)


def columns_of(spec: TaskSpec) -> tuple[str, ...]:
    """Name the column of a table that names the file of beats."""
    return ("beats",)


def read_tracks(root: Path, spec: TaskSpec, lists: Lists) -> list[Track]:
    """Read the tracks; see `marble_eval.data.layouts.read_layouts`."""
    return read_layouts(Reading(root, spec, lists, partial(label_of, root=root), columns_of(spec)))


def label_of(row: Mapping[str, Any], field: str, spec: TaskSpec, *, root: Path) -> str:
    """Read the beats of a track.

    Parameters
    ----------
    row : mapping of str to object
        A row of a table, with the name of a file of beats under ``beats``; or of JSON,
        with that name or the times themselves there or under ``field``: a mapping with
        ``beat`` and ``downbeat`` as MARBLE v2 has it, or ``beats`` and ``downbeats``, in
        seconds.
    field : str
        Where they stand in a row without ``beats``.
    spec, root
        The card; the folder that names of files start from.

    Returns
    -------
    str
        The canonical text, `marble_eval.data.annotations.beats.beats_text`.

    Raises
    ------
    ValueError
        If there are no beats, or a file or its times break a rule.

    Examples
    --------
    >>> from marble_eval.spec import TaskSpec
    >>> row = {"label": {"beat": [0.5, 1], "downbeat": [0.5], "tempo": 120.0, "meter": "4/4"}}
    >>> label_of(row, "label", TaskSpec(name="Mine", kind="beat"), root=Path("."))
    '{"beats":[0.5,1.0],"downbeats":[0.5]}'
    """
    name = next((each for each in columns_of(spec) if each in row), field)
    value = row.get(name)
    try:
        if isinstance(value, str) and value:
            return _text(read_beats(below(root, PurePosixPath(value))))
        if isinstance(value, Mapping):
            downbeats = value.get("downbeats", value.get("downbeat", ()))
            return _text(checked_beats(value.get("beats", value.get("beat")), downbeats))
    except ValueError as error:
        raise ValueError(f"{name!r}: {error}") from None
    raise ValueError(
        f"{name!r} must name a file of beats below {root}, or be the times themselves, such as "
        f'{{"beats": [0.5, 1.0], "downbeats": [0.5]}}. Got {value!r}.'
    )


def _text(beats: Beats) -> str:
    latest = max(times.max(initial=0.0) for times in beats)
    if latest > LATEST:
        raise ValueError(f"times must be seconds, none later than {LATEST:g}. Got {latest:g}.")
    return text_of(beats)


def labels_of(tracks: Sequence[Track], spec: TaskSpec) -> tuple[str, ...]:
    """Name the two events, whether downbeats are annotated or not."""
    return LABELS


def outputs(spec: TaskSpec) -> int:
    """Return how many outputs a probe needs for a frame: one an event."""
    return len(LABELS)


def encode(
    annotation: Beats, frames: int, rate: float, spec: TaskSpec, rules: FrameRules, *, widened: bool
) -> np.ndarray:
    """Turn the beats of one track into targets of its frames.

    Parameters
    ----------
    annotation : Beats
        Times in seconds.
    frames : int
        How many frames the track has, at least 1.
    rate : float
        Frames per second, in Hz; frame i stands for the time i / rate.
    spec, rules
        The card; ``widening``, what the frames beside an event get.
    widened : bool
        Whether they get it: for training.

    Returns
    -------
    np.ndarray [shape=(frame, 2), float32]
        Of beats and downbeats, in [0, 1]: 1 in the frame nearest to an event; the
        larger target where two events meet. The column of downbeats is nan where they
        are not annotated, and is not trained on.

    Examples
    --------
    >>> from marble_eval.spec import FrameRules, TaskSpec
    >>> beats = Beats(np.array([0.2, 0.8]), np.array([0.2]))
    >>> spec = TaskSpec(name="Mine", kind="beat")
    >>> encode(beats, 6, 5.0, spec, FrameRules(), widened=True).T
    array([[0.5 , 1.  , 0.5 , 0.5 , 1.  , 0.5 ],
           [0.5 , 1.  , 0.5 , 0.25, 0.  , 0.  ]], dtype=float32)
    """
    targets = np.zeros((frames, len(LABELS)), dtype=np.float32)
    heights = (1.0, *(rules.widening if widened else ()))
    for column, times in zip(targets.T, annotation, strict=True):
        at = _nearest_frames(times, frames, rate)
        for distance, height in enumerate(heights):
            beside = np.concatenate([at - distance, at + distance])
            beside = beside[(beside >= 0) & (beside < frames)]
            column[beside] = np.maximum(column[beside], height)
    if not annotation.downbeats.size:
        targets[:, LABELS.index("downbeat")] = np.nan
    return targets


def _nearest_frames(times: np.ndarray, frames: int, rate: float) -> np.ndarray:
    """Give the frame of each event, halves upwards; leave out those behind the end."""
    nearest = np.floor(times * rate + 0.5).astype(np.int64)
    # The last frame lasts until frames / rate: what is nearer to that moment, which has no
    # frame of its own, still sounds in it. MARBLE v2 dropped such beats.
    return np.minimum(nearest[nearest <= frames], frames - 1)


def decode(logits: np.ndarray, rate: float, spec: TaskSpec, rules: FrameRules) -> Beats:
    """Find the beats and downbeats of one whole track.

    Parameters
    ----------
    logits : np.ndarray [shape=(frame, 2)]
        Outputs of a probe before the sigmoid.
    rate : float
        Frames per second, in Hz.
    spec, rules
        The card; the common rate, the decoder and what it asks for.

    Returns
    -------
    Beats
        Times in seconds, rising.
    """
    activations = interpolated(expit(np.asarray(logits, dtype=np.float64)), rate, rules.rate)
    # At 120 beats a minute a 4/4 bar comes 30 times, which is too slow for a beat: in the
    # beats' range MARBLE v2's network put downbeats where there are none.
    beats, downbeats = activations.T
    return Beats(
        _times_in(beats, rules.tempo, rules), _times_in(downbeats, rules.downbeat_tempo, rules)
    )


def _times_in(activation: np.ndarray, tempo: tuple[float, float], rules: FrameRules) -> np.ndarray:
    if rules.decoder == "peaks":
        return _peaks(activation, rules.rate, tempo, rules, _LEAST)
    return decode_beats(
        activation,
        rules.rate,
        tempo=tempo,
        transition_lambda=rules.transition_lambda,
        observation_lambda=rules.observation_lambda,
    )


def _peaks(
    activation: np.ndarray, rate: float, tempo: tuple[float, float], rules: FrameRules, least: float
) -> np.ndarray:
    # By a fixed threshold a young probe would have no peak, and all its epochs one score.
    slowest, fastest = tempo
    relative = relative_threshold(activation, rules.threshold, min(1.0, slowest / 60 / rate))
    threshold = max(least, relative)
    # Half the shortest period: an early beat stays, a doubled peak does not.
    apart = 0.5 * 60 / fastest
    return pick_peaks(activation, rate, threshold=threshold, distance_seconds=apart)


def score(reference: Beats, estimate: Beats, spec: TaskSpec, rules: FrameRules) -> np.ndarray:
    """Score one track by the card's metrics; see `marble_eval.metrics.beat.beat_counts`."""
    window, trim = rules.tolerance, rules.trim_seconds
    return beat_counts(reference, estimate, spec.metrics, tolerance=window, trim_seconds=trim)


def draft_counts(
    logits: np.ndarray, annotation: Beats, rate: float, spec: TaskSpec, rules: FrameRules
) -> np.ndarray:
    """Score one track roughly by the main metric: the F-measure of peaks.

    The other event counts a hundredth, and the likelihood of the targets a tenth: of epochs
    with the same peaks the one is kept that is surest of them, which the network asks for.

    Parameters
    ----------
    logits, rate
        As for `decode`.
    annotation : Beats
        The reference, in seconds.
    spec, rules
        The main metric says which event, which window, and whether tracks are pooled.

    Returns
    -------
    np.ndarray [shape=(2,), float64]
        (2 TP, n_reference + n_estimate) for a pooled main metric, else (F, 1), and the
        shares of the others; (0, 0) for one without a reference.
    """
    event, _, measure = spec.main_metric.partition("_")
    other = LABELS[1 - LABELS.index(event)]
    main, besides = (
        _rough_counts(each, measure, logits, annotation, rate, rules) for each in (event, other)
    )
    targets = encode(annotation, len(logits), rate, spec, rules, widened=True)
    sure = np.array([likelihood(expit(np.asarray(logits, dtype=np.float64)), targets), 1.0])
    return np.asarray(main + _BESIDES * besides * (main[1] > 0) + _SURE * main[1] * sure)


def _rough_counts(
    event: str, measure: str, logits: np.ndarray, annotation: Beats, rate: float, rules: FrameRules
) -> np.ndarray:
    activation = expit(np.asarray(logits[:, LABELS.index(event)], dtype=np.float64))
    tempo = rules.tempo if event == "beat" else rules.downbeat_tempo
    peaks = _peaks(activation, rate, tempo, rules, 0.0)
    (counts,) = beat_counts(
        annotation,
        Beats(peaks, peaks),
        (f"{event}_f1_pooled",),
        tolerance=NARROW if measure == "f1_20ms" else rules.tolerance,
        trim_seconds=rules.trim_seconds,
    )
    if measure == "f1_pooled" or not counts[1]:
        return np.asarray(counts)
    return np.array([counts[0] / counts[1], 1.0])


def quantised(
    annotation: Beats, frames: int, rate: float, spec: TaskSpec, rules: FrameRules
) -> Beats:
    """Give the beats as this frame rate can hold them, from the arguments of `encode`.

    Each is at the time of the frame where its target is; two in one frame become one.
    """
    return Beats(*(np.unique(_nearest_frames(each, frames, rate)) / rate for each in annotation))
