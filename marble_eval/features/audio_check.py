"""Check every file before anything is encoded.

The digest of a file tells whether its features are cached; a file that is not is opened,
and read whole where that is cheap (uncompressed formats), so that all unusable files are
known, with their reasons, before the encoder starts.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from marble_eval.audio import UnusableAudio, cheap_to_read, inspect, read, require_file
from marble_eval.features.stores.digests import DigestMemory
from marble_eval.files.home import home_folder
from marble_eval.units import samples_to_seconds, seconds_to_samples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from marble_eval.features.clip_rules import Cuts
    from marble_eval.features.stores import Store
    from marble_eval.progress import Progress
    from marble_eval.spec import Track


class Unusable(NamedTuple):
    """A track whose audio cannot be used, and why: "missing", "silent", …."""

    track: Track
    reason: str


@dataclass(frozen=True)
class Survey:
    """What a check of the audio found."""

    usable: list[Track]  # in the order given
    digests: dict[str, str]  # digest of the audio, by the track's id
    unusable: list[Unusable]  # in the order given
    cached_clips: int  # in the store
    new_clips: int  # to be encoded, by the files' headers
    cached_rows: int  # the same in rows of the store: clips or frames
    new_rows: int

    def without(self, unusable: Sequence[Unusable]) -> Survey:
        """Return the survey after more tracks turned out to be unusable."""
        gone = {each.track.id for each in unusable}
        return replace(
            self,
            usable=[each for each in self.usable if each.id not in gone],
            digests={name: each for name, each in self.digests.items() if name not in gone},
            unusable=[*self.unusable, *unusable],
        )


def survey(
    tracks: Sequence[Track],
    store: Store,
    cuts: Cuts,
    *,
    readers: int,
    progress: Progress,
) -> Survey:
    """Digest and check the audio of every track, by so many reader threads."""
    memory = DigestMemory(home_folder() / "digests.jsonl")

    def look(track: Track) -> tuple[str, tuple[int, int, int, int]] | Unusable:
        try:
            require_file(track.path)  # digesting a FIFO or /dev/zero has no end
            digest = memory.digest(track.path)
        except UnusableAudio as error:
            return Unusable(track, error.reason)
        except OSError as error:
            return Unusable(track, f"unreadable: {error.strerror or error}")
        stored, rows = store.stored_clips(digest), store.rows(digest)
        if store.is_complete(digest):
            return digest, (stored, 0, rows, 0)
        try:
            clips, all_rows = _ahead(track, cuts)
        except UnusableAudio as error:
            return Unusable(track, error.reason)
        return digest, (stored, max(0, clips - stored), rows, max(0, all_rows - rows))

    usable, digests, unusable = [], {}, []
    counts: dict[str, tuple[int, int, int, int]] = {}
    progress.begin("check", len(tracks))
    pool = ThreadPoolExecutor(readers, thread_name_prefix="survey")
    try:
        for track, found in zip(tracks, pool.map(look, tracks), strict=True):
            progress.advance()
            if isinstance(found, Unusable):
                unusable.append(found)
                continue
            digest, of_track = found
            usable.append(track)
            digests[track.id] = digest
            counts.setdefault(digest, of_track)  # the same audio under two names is encoded once
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        progress.end()
        memory.keep()
    totals = (sum(each) for each in zip(*counts.values(), strict=True)) if counts else (0, 0, 0, 0)
    return Survey(usable, digests, unusable, *totals)


def _ahead(track: Track, cuts: Cuts) -> tuple[int, int]:
    """Return the clips and rows a track will give, after cheap checks."""
    facts = inspect(track.path)
    samples, windowing = facts.samples, cuts.windowing
    if windowing.crop_seconds is not None:
        samples = min(samples, seconds_to_samples(windowing.crop_seconds, facts.sample_rate))
    resampled = -(-samples * cuts.sample_rate // facts.sample_rate)
    lengths = cuts.lengths(resampled)
    is_cheap, is_short = cheap_to_read(track.path), lengths[-1] < cuts.minimum_samples
    if is_cheap and is_short:
        raise UnusableAudio(track.path, _too_short(lengths, cuts))
    if is_cheap or is_short:
        audio, rate = read(track.path, windowing.channels)
        if is_short and len(audio) == samples and rate == facts.sample_rate:
            raise UnusableAudio(track.path, _too_short(lengths, cuts))
    return len(lengths), cuts.rows(resampled)


def _too_short(lengths: list[int], cuts: Cuts) -> str:
    which = "last clip of " if lengths[-1] < lengths[0] else ""
    held = samples_to_seconds(lengths[-1], cuts.sample_rate)
    needed = samples_to_seconds(cuts.minimum_samples, cuts.sample_rate)
    return f"too short: {which}{held:.2f} s, {needed:.4g} s needed"
