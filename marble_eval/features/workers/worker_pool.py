"""Workers elsewhere, in processes or on other machines, as if they were one.

Each has a few tracks in hand and is asked for parcels, one answer to one question, so
that nobody runs far ahead of the disk. Parcels come out in the order of the tracks,
whoever encoded them. When a worker dies, what it had in hand goes to another, without
the clips that had arrived; a track that kills worker after worker ends the run.
"""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from marble_eval.errors import MarbleError, MissingError
from marble_eval.features.workers.worker_messages import Death, Failure, Greeting

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from marble_eval.features.workers.assignment import Assignment, Parcel
    from marble_eval.features.workers.worker_messages import Member, Staff
    from marble_eval.progress import Progress

_IN_HAND = 3, 64  # tracks of a worker: one encoded and two read; and enough for a GPU's batches
_AHEAD_BYTES = 1 << 28  # of features that wait for their turn, for each worker
_TRIES = 3  # workers that may die over one track
_HIRED = 4  # workers that may be started for each place, the first included
_PATIENCE = 10.0  # seconds after which a wait for the first worker is explained


@dataclass(slots=True, eq=False)
class _Track:
    """A track under way."""

    assignment: Assignment
    parcels: deque[Parcel] = field(default_factory=deque)  # that have arrived
    clips: set[int] = field(default_factory=set)
    of: int | None = None
    deaths: int = 0  # since something of it arrived

    def rest(self) -> Assignment:
        """Return what has not arrived yet."""
        first = self.assignment
        if self.of is None:
            return first
        wanted = first.wanted if first.clips == self.of else tuple(range(self.of))
        return first._replace(
            clips=self.of, wanted=tuple(each for each in wanted if each not in self.clips)
        )


@dataclass(slots=True, eq=False)
class _Place:
    """A worker, and what it has in hand."""

    member: Member
    where: str = "a worker that has not started"
    is_ready: bool = False
    is_asked: bool = True  # for its greeting
    tracks: list[_Track] = field(default_factory=list)
    given: list[Assignment] = field(default_factory=list)  # with the next question


