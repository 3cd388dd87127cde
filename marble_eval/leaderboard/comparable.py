"""What compares: one rule for the tables, the page and the figures.

Scores compare within one edition of a task (its version and data), under equal conditions: protocol
and version, track, probe, no deviations, all layers tried. The installed cards and protocol decide
which versions are current, since a result could claim any. A section of a table holds one protocol,
version and track, whatever the probe, which each row names. Results that deviate, tried only some
layers, or tried less than another result of their cell are in sections of their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from marble_eval.leaderboard.marble_columns import MARBLE_COLUMNS
from marble_eval.leaderboard.models import narrower, probe_name
from marble_eval.leaderboard.published import PROTOCOL
from marble_eval.registry import TaskFolder, task_folders
from marble_eval.registry.configuration import load_protocol

if TYPE_CHECKING:
    from marble_eval.results import Found, Result

_MARBLE_TASKS = frozenset(column.task for column in MARBLE_COLUMNS)
_OURS = "marble-eval"
_DIGITS = 12  # hexadecimal digits of a digest in a title


class Edition(NamedTuple):
    """A version of a task on one state of its data."""

    task: str
    version: int
    data_digest: str

    @property
    def name(self) -> str:
        """Return the edition as a title names it."""
        return f"{self.task}@{self.version} on data {self.data_digest[:_DIGITS]}"


class Conditions(NamedTuple):
    """What two results of one edition must share to be drawn or shaded together."""

    embedded: bool
    protocol: str
    version: int
    track: str
    probe: str
    layers: tuple[str, ...]  # those tried; empty if all were
    deviations: tuple[str, ...]

    @property
    def title(self) -> str:
        """Return the conditions in words, different for different ones."""
        words = [f"{self.protocol} (version {self.version})", self.track, f"{self.probe} probe"]
        words += [f"layers {', '.join(self.layers)} only"] if self.layers else []
        words += [f"runs that deviate: {'; '.join(self.deviations)}"] if self.deviations else []
        return ", ".join(words)


class Scope(NamedTuple):
    """What the results of one section of a table share."""

    protocol: str
    version: int
    track: str
    listed: bool = True  # whether MARBLE has a column for the tasks; on embedded data, always
    edition: str = ""  # the edition of the one task, if it is not the current one
    conforms: bool = True
    whole: bool = True  # whether every layer was tried
    widest: bool = True  # whether no other result of the cell tried more

    @property
    def comparable(self) -> bool:
        """Return whether the rows of the section compare with each other."""
        return self.conforms and self.whole and self.widest


def edition_of(result: Result) -> Edition:
    """Return the edition of its task that a result is of."""
    return Edition(result.task.name, result.task.version, result.task.data_digest)


def conditions_of(result: Result) -> Conditions:
    """Return the conditions that a result was made under."""
    protocol = result.protocol
    return Conditions(
        embedded=result.task.embedded,
        protocol=protocol.name,
        version=protocol.version,
        track=protocol.track,
        probe=probe_name(result),
        layers=() if _is_whole_grid(result) else result.choices.layers,
        deviations=protocol.deviation_sentences,
    )


def _is_whole_grid(result: Result) -> bool:
    """Check that every layer was trained, and the learned sum where there is one."""
    single = set(result.encoder.layers)
    trained = {point.layer for point in result.grid}
    # Logistic regression has no learned sum, and one or two layers need none:
    # the input embedding stays out of it.
    needs_sum = result.probe.reads_sum and len(single) > 2
    return single <= trained and (not needs_sum or bool(trained - single))


def _is_listed(result: Result) -> bool:
    """Check that a result belongs in MARBLE's columns, which are for this package's tasks alone."""
    # A card of somebody's own can name any column, but its data and split are not MARBLE's.
    ours = result.task.provider.partition(" ")[0] == _OURS
    return ours and result.task.column in _MARBLE_TASKS


def current_editions(
    results: Iterable[Result], installed: Mapping[str, TaskFolder]
) -> Mapping[str, Edition]:
    """Choose the current edition of each task, of results of one protocol and track.

    It has the version of the installed card, and the data that most results share, counting those
    that conform over all layers, or every one where there is none of those. Of a task that is not
    installed, most results decide on the version too. Ties go to the newest, then the first digest.
    """
    votes: dict[str, Counter[Edition]] = {}
    votes_of_all: dict[str, Counter[Edition]] = {}
    for result in results:
        edition = edition_of(result)
        card = installed.get(edition.task)
        if card is not None and card.spec.version != edition.version:
            continue
        votes_of_all.setdefault(edition.task, Counter())[edition] += 1
        if result.protocol.conforms and _is_whole_grid(result):
            votes.setdefault(edition.task, Counter())[edition] += 1
    chosen = {}
    for task, of_all in votes_of_all.items():
        counted = votes.get(task, of_all)
        chosen[task] = min(
            counted, key=lambda each: (-counted[each], -each.version, each.data_digest)
        )
    return chosen


def first_scope() -> Scope:
    """Return the scope of MARBLE's own board: its protocol, of the installed version."""
    return Scope(PROTOCOL, load_protocol(PROTOCOL).version, "constrained")


