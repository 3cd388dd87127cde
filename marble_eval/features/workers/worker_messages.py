"""What a crew knows of its workers: how they are asked, what they answer, how they end."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from marble_eval.features.workers.assignment import Assignment, Parcel


class Greeting(NamedTuple):
    """The first answer of a worker.

    Attributes
    ----------
    where : str
        Machine and process.
    identity : dict of str to str
        What moves a number: the encoder's fingerprint, versions.
    """

    where: str
    identity: dict[str, str]


class Failure(NamedTuple):
    """An answer instead of parcels: the error that ended the worker's attempt."""

    error: Exception


class Death(NamedTuple):
    """There will be no answer any more, and why."""

    reason: str


Answer = Greeting | Failure | Death | list["Parcel"]


class Member(Protocol):
    """A worker elsewhere."""

    def ask(self, assignments: list[Assignment]) -> None:
        """Hand over tracks and ask for parcels; only after the last answer."""
        ...

    def dismiss(self) -> None:
        """End it, whatever it does."""
        ...


class Staff(Protocol):
    """Who starts workers and listens to them."""

    def hire(self) -> Member:
        """Start a worker; its first answer, unasked, is a `Greeting`."""
        ...

    def answers(self, members: Sequence[Member], seconds: float) -> list[tuple[Member, Answer]]:
        """Wait until some of the members answer, but not for ever."""
        ...

    def close(self) -> None:
        """End what was started."""
        ...
