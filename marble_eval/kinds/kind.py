"""What a kind of task is: one Protocol, refined for an estimate of a track and of a frame.

A kind reads the tracks, encodes targets, decodes the outputs of a probe and scores them,
and brings the facts that training needs and the metrics it computes. A new one is a module
of this package with a class like ``Pitch`` and its instance ``KIND``, a line in
`marble_eval.kinds.KINDS`, and a test. The bodies below are what most kinds share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from marble_eval.data.layouts import Reading, read_layouts
from marble_eval.data.layouts.rows import below
from marble_eval.metrics.metric import Metric
from marble_eval.spec import Annotation, FrameRules, TaskRules

if TYPE_CHECKING:
    import numpy as np

    from marble_eval.data.layouts import Lists
    from marble_eval.kinds.example import Example
    from marble_eval.spec import Label, TaskSpec, Track

#: What an estimate is for; "untrained" needs no probe. There are `TrackKind` and `FrameKind`.
Estimate = Literal["track", "frame", "pair", "untrained"]

Events = TypeVar("Events")


class Kind(Protocol):
    """A kind of task, whatever its estimates are for.

    Attributes
    ----------
    name : str
        Of its module, as a card's ``kind`` has it.
    estimate : {"track", "frame", "pair", "untrained"}
        What an estimate is for.
    loss : str
        A name in `marble_eval.probes.losses`.
    metrics : tuple of Metric
        Those it can compute, default main metric first.
    label_metrics : tuple of Metric
        What scores of single labels are.
    labels : tuple of str or None
        The labels that every card of the kind has; None where cards have their own.
    scaled : bool
        Whether targets are standardised for training.
    aggregations : tuple of str
        How clips may become tracks.
    rules : TaskRules
        Of a card without any.
    example : Example
        The data set that ``init task`` writes.
    """

    name: str
    estimate: Estimate
    loss: str
    metrics: tuple[Metric, ...]
    label_metrics: tuple[Metric, ...] = ()
    example: Example
    labels: tuple[str, ...] | None = None
    scaled: bool = False
    aggregations: tuple[str, ...] = ("mean-logits",)
    rules: TaskRules = TaskRules()

    def metrics_of(self, spec: TaskSpec) -> Mapping[str, Metric]:
        """Give every metric that a card may name, by name."""
        return {each.name: each for each in self.metrics}

    def fault_of(self, spec: TaskSpec) -> str:
        """Say which rule of the kind a card breaks; empty for none."""
        return ""

    def columns_of(self, spec: TaskSpec) -> tuple[str, ...]:
        """Name the label columns of a table; none for the layout's own."""
        return ()

    def outputs(self, spec: TaskSpec) -> int:
        """Return how many outputs a probe needs: one a label."""
        return len(spec.labels if self.labels is None else self.labels)

    def labels_of(self, tracks: Sequence[Track], spec: TaskSpec) -> tuple[str, ...]:
        """Name the labels of tracks, where the card names none."""
        return self.labels or ()

    def label_of(
        self, row: Mapping[str, Any], field: str, spec: TaskSpec, *, root: Path = Path()
    ) -> Label:
        """Read the label of a track.

        Parameters
        ----------
        row : mapping of str to object
            A row of a table, or of JSON.
        field : str
            Where the label is, unless the row has a column of `columns_of`.
        spec : TaskSpec
            The card.
        root : Path
            The folder that names of files start from.

        Returns
        -------
        str, Annotation, tuple of str or tuple of float
            The label.

        Raises
        ------
        ValueError
            If there is none, or it breaks a rule.
        """
        ...

    def read_tracks(self, root: Path, spec: TaskSpec, lists: Lists) -> list[Track]:
        """Read the tracks; see `marble_eval.data.layouts.read_layouts`."""
        label_of = partial(self.label_of, root=root)
        return read_layouts(Reading(root, spec, lists, label_of, self.columns_of(spec)))

    def method_of(self, rules: FrameRules | None) -> str:
        """Write how estimates are decoded and scored, for a paper; empty if there is nothing."""
        return ""

    def citations_of(self, rules: FrameRules | None) -> tuple[str, ...]:
        """Give keys of ``methods.bib`` for what decoding uses; metrics have their own."""
        return ()

    def remarks(self, root: Path, spec: TaskSpec, lists: Lists) -> list[str]:
        """Remark on a copy of the data, such as rows left out, from what `read_tracks` takes."""
        return []


