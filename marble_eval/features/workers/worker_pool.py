"""Workers in processes or on other machines, as if they were one.

Each has a few tracks in hand and is asked for encoded clips, one answer per question, so
that none runs far ahead of the disk. Clips come out in the order of the tracks. When a
worker dies, its tracks go to another, without the clips that had arrived; a track that
kills worker after worker ends the run.

Why the scheduling is ours (tried with concurrent.futures of Python 3.11 and Ray 2.60): a
process pool fails every pending task when one worker is killed, returns a track in one
piece, which for frames can be gigabytes, and its processes outlive a killed driver. Ray
starts a retried task over: of six clips streamed, the three that had arrived were encoded
again. Neither gives a GPU batches from several tracks, nor checks that a restarted worker
has the run's encoder; and one pool serves both.
"""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from marble_eval.errors import MarbleError, MissingError
from marble_eval.features.workers.messages import Greeting, WorkerDied

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from marble_eval.features.workers.messages import EncodedClips, Job, WorkerHandle, WorkerHost
    from marble_eval.progress import Progress

_IN_HAND = 3, 64  # tracks of a worker: one encoded and two read; and enough for a GPU's batches
_AHEAD_BYTES = 1 << 28  # of features that wait for their turn, per worker
_TRIES = 3  # workers that may die over one track
_STARTS = 4  # workers that may be started in each place, the first included
_PATIENCE = 10.0  # seconds after which a wait for the first worker is explained


@dataclass(slots=True, eq=False)
class _Track:
    """A track under way."""

    job: Job
    arrived: deque[EncodedClips] = field(default_factory=deque)
    clips: set[int] = field(default_factory=set)
    of: int | None = None
    deaths: int = 0  # since something of it arrived

    def rest(self) -> Job:
        """Return what has not arrived yet."""
        if self.of is None:
            return self.job
        wanted = self.job.wanted if self.job.clips == self.of else tuple(range(self.of))
        rest = tuple(each for each in wanted if each not in self.clips)
        return self.job._replace(clips=self.of, wanted=rest)


@dataclass(slots=True, eq=False)
class _Worker:
    """A worker, and what it has in hand."""

    handle: WorkerHandle
    where: str = "a worker that has not started"
    is_ready: bool = False
    is_asked: bool = True  # for its greeting
    tracks: list[_Track] = field(default_factory=list)
    given: list[Job] = field(default_factory=list)  # with the next question


