"""Get the features of every track: from the cache, or from the encoder.

A cached record that fails its checksum is encoded again; a file that only
decoding could find unusable is settled like those found before. Features stay on disk
until they are asked for: those of a large data set would fill the memory twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from marble_eval.errors import MarbleError
from marble_eval.features.extraction import Extraction, Job, extract
from marble_eval.features.survey import Unusable

if TYPE_CHECKING:
    import numpy as np

    from marble_eval.features.store import FeatureStore
    from marble_eval.preparation import Preparation
    from marble_eval.progress import Progress


class StoredFeatures(Mapping[str, "np.ndarray"]):
    """The features of a run by the digest of the audio, read from disk when asked for.

    Parameters
    ----------
    store : FeatureStore
        Where they are.
    audio : iterable of str
        Digests; each was found whole.
    """

    def __init__(self, store: FeatureStore, audio: Iterable[str]) -> None:
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
    """The features of a run.

    Attributes
    ----------
    prepared : Preparation
        Without the tracks that could not be decoded.
    features : StoredFeatures of np.ndarray [shape=(clip, layer, width)]
        By the digest of the audio.
    clips_encoded : int
        Clips that went through the encoder now.
    seconds : float
        Time that took.
    """

    prepared: Preparation
    features: StoredFeatures
    clips_encoded: int
    seconds: float


def encode_tracks(prepared: Preparation, progress: Progress) -> Encoded:
    """Fill the cache where needed and read all features.

    Parameters
    ----------
    prepared : Preparation
        What is to be run.
    progress : Progress
        Who is told.

    Returns
    -------
    Encoded
        Every usable track's features.

    Raises
    ------
    MissingError
        If files turn out to be unusable and the run is not to go on.
    MarbleError
        If encoding fails, or the disk does not give back what was written.
    """
    extraction = _fill(prepared, prepared.survey.new_clips, progress)
    prepared = _without_lost(prepared, extraction)
    features, damaged = _read(prepared)
    encoded, seconds = extraction.encoded, extraction.seconds
    if damaged:
        progress.say(f"{len(damaged)} cached tracks fail their checksum; they are encoded again")
        lost_clips = sum(_lost_clips(prepared, each) for each in damaged)
        repair = _fill(prepared, lost_clips, progress)
        prepared = _without_lost(prepared, repair)
        encoded, seconds = encoded + repair.encoded, seconds + repair.seconds
        features, damaged = _read(prepared)
    if damaged:
        raise MarbleError(
            f"{prepared.store.folder}: {len(damaged)} records fail their checksum though they "
            f"were just written. Check the disk, or set MARBLE_EVAL_HOME to another one."
        )
    return Encoded(prepared, features, encoded, seconds)


def _fill(prepared: Preparation, expected_clips: int, progress: Progress) -> Extraction:
    digests = prepared.survey.digests
    jobs = {
        digests[each.id]: Job(digests[each.id], each.path)
        for each in prepared.survey.usable
        if not prepared.store.is_complete(digests[each.id])
    }
    if not jobs:
        return Extraction()
    return extract(
        list(jobs.values()),
        prepared.encoder,
        prepared.store,
        prepared.windowing,
        normalise=prepared.normalise,
        expected_clips=expected_clips,
        engine=prepared.settings.engine,
        progress=progress,
    )


def _without_lost(prepared: Preparation, extraction: Extraction) -> Preparation:
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


def _lost_clips(prepared: Preparation, audio: str) -> int:
    return (prepared.store.clip_count(audio) or 1) - prepared.store.stored_clips(audio)


def _read(prepared: Preparation) -> tuple[StoredFeatures, list[str]]:
    """Read every record once, to know that it is whole; name the audio whose is not."""
    wanted = dict.fromkeys(prepared.survey.digests[t.id] for t in prepared.survey.usable)
    damaged = [audio for audio in wanted if prepared.store.read(audio) is None]
    return StoredFeatures(prepared.store, wanted.keys() - damaged), damaged