class TrackKind(Kind, Protocol):
    """A kind with one estimate a track, which encodes, decodes and scores whole splits.

    Targets and estimates are arrays (track, …). Of `score`, ``weights`` (…, track) say how
    often each track counts, one row for each bootstrap resample, and the values are arrays
    of the leading shape.
    """

    estimate: Literal["track"] = "track"

    def encode(self, tracks: Sequence[Track], spec: TaskSpec) -> np.ndarray:
        """Turn labels into targets (track, …)."""
        ...

    def decode(self, track_outputs: np.ndarray, spec: TaskSpec) -> np.ndarray:
        """Turn the outputs of a probe (…, track, output) into estimates."""
        return track_outputs

    def score(
        self,
        reference: np.ndarray,
        estimate: np.ndarray,
        spec: TaskSpec,
        *,
        weights: np.ndarray | None = None,
    ) -> dict[str, np.ndarray]:
        """Compute the card's metrics over a whole split."""
        ...

    def texts(self, values: np.ndarray, spec: TaskSpec) -> list[str]:
        """Write targets or estimates as text, for the table of predictions."""
        ...

    def values_of(self, texts: Sequence[str], spec: TaskSpec) -> np.ndarray:
        """Read back exactly the targets that `texts` wrote, or raise a ValueError."""
        ...

    def item_scores(
        self, reference: np.ndarray, estimate: np.ndarray, spec: TaskSpec
    ) -> np.ndarray:
        """Score each track by itself, by the card's main metric if that can be said of one.

        Higher is better, nan where nothing can be said.
        """
        ...

    def label_counts(self, reference: np.ndarray, spec: TaskSpec) -> np.ndarray:
        """Count the tracks that have each label: (label,)."""
        ...

    def label_scores(
        self, reference: np.ndarray, estimate: np.ndarray, spec: TaskSpec
    ) -> dict[str, np.ndarray]:
        """Score each label, by one or several names: (label,); nan where it has no score."""
        ...

    def confusion_of(
        self, reference: np.ndarray, estimate: np.ndarray, spec: TaskSpec
    ) -> np.ndarray | None:
        """Count the tracks of each class (row) taken for each class; None without classes."""
        return None


class FrameKind(Kind, Protocol[Events]):
    """A kind with an estimate for every frame of a track, and events in seconds.

    The i-th frame is at the time i / rate, with the rate in Hz. A track is scored by itself:
    each metric is a numerator and a denominator, and the score of a split is the sum of the
    ones over the sum of the others. So a mean over tracks has a value and 1, pooled counts
    have the counts, and a track in whose reference there is nothing to be found has 0 and 0.

    Attributes
    ----------
    draft : str
        What `draft_counts` are, for a remark.
    column : str
        Of a table, with the name of the annotation's file.
    file : str
        What that is, for messages: "a MIDI file".
    form : str
        What works in its place in a row of JSON.
    """

    estimate: Literal["frame"] = "frame"
    # A long track is cut; a second is heard on both sides, so that the cut does not show.
    rules: TaskRules = TaskRules(
        clip_seconds=30.0, batch_of="clips", frames=FrameRules(context_seconds=1.0)
    )
    draft: str
    column: str
    file: str
    form: str

    def columns_of(self, spec: TaskSpec) -> tuple[str, ...]:
        """Name the column of a table that names the annotation's file."""
        return (self.column,)

    def label_of(
        self, row: Mapping[str, Any], field: str, spec: TaskSpec, *, root: Path = Path()
    ) -> Annotation:
        """Read the events of a track, from the file that a row names or from the row itself."""
        name = next((each for each in self.columns_of(spec) if each in row), field)
        value = row.get(name)
        try:
            if isinstance(value, str) and value:
                return self.read_file(below(root, PurePosixPath(value)))
            events = self.events_of(value)
        except ValueError as error:
            raise ValueError(f"{name!r}: {error}") from None
        if events is None:
            raise ValueError(
                f"{name!r} must name {self.file} below {root}, or be {self.form}. Got {value!r}."
            )
        return self.text_of(events)

    def read_file(self, path: Path) -> Annotation:
        """Read the canonical text of a file's events, or raise a ValueError."""
        ...

    def events_of(self, value: object) -> Events | None:
        """Read events from JSON; None if it does not have the form, a ValueError for a fault."""
        ...

    def annotation_of(self, text: str) -> Events:
        """Read the canonical text of events, which is the label of a track."""
        ...

    def text_of(self, events: Events) -> Annotation:
        """Write events as their canonical text."""
        ...

    def encode(
        self,
        annotation: Events,
        frames: int,
        rate: float,
        spec: TaskSpec,
        rules: FrameRules,
        *,
        widened: bool,
    ) -> np.ndarray:
        """Turn the events of one track into targets (frame, output), float32.

        nan where nothing is to be learnt. ``widened``, in training, gives the frames beside
        an event what the rules say.
        """
        ...

    def decode(self, logits: np.ndarray, rate: float, spec: TaskSpec, rules: FrameRules) -> Events:
        """Find the events of one whole track in the outputs of a probe (frame, output)."""
        ...

    def score(
        self, reference: Events, estimate: Events, spec: TaskSpec, rules: FrameRules
    ) -> np.ndarray:
        """Score one track by the card's metrics: (metric, 2)."""
        ...

    def draft_counts(
        self,
        logits: np.ndarray,
        annotation: Events,
        rate: float,
        spec: TaskSpec,
        rules: FrameRules,
    ) -> np.ndarray:
        """Score one track roughly by the main metric, as each epoch of training needs it: (2,)."""
        ...

    def quantised(
        self, annotation: Events, frames: int, rate: float, spec: TaskSpec, rules: FrameRules
    ) -> Events:
        """Give the events as frames of this rate can hold them, whose score is the ceiling."""
        ...
