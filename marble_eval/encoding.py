"""Get the features of every track: from the cache, or from the encoder.

A cached record that fails its checksum is encoded again; a file that only
decoding could find unusable is settled like those found before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from marble_eval.errors import MarbleError
from marble_eval.features.extraction import Extraction, Job, extract
from marble_eval.features.survey import Unusable

if TYPE_CHECKING:
    import numpy as np

    from marble_eval.preparation import Preparation
    from marble_eval.progress import Progress


class Encoded(NamedTuple):
    """The features of a run.

    Attributes
    ----------
    prepared : Preparation
        Without the tracks that could not be decoded.
    features : dict of str to np.ndarray [shape=(clip, layer, width)]
        By the digest of the audio.
    clips_encoded : int
        Clips that went through the encoder now.
    seconds : float
        Time that took.
    """

    prepared: Preparation
    features: dict[str, np.ndarray]
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


def _read(prepared: Preparation) -> tuple[dict[str, np.ndarray], list[str]]:
    """Read all features; also name the audio whose record is damaged."""
    features, damaged = {}, []
    for audio in dict.fromkeys(prepared.survey.digests[t.id] for t in prepared.survey.usable):
        found = prepared.store.read(audio)
        if found is None:
            damaged.append(audio)
        else:
            features[audio] = found
    return features, damaged
