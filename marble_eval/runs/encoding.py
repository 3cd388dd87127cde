"""Get the features of every track: from the cache, or from the encoder.

A cached record that fails its checksum is encoded again; a file that only
decoding could find unusable is settled like those found before. Features stay on disk
until they are asked for: those of a large data set would fill the memory twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from marble_eval.errors import MarbleError
from marble_eval.features.audio_check import Unusable
from marble_eval.features.extraction import Extraction, Job, extract

if TYPE_CHECKING:
    import numpy as np

    from marble_eval.features.stores import Store
    from marble_eval.progress import Progress
    from marble_eval.runs.run_plan import RunPlan


class StoredFeatures(Mapping[str, "np.ndarray"]):
    """Features (clip, layer, width) by the digest of the audio, read from disk when asked for."""

    def __init__(self, store: Store, audio: Iterable[str]) -> None:
        self._store, self._audio = store, dict.fromkeys(audio)

    def __getitem__(self, audio: str) -> np.ndarray:
        if audio not in self._audio:
            raise KeyError(audio)
        found = self._store.read(audio)
        if found is None:
            raise MarbleError(
                f"{self._store.folder}: a record that was whole now fails its checksum. Run "
                f"again, and it is encoded anew; if it happens again, check the disk."
            )
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._audio)

    def __len__(self) -> int:
        return len(self._audio)

    def clips(self, audio: str) -> int:
        """Return the number of clips of a file, without reading them."""
        return self._store.clip_count(audio) or 0


class Encoded(NamedTuple):
    """A run with its features, without the tracks that could not be decoded; clips encoded now."""

    prepared: RunPlan
    clips_encoded: int
    seconds: float

    @property
    def features(self) -> StoredFeatures:
        """Return the pooled features (clip, layer, width), by the digest of the audio."""
        return StoredFeatures(self.prepared.plan.store, _audio(self.prepared))


def encode_tracks(prepared: RunPlan, progress: Progress) -> Encoded:
    """Fill the cache where needed, and read all of it once to know that it is whole."""
    extraction = _fill(prepared, prepared.survey.new_clips, progress)
    prepared = _without_lost(prepared, extraction)
    damaged = _damaged(prepared)
    encoded, seconds = extraction.encoded, extraction.seconds
    if damaged:
        progress.say(f"{len(damaged)} cached tracks fail their checksum; they are encoded again")
        repair = _fill(prepared, sum(damaged.values()), progress)
        prepared = _without_lost(prepared, repair)
        encoded, seconds = encoded + repair.encoded, seconds + repair.seconds
        damaged = _damaged(prepared)
    if damaged:
        raise MarbleError(
            f"{prepared.plan.store.folder}: {len(damaged)} records fail their checksum though they "
            f"were just written. Check the disk, or set MARBLE_EVAL_HOME to another one."
        )
    return Encoded(prepared, encoded, seconds)


def _fill(prepared: RunPlan, expected_clips: int, progress: Progress) -> Extraction:
    digests = prepared.survey.digests
    jobs = {
        digests[each.id]: Job(digests[each.id], each.path)
        for each in prepared.survey.usable
        if not prepared.plan.store.is_complete(digests[each.id])
    }
    if not jobs:
        return Extraction()
    return extract(
        list(jobs.values()),
        prepared.encoder,
        prepared.plan.store,
        prepared.plan.cuts,
        expected_clips=expected_clips,
        engine=prepared.settings.engine,
        progress=progress,
        beside=prepared.plan.beside,
    )


def _without_lost(prepared: RunPlan, extraction: Extraction) -> RunPlan:
    if not extraction.unusable:
        return prepared
    digests = prepared.survey.digests
    by_path = {each.path: each.reason for each in extraction.unusable}
    # Tracks with the same bytes share a record, and its fate.
    by_audio = {
        digests[each.id]: by_path[each.path]
        for each in prepared.survey.usable
        if each.path in by_path
    }
    return prepared.without(
        [
            Unusable(each, by_audio[digests[each.id]])
            for each in prepared.survey.usable
            if digests[each.id] in by_audio
        ]
    )


def _audio(prepared: RunPlan) -> dict[str, None]:
    """Name the audio of all tracks, each once, in order."""
    return dict.fromkeys(prepared.survey.digests[each.id] for each in prepared.survey.usable)


def _damaged(prepared: RunPlan) -> dict[str, int]:
    """Count the lost clips of the audio whose features are not as they were written."""
    store, lost = prepared.plan.store, {}
    for each in _audio(prepared):
        clips = store.clip_count(each) or 1  # asked first: of a damaged track it is forgotten
        if not store.is_whole(each):
            lost[each] = clips - store.stored_clips(each)
    return lost