def scopes(found: Sequence[Found], *, embedded: bool) -> list[Scope]:
    """Assign each result its scope; all are on embedded data, or all on real data."""
    installed = task_folders() if found else {}
    by_rules: dict[tuple[object, ...], list[Result]] = {}
    for _, result in found:
        by_rules.setdefault(_rules(result), []).append(result)
    current = {
        rules: set(current_editions(results, installed).values())
        for rules, results in by_rules.items()
    }
    assigned = []
    for _, result in found:
        edition = edition_of(result)
        assigned.append(
            Scope(
                *_rules(result),
                listed=embedded or _is_listed(result),
                edition="" if edition in current[_rules(result)] else edition.name,
                conforms=result.protocol.conforms,
                whole=_is_whole_grid(result),
            )
        )
    for scope in {each for each in assigned if each.whole}:
        members = [at for at, each in enumerate(assigned) if each == scope]
        for at in narrower([found[at] for at in members]):
            assigned[members[at]] = scope._replace(widest=False)
    return assigned


def _rules(result: Result) -> tuple[str, int, str]:
    protocol = result.protocol
    return protocol.name, protocol.version, protocol.track


def scope_order(scope: Scope, first: Scope) -> tuple[object, ...]:
    """Sort the first scope first, and comparable ones before others."""
    return (
        scope != first,
        bool(scope.edition),
        not scope.comparable,
        scope.protocol != first.protocol,
        scope.protocol,
        -scope.version,
        scope.track,
        not scope.listed,
        scope.edition,
        (not scope.conforms, not scope.whole, not scope.widest),
    )


def title_of(scope: Scope, first: Scope, *, embedded: bool) -> str:
    """Name a section; different scopes have different titles."""
    parts = [f"{scope.protocol}@{scope.version}", scope.track]
    if scope == first:
        parts.insert(0, "Embedded tasks" if embedded else "MARBLE")
    if not scope.listed:
        parts.append("other tasks")
    if scope.edition:
        parts.append(scope.edition)
    for flag, words in (
        (scope.conforms, "with deviations"),
        (scope.whole, "on part of the layers"),
        (scope.widest, "with fewer choices"),
    ):
        if not flag:
            parts.append(words)
    return ", ".join(parts)


def reason_of(scope: Scope, first: Scope, *, embedded: bool) -> str:
    """Say in a sentence why a section is separate; of the first, what it holds."""
    tasks = "embedded tasks" if embedded else "MARBLE's columns"
    if scope == first:
        return (
            f"Runs that follow {first.protocol}@{first.version} on its constrained track, "
            f"over the whole grid of layers, on {tasks}."
        )
    why = []
    if (scope.protocol, scope.version) != (first.protocol, first.version):
        why.append(f"the protocol is not {first.protocol}@{first.version}")
    if scope.track != first.track:
        why.append(f"the track is not {first.track}")
    if not scope.listed:
        why.append("MARBLE has no column for the tasks, or they are not this package's")
    if scope.edition:
        why.append("the installed card has another version of the task, or most results other data")
    if not scope.conforms:
        why.append("the runs deviate from their protocol, as each row states")
    if not scope.whole:
        why.append("the runs tried some layers only, as each row states")
    if not scope.widest:
        why.append("another result of the same cell tried these layers and seeds and more")
    return f"Separate because {'; and '.join(why)}."
