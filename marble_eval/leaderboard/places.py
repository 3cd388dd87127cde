"""Places: which results may stand in one section, and why the others stand apart.

A section holds one protocol and version, one track, and one edition of each task. Apart
from what compares stand runs that departed from their protocol, runs over some layers
only, and runs that tried less than another one of their cell. The first place is that of
MARBLE's own board: its protocol, the constrained track, its columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import TYPE_CHECKING, NamedTuple

from marble_eval.leaderboard.entries import Entry
from marble_eval.leaderboard.models import model_of, narrower, refuse_rivals, refuse_two
from marble_eval.leaderboard.published import PROTOCOL
from marble_eval.leaderboard.task_versions import (
    Edition,
    current_editions,
    edition_of,
    is_listed,
    is_whole_grid,
)

if TYPE_CHECKING:
    from marble_eval.results import Result


Rules = tuple[str, int, str]


class Place(NamedTuple):
    """What the results of a section share.

    Attributes
    ----------
    protocol, version, track
        Under which rules.
    listed : bool
        Whether the tasks are MARBLE's; on embedded data, always.
    edition : str
        The edition of the one task, if it is not the current one.
    conforms, whole, widest : bool
        Whether runs kept to their protocol, tried every layer, and no other result of
        their cell tried more.
    """

    protocol: str
    version: int
    track: str
    listed: bool = True
    edition: str = ""
    conforms: bool = True
    whole: bool = True
    widest: bool = True

    @property
    def comparable(self) -> bool:
        """Return whether the rows of the section compare with each other."""
        return self.conforms and self.whole and self.widest


def first_place(entries: Iterable[Entry]) -> Place:
    """Say where MARBLE's own board stands: the newest version of its protocol.

    Parameters
    ----------
    entries : iterable of Entry
        All results of a board.

    Returns
    -------
    Place
        Version 1 if no result is under that protocol.
    """
    protocols = (entry.result.protocol for entry in entries)
    versions = [each.version for each in protocols if each.name == PROTOCOL and each.conforms]
    return Place(PROTOCOL, max(versions, default=1), "constrained")


def placed(entries: Iterable[Entry], *, embedded: bool) -> Mapping[Place, list[Entry]]:
    """Put each result in its place.

    Parameters
    ----------
    entries : iterable of Entry
        Results, all on embedded data or all on real data, without copies.
    embedded : bool
        Which of the two.

    Returns
    -------
    mapping of Place to list of Entry
        In the order of the board; the first place is there even if nothing stands in it.

    Raises
    ------
    ValidationError
        If two results claim one cell, two tasks one column, or one encoder
        and revision has two fingerprints.
    """
    every = list(entries)
    first = first_place(every)
    current = _current(every)
    places: dict[Place, list[Entry]] = {first: []}
    for entry in every:
        result, edition = entry.result, edition_of(entry.result)
        place = Place(
            protocol=result.protocol.name,
            version=result.protocol.version,
            track=result.protocol.track,
            listed=embedded or is_listed(result),
            edition="" if edition in current[_rules(entry)] else edition.name,
            conforms=result.protocol.conforms,
            whole=is_whole_grid(result),
        )
        places.setdefault(place, []).append(entry)
    for place in list(places):
        _separate_narrower(places, place, embedded)
    return {place: places[place] for place in sorted(places, key=lambda each: _order(each, first))}


def _rules(entry: Entry) -> Rules:
    protocol = entry.result.protocol
    return protocol.name, protocol.version, protocol.track


def _current(entries: Iterable[Entry]) -> Mapping[Rules, Set[Edition]]:
    """Choose the current editions under each protocol and track, which others leave alone."""
    results: dict[Rules, list[Result]] = {}
    for entry in entries:
        results.setdefault(_rules(entry), []).append(entry.result)
    return {rules: set(current_editions(each).values()) for rules, each in results.items()}


def _separate_narrower(places: dict[Place, list[Entry]], place: Place, embedded: bool) -> None:
    """Move results that tried less than another of their cell to a place of their own."""
    entries = places[place]
    if place.listed and not embedded:
        refuse_two(
            entries,
            lambda result: result.task.column,
            lambda result: result.task.name,
            "one column of the leaderboard must belong to one task",
        )
    refuse_two(
        entries,
        model_of,
        lambda result: result.encoder.fingerprint,
        "one encoder and revision must have one fingerprint",
    )
    if not place.whole:
        refuse_rivals(entries)
        return
    less = {entry.path for entry in narrower(entries)}
    if less:
        apart = [entry for entry in entries if entry.path in less]
        refuse_rivals(apart)
        places[place] = [entry for entry in entries if entry.path not in less]
        places[place._replace(widest=False)] = apart


def _order(place: Place, first: Place) -> tuple[object, ...]:
    """Put the first place first, and what compares before what does not."""
    return (
        place != first,
        bool(place.edition),
        not place.comparable,
        place.protocol != first.protocol,
        place.protocol,
        -place.version,
        place.track,
        not place.listed,
        place.edition,
        (not place.conforms, not place.whole, not place.widest),
    )


def title_of(place: Place, first: Place, *, embedded: bool) -> str:
    """Name a section.

    Parameters
    ----------
    place, first : Place
        Its place, and the board's first.
    embedded : bool
        Whether the board is of embedded data.

    Returns
    -------
    str
        Different for different places.
    """
    parts = [f"{place.protocol}@{place.version}", place.track]
    if place == first:
        parts.insert(0, "Embedded tasks" if embedded else "MARBLE")
    if not place.listed:
        parts.append("other tasks")
    if place.edition:
        parts.append(place.edition)
    for flag, words in (
        (place.conforms, "with deviations"),
        (place.whole, "on part of the layers"),
        (place.widest, "with fewer choices"),
    ):
        if not flag:
            parts.append(words)
    return ", ".join(parts)


def reason_of(place: Place, first: Place, *, embedded: bool) -> str:
    """Say in a sentence why a section stands apart; of the first, what it holds.

    Parameters
    ----------
    place, first : Place
        Its place, and the board's first.
    embedded : bool
        Whether the board is of embedded data.

    Returns
    -------
    str
        A sentence.
    """
    tasks = "embedded tasks" if embedded else "MARBLE's columns"
    if place == first:
        return (
            f"Runs that kept to {first.protocol}@{first.version} on its constrained track, "
            f"over the whole grid of layers, on {tasks}."
        )
    why = []
    if (place.protocol, place.version) != (first.protocol, first.version):
        why.append(f"the protocol is not {first.protocol}@{first.version}")
    if place.track != first.track:
        why.append(f"the track is not {first.track}")
    if not place.listed:
        why.append("MARBLE has no column for the tasks, or they are not this package's")
    if place.edition:
        why.append("other results have a newer version of the task, or other data")
    if not place.conforms:
        why.append("the runs departed from their protocol, each as its row says")
    if not place.whole:
        why.append("the runs tried some layers only, each as its row says")
    if not place.widest:
        why.append("another result of the same cell tried these layers and seeds and more")
    return f"Stands apart because {'; and '.join(why)}."
