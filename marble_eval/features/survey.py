"""Look at every file before anything is encoded.

Each file is digested, which tells whether its features are cached; one that is
not is opened, and read whole where that is cheap (uncompressed formats), so that
all unusable files are known, with their reasons, before the encoder starts.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from marble_eval.audio import UnusableAudio, cheap_to_read, clip_bounds, inspect, read
from marble_eval.features.digests import DigestMemory
from marble_eval.home import home_folder
from marble_eval.units import samples_to_seconds, seconds_to_samples

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
    memory = DigestMemory(home_folder() / "digests.jsonl")

    def look(track: Track) -> tuple[str, int, int] | Unusable:
        try:
            digest = memory.digest(track.path)
        except OSError as error:
            return Unusable(track, _why_not_opened(error))
        stored = store.stored_clips(digest)
        if store.is_complete(digest):
            return digest, stored, 0
        try:
            clips = _clips_of(track, windowing, sample_rate, minimum_samples)
        except UnusableAudio as error:
            return Unusable(track, error.reason)
        return digest, stored, max(0, clips - stored)

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
        memory.keep()
    return Survey(usable, digests, unusable, cached, new)


def _why_not_opened(error: OSError) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "missing"
    if isinstance(error, IsADirectoryError):
        return "is a folder"
    return f"unreadable: {error.strerror or error}"


def _clips_of(track: Track, windowing: Windowing, sample_rate: int, minimum_samples: int) -> int:
    """Return how many clips a track will give, having checked what is cheap to check."""
    facts = inspect(track.path)
    samples = facts.samples
    if windowing.crop_seconds is not None:
        samples = min(samples, seconds_to_samples(windowing.crop_seconds, facts.sample_rate))
    resampled = -(-samples * sample_rate // facts.sample_rate)
    bounds = clip_bounds(resampled, sample_rate, windowing)
    if cheap_to_read(track.path):  # and the header is exact, which an mp3's need not be
        if bounds[-1].length < minimum_samples:
            which = "last clip of " if bounds[-1].length < bounds[0].length else ""
            held = samples_to_seconds(bounds[-1].stop - bounds[-1].start, sample_rate)
            needed = samples_to_seconds(minimum_samples, sample_rate)
            raise UnusableAudio(
                track.path, f"too short: {which}{held:.2f} s, {needed:.4g} s needed"
            )
        read(track.path, windowing.channels)
    return len(bounds)
