"""Look at every file before anything is encoded.

Each file is digested, which tells whether its features are cached; one that is
not is opened, and read whole where that is cheap (uncompressed formats), so that
all unusable files are known, with their reasons, before the encoder starts.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from marble_eval.audio import UnusableAudio, cheap_to_read, clip_count, inspect, read
from marble_eval.fingerprint import file_digest
from marble_eval.units import samples_to_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from marble_eval.features.store import FeatureStore
    from marble_eval.progress import Progress
    from marble_eval.spec import Track, Windowing


class Unusable(NamedTuple):
    """A track whose audio cannot be used.

    Attributes
    ----------
    track : Track
        The track.
    reason : str
        "missing", "silent", ….
    """

    track: Track
    reason: str


@dataclass(frozen=True)
class Survey:
    """What is there.

    Attributes
    ----------
    usable : list of Track
        In the order given.
    digests : dict of str to str
        Digest of the audio, by the track's id.
    unusable : list of Unusable
        In the order given.
    cached_clips, new_clips : int
        Clips in the store, and clips to be encoded by the files' headers.
    """

    usable: list[Track]
    digests: dict[str, str]
    unusable: list[Unusable]
    cached_clips: int
    new_clips: int

    def without(self, unusable: Sequence[Unusable]) -> Survey:
        """Return the survey after more tracks turned out to be unusable."""
        gone = {each.track.id for each in unusable}
        return Survey(
            usable=[each for each in self.usable if each.id not in gone],
            digests={name: each for name, each in self.digests.items() if name not in gone},
            unusable=[*self.unusable, *unusable],
            cached_clips=self.cached_clips,
            new_clips=self.new_clips,
        )


def survey(
    tracks: Sequence[Track],
    store: FeatureStore,
    windowing: Windowing,
    *,
    sample_rate: int,
    minimum_samples: int,
    readers: int,
    progress: Progress,
) -> Survey:
    """Digest and check the audio of every track.

    Parameters
    ----------
    tracks : sequence of Track
        What is to be encoded.
    store : FeatureStore
        Where features may be cached.
    windowing : Windowing
        How tracks become clips.
    sample_rate : int
        The encoder's rate, in Hz.
    minimum_samples : int
        The encoder's shortest input, in samples at its rate.
    readers : int
        Threads.
    progress : Progress
        Who is told.

    Returns
    -------
    Survey
        Usable and unusable tracks, digests and counts.
    """
    shortest = samples_to_seconds(minimum_samples, sample_rate)

    def look(track: Track) -> tuple[str, int, int] | Unusable:
        try:
            digest = file_digest(track.path)
        except OSError as error:
            return Unusable(track, _why_not_opened(track, error))
        count = store.clip_count(digest)
        if count is not None and store.is_complete(digest):
            return digest, count, 0
        try:
            return digest, 0, _clips_ahead(track, windowing, shortest)
        except UnusableAudio as error:
            return Unusable(track, error.reason)

    usable, digests, unusable, cached, new = [], {}, [], 0, 0
    seen: set[str] = set()
    progress.begin("check", len(tracks))
    pool = ThreadPoolExecutor(readers, thread_name_prefix="survey")
    try:
        for track, found in zip(tracks, pool.map(look, tracks), strict=True):
            progress.advance()
            if isinstance(found, Unusable):
                unusable.append(found)
                continue
            digest, of_cache, ahead = found
            usable.append(track)
            digests[track.id] = digest
            if digest not in seen:  # the same audio under two names is encoded once
                cached, new = cached + of_cache, new + ahead
            seen.add(digest)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        progress.end()
    return Survey(usable, digests, unusable, cached, new)


def _why_not_opened(track: Track, error: OSError) -> str:
    if not track.path.exists():
        return "missing"
    return "is a folder" if track.path.is_dir() else f"unreadable: {error.strerror}"


def _clips_ahead(track: Track, windowing: Windowing, shortest: float) -> int:
    """Return how many clips a track will give, having checked what is cheap to check."""
    facts = inspect(track.path)
    if facts.seconds < shortest and windowing.tail != "pad":
        raise UnusableAudio(track.path, f"too short: {facts.seconds:.3f} s")
    if cheap_to_read(track.path):
        read(track.path, windowing.channels)
    return clip_count(facts.seconds, windowing)
