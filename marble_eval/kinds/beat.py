"""Beat: the times of beats and downbeats in a track, from two outputs a frame.

Targets are 1 in the frame nearest to an event, and in training a little less in the
frames beside it. Outputs are brought to one frame rate for every encoder and decoded
for the whole track at once: by a dynamic Bayesian network, downbeats in the range of
bars and not of beats, or by their peaks. Scores are of times as they were annotated.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from marble_eval.data.annotations.beat_files import (
    Beats,
    beats_of,
    beats_text,
    checked_beats,
    read_beats,
)
from marble_eval.decoding.bar_pointer import decode_beats
from marble_eval.decoding.interpolation import interpolated
from marble_eval.decoding.peaks import pick_peaks, relative_threshold
from marble_eval.kinds.example import (
    ETUDE_SECONDS,
    Example,
    Piece,
    Player,
    add,
    seconds,
    silence,
    tone,
)
from marble_eval.kinds.kind import FrameKind
from marble_eval.metrics.beat import LATEST, METRICS, NARROW, beat_counts, likelihood
from marble_eval.metrics.metric import Metric

if TYPE_CHECKING:
    from marble_eval.spec import Annotation, FrameRules, TaskSpec

_LEAST = 0.05  # probability below which nothing is a beat: silence has peaks too
_OTHER, _SURE = 0.01, 0.1  # what the other event counts in the draft score, and the likelihood
_LABELS = ("beat", "downbeat")
_WRITTEN = {
    "f1": "F1",
    "f1_pooled": "F1 pooled",
    "f1_20ms": "F1 20 ms",
    "cmlc": "CMLc",
    "cmlt": "CMLt",
    "amlc": "AMLc",
    "amlt": "AMLt",
    "information_gain": "information gain",
}


def _metric(name: str) -> Metric:
    event, _, measure = name.partition("_")
    written = f"{event} {_WRITTEN[measure]}"
    return Metric(name, "percent", written=written, citation="raffel2014mireval")


_SLOWEST, _FASTEST = 80.0, 160.0  # beats a minute, of the example
_CLICK_LOW, _CLICK_HIGH = 57, 96  # MIDI numbers of its downbeats and other beats


def _clicks(number: int, player: Player, rng: np.random.Generator) -> Piece:
    """Play clicks in bars of three or four, the first of a bar lower."""
    period = 60 / rng.uniform(_SLOWEST, _FASTEST)
    beats_in_bar = 3 if number % 3 == 0 else 4
    times = np.arange(rng.uniform(0, period), ETUDE_SECONDS - 0.1, period)
    places = (np.arange(len(times)) + rng.integers(beats_in_bar)) % beats_in_bar + 1
    sound, time, lines = silence(), seconds(0.1), []
    for at, place in zip(times, places, strict=True):
        note = _CLICK_LOW if place == 1 else _CLICK_HIGH
        click = tone(note + player.tuning, time, 0.7 + player.decay)
        add(sound, np.exp(-40 * time) * click, at)
        lines.append(f"{at:.4f} {place}\n")
    return Piece(sound, annotation="".join(lines))


_EXAMPLE = Example(
    target="the times of its beats and downbeats",
    summary="Clicks in bars of three and four",
    labels="""\
# The outputs are beat and downbeat, and need not be named. A file of beats has a line for each:
# the time in seconds and, if it is known, the place in the bar, 1 for the downbeat.
""",
    play=_clicks,
    chance=0.38,  # a steady tempo: the 0.14 s around each of up to 2.7 beats a second
    cell="audio/take 1.beats",
    cell_text="""\
- `beats`: the file of its beats, relative to this folder, or absolute. A line for each
  beat: its time in seconds and, if it is known, its place in the bar, as in `0.53 1`;
  1 is the downbeat, and without places downbeats are not asked for. `.beats` and
  `.txt` with spaces, `.csv` with commas, `.tsv` with tabs, or `.jams`.
