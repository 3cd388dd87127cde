"""Editions of a task: its version and the data it was run on.

Scores compare within one edition. Under one protocol and track, the current one of a task
is its newest version on the data that most results share; counted are results that kept
to their protocol over the whole grid of layers, or all where there is none of those.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from marble_eval.leaderboard.average import CELLS

if TYPE_CHECKING:
    from marble_eval.results import Result

_COLUMNS = frozenset(cell.task for cell in CELLS)
_OURS = "marble-eval"
_SHOWN = 12  # hexadecimal digits of a digest


class Edition(NamedTuple):
    """A version of a task on one state of its data."""

    task: str
    version: int
    data_digest: str

    @property
    def name(self) -> str:
        """Return the edition in words, as a title names it."""
        return f"{self.task}@{self.version} on data {self.data_digest[:_SHOWN]}"


def edition_of(result: Result) -> Edition:
    """Say which edition of its task a result is of."""
    return Edition(result.task.name, result.task.version, result.task.data_digest)


def is_whole_grid(result: Result) -> bool:
    """Say whether every layer was trained, and the learned sum where there is one.

    Parameters
    ----------
    result : Result
        What a run found.

    Returns
    -------
    bool
        False for a run on some layers only.
    """
    single = set(result.encoder.layers)
    trained = {point.layer for point in result.grid}
    # Logistic regression has no learned sum, and one or two layers need none:
    # the input embedding stays out of it.
    needs_sum = result.probe.name != "logreg" and len(single) > 2
    return single <= trained and (not needs_sum or bool(trained - single))


def is_listed(result: Result) -> bool:
    """Say whether a result belongs in a column of MARBLE's.

    Parameters
    ----------
    result : Result
        What a run found.

    Returns
    -------
    bool
        True for the tasks that this package brings for those columns. A card of somebody's
        own can name any column, but its data and split are not MARBLE's.
    """
    ours = result.task.provider.partition(" ")[0] == _OURS
    return ours and result.task.column in _COLUMNS


def current_editions(results: Iterable[Result]) -> Mapping[str, Edition]:
    """Choose the current edition of each task.

    Parameters
    ----------
    results : iterable of Result
        Of one protocol and track.

    Returns
    -------
    mapping of str to Edition
        By task. Of two states of the data with equally many results, the one whose digest
        comes first.
    """
    votes: dict[str, Counter[Edition]] = {}
    votes_of_all: dict[str, Counter[Edition]] = {}
    for result in results:
        edition = edition_of(result)
        votes_of_all.setdefault(edition.task, Counter())[edition] += 1
        if result.protocol.conforms and is_whole_grid(result):
            votes.setdefault(edition.task, Counter())[edition] += 1
    chosen = {}
    for task, of_all in votes_of_all.items():
        counted = votes.get(task, of_all)
        newest = max(each.version for each in counted)
        chosen[task] = min(
            (each for each in counted if each.version == newest),
            key=lambda each: (-counted[each], each.data_digest),
        )
    return chosen
