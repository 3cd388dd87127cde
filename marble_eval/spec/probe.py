"""What a probe is: the contract between the grid, the results and whoever brings one.

Two sorts exist. A `TrainedProbe` is trained by gradient descent, many at once, by the
harness itself. A `FittedProbe` is solved in closed form or by a library: it is given the
embeddings of one layer and yields one fit for each value of its setting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np

#: All losses of kinds; see `marble_eval.probes.losses`.
LOSSES = ("binary-cross-entropy", "cross-entropy", "squared-error")


@runtime_checkable
class Probe(Protocol):
    """A read-out of frozen features: a frozen dataclass whose fields are its options.

    It is found by ``probe=NAME``: a file in `configs/probe/` whose ``target`` names the
    class, or an entry point of that name in the group ``marble_eval.probes``. Options must
    be numbers, texts or tuples of them. Implement `FittedProbe`, or give a `TrainedProbe`
    of another shape.

    Attributes
    ----------
    name : str
        The name by which it is chosen.
    setting : str
        What the grid tries several values of: "learning rate", "C", "k".
    settings : tuple of float or None
        Those values; of equal validation scores the first wins. None for the learning
        rates of the protocol or the task's card.
    losses : tuple of str
        Losses of the kinds it serves: "cross-entropy" (one class), "binary-cross-entropy"
        (tags), "squared-error" (numbers).
    serves_frames : bool
        Whether it serves kinds with an estimate for every frame.
    reads_sum : bool
        Whether it can read the learned sum of layers, not only single ones.
    is_seeded : bool
        Whether it draws random numbers, so that a run repeats it with several seeds.
    description : str
        Completes "the probe was …" in papers: "ridge regression".
    citation : str
        BibTeX of what to cite for it; empty for none.

    Examples
    --------
    >>> from marble_eval.registry import load_probe
    >>> load_probe("logreg").setting, load_probe("logreg").reads_sum
    ('C', False)
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - described above
    @property
    def setting(self) -> str: ...  # noqa: D102
    @property
    def settings(self) -> tuple[float, ...] | None: ...  # noqa: D102
    @property
    def losses(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def serves_frames(self) -> bool: ...  # noqa: D102
    @property
    def reads_sum(self) -> bool: ...  # noqa: D102
    @property
    def is_seeded(self) -> bool: ...  # noqa: D102
    @property
    def description(self) -> str: ...  # noqa: D102
    @property
    def citation(self) -> str: ...  # noqa: D102


class Fit(NamedTuple):
    """A probe fitted with one value of its setting."""

    setting: float  # the value
    # From embeddings (clip, width), float32, to outputs (clip, output): log-probabilities or logits
    # of classes, logits of tags, or values. Those of a track's clips are averaged as the task's
    # card says.
    outputs: Callable[[np.ndarray], np.ndarray]
    # What a reader of the result should know of this fit, such as "did not converge".
    remark: str = ""


@runtime_checkable
class FittedProbe(Probe, Protocol):
    """A probe that is solved in closed form or by a library, on one layer at a time."""

    def fit(self, features: np.ndarray, targets: np.ndarray, outputs: int) -> Iterator[Fit]:
        """Fit one layer with each value of the setting, in their order.

        Parameters
        ----------
        features : np.ndarray [shape=(clip, width), float32]
            Embeddings of the training clips, as the encoder gave them.
        targets : np.ndarray [shape=(clip,) or (clip, output)]
            Each clip's class (int64), its tags (0 or 1), or its values, standardised.
        outputs : int
            Number of classes, tags or values.

        Yields
        ------
        Fit
            One for each of ``settings``.

        Raises
        ------
        MarbleError
            If the training data do not allow a fit.
        """
        ...


@dataclass(frozen=True, slots=True)
class TrainedProbe:
    """A probe trained by gradient descent: a linear map, or one hidden layer of ReLU units.

    Attributes
    ----------
    name : str
        The name by which it is chosen.
    hidden : int
        Hidden units; 0 for "linear", and for it alone.
    dropout : float
        Share of the hidden units dropped in training, in [0, 1).
    """

    name: str
    hidden: int = 0
    dropout: float = 0.0

    setting: ClassVar[str] = "learning rate"
    settings: ClassVar[None] = None
    losses: ClassVar[tuple[str, ...]] = LOSSES
    serves_frames: ClassVar[bool] = True
    reads_sum: ClassVar[bool] = True
    is_seeded: ClassVar[bool] = True
    citation: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if self.hidden < 0 or not 0 <= self.dropout < 1:
            raise ValueError(
                f"'hidden' must not be negative and 'dropout' must lie in [0, 1). "
                f"Got {self.hidden!r} and {self.dropout!r}."
            )
        if (self.name == "linear") == bool(self.hidden):
            raise ValueError(
                f"'hidden' must be 0 for the probe linear, and positive for any other. "
                f"Got {self.hidden!r} for {self.name!r}."
            )

    @property
    def description(self) -> str:
        """Describe its shape for papers."""
        if not self.hidden:
            return "a linear map"
        return f"an MLP with one hidden layer of {self.hidden} units and dropout {self.dropout:g}"