class WorkerPool:
    """Several workers that encode for one store; each must greet with the identity."""

    def __init__(
        self, host: WorkerHost, size: int, identity: dict[str, str], progress: Progress
    ) -> None:
        self._host, self._size, self._identity = host, size, identity
        self._progress = progress
        self._workers: list[_Worker] = []
        self._tracks: dict[str, _Track] = {}  # under way, in order, by audio
        self._again: list[_Track] = []  # whose worker died
        self._bytes = self._starts = self._left = 0
        self._has_waited = False

    def encoded(self, jobs: Iterator[Job], tracks: int) -> Generator[list[EncodedClips]]:
        """Encode so many tracks, each audio once, in the order of the jobs.

        A job is taken when a worker is free. MarbleError: an encoder failed, a worker has
        another encoder than the run, or workers die again and again. MissingError: a file
        that is here is not where a worker is.
        """
        self._left = tracks
        try:
            for _ in range(min(self._size, tracks)):
                self._start()
            while self._left or self._tracks:
                self._hand_out(jobs)
                self._ask()
                if released := self._released():
                    yield released
                    continue
                self._listen()
        finally:
            for worker in self._workers:
                worker.handle.stop()
            self._host.close()

    def _start(self) -> None:
        self._workers.append(_Worker(self._host.start()))
        self._starts += 1

    def _hand_out(self, jobs: Iterator[Job]) -> None:
        ready = [each for each in self._workers if each.is_ready]
        while ready and self._again:  # at once, since others wait for them
            worker = min(ready, key=lambda each: len(each.tracks))
            self._give(worker, self._again.pop(0))
        least, most = _IN_HAND
        while ready and self._left:
            # Few where few are left, so that all end at the same time.
            share = max(least, min(most, self._left // (2 * self._size)))
            worker = min(ready, key=lambda each: len(each.tracks))
            if len(worker.tracks) >= share:
                break
            track = _Track(next(jobs))
            self._left -= 1
            self._tracks[track.job.audio] = track
            self._give(worker, track)

    def _give(self, worker: _Worker, track: _Track) -> None:
        worker.tracks.append(track)
        worker.given.append(track.rest())

    def _ask(self) -> None:
        """Ask who has something in hand, unless too much waits for its turn already."""
        may_wait = self._bytes < _AHEAD_BYTES * self._size
        due = next(iter(self._tracks.values()), None)
        for worker in self._workers:
            if worker.tracks and not worker.is_asked and (may_wait or due in worker.tracks):
                worker.handle.ask(worker.given)
                worker.given, worker.is_asked = [], True

    def _released(self) -> list[EncodedClips]:
        """Take the clips whose turn it is."""
        released: list[EncodedClips] = []
        for audio, track in list(self._tracks.items()):
            released += track.arrived
            is_done = bool(track.arrived) and track.arrived[-1].is_last
            track.arrived.clear()
            if not is_done:
                break
            del self._tracks[audio]
        self._bytes -= sum(map(_size, released))
        return released

    def _listen(self) -> None:
        asked = {id(each.handle): each for each in self._workers if each.is_asked}
        found = self._host.answers([each.handle for each in asked.values()], _PATIENCE)
        if not found and not self._has_waited and not any(w.is_ready for w in self._workers):
            self._has_waited = True
            self._progress.say(f"waiting for one of {len(self._workers)} workers to start")
        for handle, answer in found:
            worker = asked[id(handle)]
            worker.is_asked = False
            if isinstance(answer, Greeting):
                self._check(answer)
                worker.where, worker.is_ready = answer.where, True
            elif isinstance(answer, WorkerDied):
                self._replace(worker, str(answer))
            elif isinstance(answer, Exception):
                raise answer
            else:
                self._take(worker, answer)

    def _check(self, greeting: Greeting) -> None:
        for name, ours in self._identity.items():
            theirs = greeting.identity.get(name)
            if theirs != ours:
                raise MarbleError(
                    f"{greeting.where}: every worker must have the {name} of the run, {ours}. "
                    f"Got {theirs}. Bring the same weights and packages there."
                )

    def _take(self, worker: _Worker, arrived: list[EncodedClips]) -> None:
        for some in arrived:
            track = self._tracks[some.audio]
            path = track.job.path
            if some.is_lacking and _is_here(path):
                raise MissingError(
                    f"{path}: must be readable wherever a worker is. Got "
                    f"{some.unusable!r} on {worker.where}. Put the data on a disk that "
                    f"all machines share, under the same path."
                )
            track.arrived.append(some)
            track.deaths = 0
            track.clips.update(name.clip for name in some.names)
            of = some.names[0].of if some.names else track.of
            if track.of not in (None, of):
                raise MarbleError(
                    f"{path}: must have as many clips everywhere. Got {track.of}, and {of} "
                    f"on {worker.where}. Install the same versions on all machines."
                )
            track.of = of
            self._bytes += _size(some)
            if some.is_last:
                worker.tracks.remove(track)

    def _replace(self, worker: _Worker, reason: str) -> None:
        """Take a dead worker's tracks back, and start another in its place."""
        self._workers.remove(worker)
        worker.handle.stop()
        order = list(self._tracks)
        self._again = sorted(
            [*self._again, *worker.tracks], key=lambda each: order.index(each.job.audio)
        )
        if worker.tracks:  # it was encoding the first
            track = worker.tracks[0]
            track.deaths += 1
            if track.deaths == _TRIES:
                raise MarbleError(
                    f"{track.job.path}: a worker must survive it. Got {_TRIES} that "
                    f"died over it, the last on {worker.where}: {reason}. What is encoded "
                    f"stays. If memory ran out, take fewer workers or engine.batch_clips=1."
                )
        if self._starts < _STARTS * self._size:
            self._progress.say(
                f"a worker ended on {worker.where} ({reason}); another takes its tracks"
            )
            self._start()
        elif not self._workers:
            raise MarbleError(
                f"{worker.where}: a worker must stay alive. Got {self._starts} that ended, "
                f"the last with: {reason}. What is encoded stays; run again, and it goes on."
            )


def _is_here(path: Path) -> bool:
    return os.access(path, os.R_OK)


def _size(clips: EncodedClips) -> int:
    return sum(each.nbytes for kept in clips.features for each in kept)