class Crew:
    """Several workers that encode for one store.

    Parameters
    ----------
    staff : Staff
        Who starts them.
    size : int
        How many.
    identity : dict of str to str
        What each of them must greet with.
    progress : Progress
        Who is told of deaths.
    """

    def __init__(
        self, staff: Staff, size: int, identity: dict[str, str], progress: Progress
    ) -> None:
        self._staff, self._size, self._identity = staff, size, identity
        self._progress = progress
        self._places: list[_Place] = []
        self._tracks: deque[_Track] = deque()  # under way, in order
        self._by_number: dict[int, _Track] = {}
        self._again: list[_Track] = []  # whose worker died
        self._bytes = self._hired = self._left = 0
        self._has_waited = False

    def parcels(self, assignments: Iterator[Assignment], tracks: int) -> Generator[list[Parcel]]:
        """Encode tracks.

        Parameters
        ----------
        assignments : iterator of Assignment
            With numbers that rise; taken when a worker is free.
        tracks : int
            How many there are.

        Yields
        ------
        list of Parcel
            In the order of the assignments.

        Raises
        ------
        MarbleError
            What an encoder raised; if a worker has another encoder than the run, or
            workers die again and again.
        MissingError
            If a file that is here is not where a worker is.
        """
        self._left = tracks
        try:
            for _ in range(min(self._size, tracks)):
                self._hire()
            while self._left or self._tracks:
                self._hand_out(assignments)
                self._ask()
                if released := self._released():
                    yield released
                    continue
                self._listen()
        finally:
            for place in self._places:
                place.member.dismiss()
            self._staff.close()

    def _hire(self) -> None:
        self._places.append(_Place(self._staff.hire()))
        self._hired += 1

    def _hand_out(self, assignments: Iterator[Assignment]) -> None:
        ready = [each for each in self._places if each.is_ready]
        while ready and self._again:  # at once, since others wait for them
            place = min(ready, key=lambda each: len(each.tracks))
            self._give(place, self._again.pop(0))
        least, most = _IN_HAND
        while ready and self._left:
            # Few where few are left, so that all end at the same time.
            share = max(least, min(most, self._left // (2 * self._size)))
            place = min(ready, key=lambda each: len(each.tracks))
            if len(place.tracks) >= share:
                break
            track = _Track(next(assignments))
            self._left -= 1
            self._tracks.append(track)
            self._by_number[track.assignment.number] = track
            self._give(place, track)

    def _give(self, place: _Place, track: _Track) -> None:
        place.tracks.append(track)
        place.given.append(track.rest())

    def _ask(self) -> None:
        """Ask who has something in hand, unless too much waits for its turn already."""
        may_wait = self._bytes < _AHEAD_BYTES * self._size
        for place in self._places:
            is_due = self._tracks and self._tracks[0] in place.tracks
            if place.tracks and not place.is_asked and (may_wait or is_due):
                place.member.ask(place.given)
                place.given, place.is_asked = [], True

    def _released(self) -> list[Parcel]:
        """Take the parcels whose turn it is."""
        released: list[Parcel] = []
        while self._tracks:
            track = self._tracks[0]
            released += track.parcels
            track.parcels.clear()
            if not released or not released[-1].is_last:
                break
            if released[-1].number != track.assignment.number:
                break
            self._tracks.popleft()
            del self._by_number[track.assignment.number]
        self._bytes -= sum(map(_size, released))
        return released

    def _listen(self) -> None:
        asked = {id(each.member): each for each in self._places if each.is_asked}
        found = self._staff.answers([each.member for each in asked.values()], _PATIENCE)
        if not found and not self._has_waited and not any(p.is_ready for p in self._places):
            self._has_waited = True
            self._progress.say(f"waiting for one of {len(self._places)} workers to start")
        for member, answer in found:
            place = asked[id(member)]
            place.is_asked = False
            if isinstance(answer, Greeting):
                self._check(answer)
                place.where, place.is_ready = answer.where, True
            elif isinstance(answer, Failure):
                raise answer.error
            elif isinstance(answer, Death):
                self._replace(place, answer.reason)
            else:
                self._take(place, answer)

    def _check(self, greeting: Greeting) -> None:
        for name, ours in self._identity.items():
            theirs = greeting.identity.get(name)
            if theirs != ours:
                raise MarbleError(
                    f"{greeting.where}: every worker must have the {name} of the run, {ours}. "
                    f"Got {theirs}. Bring the same weights and packages there."
                )

    def _take(self, place: _Place, parcels: list[Parcel]) -> None:
        for parcel in parcels:
            track = self._by_number[parcel.number]
            job = track.assignment.job
            if parcel.is_lacking and _is_here(job.path):
                raise MissingError(
                    f"{job.path}: must be readable wherever a worker is. Got "
                    f"{parcel.unusable!r} on {place.where}. Put the data on a disk that "
                    f"all machines share, under the same path."
                )
            track.parcels.append(parcel)
            track.deaths = 0
            track.clips.update(name.clip for name in parcel.names)
            of = parcel.names[0].of if parcel.names else track.of
            if track.of not in (None, of):
                raise MarbleError(
                    f"{job.path}: must have as many clips everywhere. Got {track.of}, and {of} "
                    f"on {place.where}. Install the same versions on all machines."
                )
            track.of = of
            self._bytes += _size(parcel)
            if parcel.is_last:
                place.tracks.remove(track)

    def _replace(self, place: _Place, reason: str) -> None:
        """Take a dead worker's tracks back, and start another in its place."""
        self._places.remove(place)
        place.member.dismiss()
        self._again = sorted([*self._again, *place.tracks], key=lambda each: each.assignment.number)
        if place.tracks:  # it was at work on the first
            track = place.tracks[0]
            track.deaths += 1
            if track.deaths == _TRIES:
                raise MarbleError(
                    f"{track.assignment.job.path}: a worker must survive it. Got {_TRIES} that "
                    f"died over it, the last on {place.where}: {reason}. What is encoded "
                    f"stays. If memory ran out, take fewer workers or engine.batch_clips=1."
                )
        if self._hired < _HIRED * self._size:
            self._progress.say(
                f"a worker ended on {place.where} ({reason}); another takes its tracks"
            )
            self._hire()
        elif not self._places:
            raise MarbleError(
                f"{place.where}: a worker must stay alive. Got {self._hired} that ended, "
                f"the last with: {reason}. What is encoded stays; run again, and it goes on."
            )


def _is_here(path: Path) -> bool:
    return os.access(path, os.R_OK)


def _size(parcel: Parcel) -> int:
    return sum(each.nbytes for kept in parcel.features for each in kept)
