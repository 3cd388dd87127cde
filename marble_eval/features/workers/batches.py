"""How clips become batches: bucketed by length, in a size that a trial finds.

Only clips of equal length share a batch, since padding would change the features of
their neighbours. Clips wait for others of their length, but not for long: no clip lets
more than two batches pass. How many clips a GPU should get at once depends on the
network, the clip and the card, so it is tried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_GAIN = 1.05  # growth of the throughput below which a larger batch does not pay
_LARGEST = 64  # clips
_WORTH = 8  # clips of one length that wait together before a trial is worth its time


class _Long(Protocol):
    @property
    def samples(self) -> int:
        """Return the length."""
        ...


_Clip = TypeVar("_Clip", bound=_Long)


def bucketed(
    clips: Iterable[_Clip | None], size: Callable[[int], int]
) -> Iterator[list[_Clip] | None]:
    """Join clips of equal length, not only neighbours.

    Parameters
    ----------
    clips : iterable of clips
        Each has ``samples``; None says that no more can be had at the moment.
    size : callable
        From a length in samples to the number of clips in a batch.

    Yields
    ------
    list of clips, or None
        Batches of one to ``size`` clips in order of arrival; a batch goes off when it
        is full, when two batches' worth of clips came after its first, or when no more
        clips can be had. None if that is so and nothing waits.

    Examples
    --------
    >>> from types import SimpleNamespace as Clip
    >>> clips = [Clip(samples=each) for each in (9, 9, 5, 9, 9)]
    >>> [[clip.samples for clip in batch] for batch in bucketed(clips, lambda samples: 2)]
    [[9, 9], [9, 9], [5]]
    """
    buckets: dict[int, list[_Clip]] = {}  # in the order of their first clips
    since: dict[int, int] = {}
    for number, clip in enumerate(clips):
        if clip is None:
            oldest = next(iter(buckets), None)
            yield None if oldest is None else buckets.pop(oldest)
            continue
        bucket = buckets.setdefault(clip.samples, [])
        if not bucket:
            since[clip.samples] = number
        bucket.append(clip)
        if len(bucket) >= size(clip.samples):
            yield buckets.pop(clip.samples)
        oldest = next(iter(buckets), None)
        if oldest is not None and number - since[oldest] >= 2 * size(oldest):
            yield buckets.pop(oldest)
    yield from buckets.values()


def paying_size(measure: Callable[[int], float | None], largest: int = _LARGEST) -> int:
    """Find the smallest batch that is about as fast as any.

    Parameters
    ----------
    measure : callable
        From a number of clips to their throughput, such as clips a second; None if the
        memory does not hold them.
    largest : int
        Where to stop.

    Returns
    -------
    int
        1, 2, 4, …: doubled while the throughput grows by more than 5 %.

    Examples
    --------
    >>> paying_size(lambda clips: min(clips, 10))  # 1, 2, 4, 8, 10, 10
    16
    >>> paying_size(lambda clips: clips if clips < 6 else None)
    4
    """
    size, best = 1, measure(1)
    while best is not None and 2 * size <= largest:
        found = measure(2 * size)
        if found is None or found <= _GAIN * best:
            break
        size, best = 2 * size, found
    return size


class BatchSizes:
    """How many clips go in one batch, by their length.

    Parameters
    ----------
    fixed : int
        For every length; 0 to find each by a trial.
    """

    def __init__(self, fixed: int) -> None:
        self._fixed = fixed
        self._found: dict[int, int] = {}

    def of(self, samples: int) -> int:
        """Return the clips in a batch; before its trial, those that are worth one."""
        return self._fixed or self._found.get(samples, _WORTH)

    def settle(self, samples: int, waiting: int, measure: Callable[[int], float | None]) -> None:
        """Try a length, unless it is settled or too few clips of it came together.

        Parameters
        ----------
        samples : int
            The length.
        waiting : int
            Clips of it in a batch.
        measure : callable
            As for `paying_size`.
        """
        if not self._fixed and samples not in self._found and waiting >= _WORTH:
            self._found[samples] = paying_size(measure)