""",
    columns=("beats",),
    suffix=".beats",
    frames="""\
#       decoder: dbn                    # a dynamic Bayesian network; or peaks
#       tempo: [55.0, 215.0]            # slowest and fastest, in beats a minute
#       downbeat_tempo: [18.0, 72.0]    # and in bars a minute
#       threshold: 0.5                  # probability from which a peak is a beat
#       tolerance: 0.07                 # how far an estimate may lie from a beat, in seconds
""",
)


class Beat(FrameKind[Beats]):
    """The times of the beats and downbeats of a track."""

    name = "beat"
    loss = "binary-cross-entropy"
    example = _EXAMPLE
    metrics = tuple(_metric(each) for each in METRICS)
    labels = _LABELS
    draft = "F-measure of peaks, with a tenth of likelihood,"
    column = "beats"
    file = "a file of beats"
    form = 'the times themselves, such as {"beats": [0.5, 1.0], "downbeats": [0.5]}'

    def read_file(self, path: Path) -> Annotation:
        """Read a file of beats."""
        return self.text_of(_early(read_beats(path)))

    def events_of(self, value: object) -> Beats | None:
        """Read times in seconds, with MARBLE v2's names ``beat`` and ``downbeat`` or the plural.

        Examples
        --------
        >>> KIND.events_of({"beat": [0.5, 1], "downbeat": [0.5], "tempo": 120.0}).downbeats
        array([0.5])
        """
        if not isinstance(value, Mapping):
            return None
        downbeats = value.get("downbeats", value.get("downbeat", ()))
        return _early(checked_beats(value.get("beats", value.get("beat")), downbeats))

    def annotation_of(self, text: str) -> Beats:
        """Read the canonical text; see `marble_eval.data.annotations.beat_files`."""
        return beats_of(text)

    def text_of(self, events: Beats) -> Annotation:
        """Write the canonical text."""
        return beats_text(events)

    def encode(
        self,
        annotation: Beats,
        frames: int,
        rate: float,
        spec: TaskSpec,
        rules: FrameRules,
        *,
        widened: bool,
    ) -> np.ndarray:
        """Turn beats into targets (frame, 2), from 0 to 1, of beats and downbeats.

        1 in the frame nearest to an event, and the larger target where two events meet. The
        column of downbeats is nan where they are not annotated.

        Examples
        --------
        >>> from marble_eval.spec import FrameRules, TaskSpec
        >>> beats = Beats(np.array([0.2, 0.8]), np.array([0.2]))
        >>> spec = TaskSpec(name="Mine", kind="beat")
        >>> KIND.encode(beats, 6, 5.0, spec, FrameRules(), widened=True).T
        array([[0.5 , 1.  , 0.5 , 0.5 , 1.  , 0.5 ],
               [0.5 , 1.  , 0.5 , 0.25, 0.  , 0.  ]], dtype=float32)
        """
        targets = np.zeros((frames, len(_LABELS)), dtype=np.float32)
        heights = (1.0, *(rules.widening if widened else ()))
        for column, times in zip(targets.T, annotation, strict=True):
            at = _nearest_frames(times, frames, rate)
            for distance, height in enumerate(heights):
                near = np.concatenate([at - distance, at + distance])
                near = near[(near >= 0) & (near < frames)]
                column[near] = np.maximum(column[near], height)
        if not annotation.downbeats.size:
            targets[:, _LABELS.index("downbeat")] = np.nan
        return targets

    def decode(self, logits: np.ndarray, rate: float, spec: TaskSpec, rules: FrameRules) -> Beats:
        """Find the beats and downbeats of a track in outputs (frame, 2) before the sigmoid."""
        activations = interpolated(expit(np.asarray(logits, dtype=np.float64)), rate, rules.rate)
        # At 120 beats a minute a 4/4 bar comes 30 times, which is too slow for a beat: in the
        # beats' range MARBLE v2's network put downbeats where there are none.
        beats, downbeats = activations.T
        return Beats(
            _times_in(beats, rules.tempo, rules), _times_in(downbeats, rules.downbeat_tempo, rules)
        )

    def score(
        self, reference: Beats, estimate: Beats, spec: TaskSpec, rules: FrameRules
    ) -> np.ndarray:
        """Score one track by the card's metrics; see `marble_eval.metrics.beat.beat_counts`."""
        window, trim = rules.tolerance, rules.trim_seconds
        return beat_counts(reference, estimate, spec.metrics, tolerance=window, trim_seconds=trim)

    def method_of(self, rules: FrameRules | None) -> str:
        """Write how beats are found, and which count."""
        if rules is None:
            return ""
        tempi = "{:g} to {:g} beats and {:g} to {:g} bars a minute".format(
            *rules.tempo, *rules.downbeat_tempo
        )
        decoder = f"by the peaks above {rules.threshold:g} of the outputs' range ({tempi})"
        if rules.decoder == "dbn":
            decoder = (
                f"by a dynamic Bayesian network ({tempi}, transition lambda "
                f"{rules.transition_lambda:g}, observation lambda {rules.observation_lambda})"
            )
        trim = f"those before {rules.trim_seconds:g} s were" if rules.trim_seconds else "none was"
        return (
            f"beats were found {decoder}, count within {1000 * rules.tolerance:g} ms of the "
            f"reference, and {trim} left out at the start"
        )

    def citations_of(self, rules: FrameRules | None) -> tuple[str, ...]:
        """Cite the bar pointer model."""
        return ("krebs2015efficient",) if rules is not None and rules.decoder == "dbn" else ()

    def draft_counts(
        self, logits: np.ndarray, annotation: Beats, rate: float, spec: TaskSpec, rules: FrameRules
    ) -> np.ndarray:
        """Score one track roughly by the main metric: the F-measure of peaks.

        (2 TP, n_reference + n_estimate) for a pooled main metric, else (F, 1). The other event
        counts a hundredth, and the likelihood of the targets a tenth: of epochs with the same
        peaks the one is kept that is surest of them, which the network asks for.
        """
        event, _, measure = spec.main_metric.partition("_")
        others = _LABELS[1 - _LABELS.index(event)]
        main, other = (
            _rough_counts(each, measure, logits, annotation, rate, rules)
            for each in (event, others)
        )
        targets = self.encode(annotation, len(logits), rate, spec, rules, widened=True)
        sure = np.array([likelihood(expit(np.asarray(logits, dtype=np.float64)), targets), 1.0])
        return np.asarray(main + _OTHER * other * (main[1] > 0) + _SURE * main[1] * sure)

    def quantised(
        self, annotation: Beats, frames: int, rate: float, spec: TaskSpec, rules: FrameRules
    ) -> Beats:
        """Move each beat to the time of its target's frame; two in one frame become one."""
        return Beats(
            *(np.unique(_nearest_frames(each, frames, rate)) / rate for each in annotation)
        )


def _early(beats: Beats) -> Beats:
    latest = max(times.max(initial=0.0) for times in beats)
    if latest > LATEST:
        raise ValueError(f"times must be seconds, none later than {LATEST:g}. Got {latest:g}.")
    return beats


def _nearest_frames(times: np.ndarray, frames: int, rate: float) -> np.ndarray:
    """Give the frame of each event, halves upwards; leave out those behind the end."""
    nearest = np.floor(times * rate + 0.5).astype(np.int64)
    # The last frame lasts until frames / rate: what is nearer to that moment, which has no
    # frame of its own, still sounds in it. MARBLE v2 dropped such beats.
    return np.minimum(nearest[nearest <= frames], frames - 1)


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


def _rough_counts(
    event: str, measure: str, logits: np.ndarray, annotation: Beats, rate: float, rules: FrameRules
) -> np.ndarray:
    activation = expit(np.asarray(logits[:, _LABELS.index(event)], dtype=np.float64))
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


KIND = Beat()
