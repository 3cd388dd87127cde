"""Fill the feature cache: workers encode, and this process alone writes, in order.

Clips are encoded where the engine says: by threads of this process, processes with a
GPU each, or a Ray cluster. Records are written in the order of the tracks, one by one,
so a run that was killed and resumed, or lost workers, leaves the same bytes. Only the
size of a batch may move a number, by the rounding of its sums.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from marble_eval.audio import UnusableAudio
from marble_eval.errors import MarbleError
from marble_eval.features.workers.batches import Keep
from marble_eval.features.workers.engines import encoded
from marble_eval.features.workers.messages import Job

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy as np

    from marble_eval.encoders import Encoder
    from marble_eval.features.clip_rules import Cuts
    from marble_eval.features.stores import ClipName, Store
    from marble_eval.progress import Progress
    from marble_eval.spec import EngineSpec

__all__ = ["Extraction", "Job", "extract"]

_FIRST_GUESS = 6  # batches after which the time left is estimated for the first time


@dataclass(slots=True)
class Extraction:
    """What happened while the cache was filled."""

    encoded: int = 0  # clips encoded
    seconds: float = 0.0  # wall time
    # Files that could not be decoded or have changed since they were digested, in the order of the
    # jobs.
    unusable: list[UnusableAudio] = field(default_factory=list)


def extract(
    jobs: Sequence[Job],
    encoder: Encoder,
    store: Store,
    cuts: Cuts,
    *,
    expected_clips: int,
    engine: EngineSpec,
    progress: Progress,
    beside: Keep | None = None,
) -> Extraction:
    """Encode every clip that the store lacks, each audio once, in the order of the jobs.

    ``expected_clips``, by the files' headers, is for the bar and the time left; what is
    kept ``beside`` is made from the same hidden states. Files that cannot be decoded are
    listed, and the others encoded. MarbleError: the encoder fails or does not fit into
    memory, workers cannot be had or kept alive, or the disk is full.
    """
    outcome = Extraction()
    started = time.perf_counter()
    keeps = [Keep(cuts, store), *([] if beside is None else [beside])]
    forms = tuple(each.form for each in keeps)
    by_audio = {each.audio: each for each in jobs}
    progress.begin("encode", expected_clips)
    forecast = _Forecast(expected_clips, progress)
    try:
        wanted = _wanted(by_audio.values(), store)
        with closing(encoded(wanted, len(by_audio), encoder, forms, engine, progress)) as arriving:
            for some in arriving:
                outcome.unusable += [
                    UnusableAudio(by_audio[each.audio].path, each.unusable)
                    for each in some
                    if each.unusable
                ]
                names = [name for each in some for name in each.names]
                if not names:
                    continue
                for at, keep in enumerate(keeps):
                    features = chain.from_iterable(each.features[at] for each in some)
                    _write(keep.store, names, list(features))
                outcome.encoded += len(names)
                progress.advance(len(names))
                forecast.batch_done(len(names))
    finally:
        store.abandon()  # what is written stays
        progress.end()
    outcome.seconds = time.perf_counter() - started
    return outcome


def _wanted(jobs: Iterable[Job], store: Store) -> Iterator[Job]:
    """Ask for what is not stored yet; another process may be encoding too."""
    for job in jobs:
        store.refresh()
        clips = store.clip_count(job.audio)
        wanted = () if clips is None else tuple(store.wanted(job.audio, clips))
        yield job._replace(clips=clips, wanted=wanted)


class _Forecast:
    """Say once, after a few batches, how long all clips will take."""

    def __init__(self, expected_clips: int, progress: Progress) -> None:
        self._expected, self._progress = expected_clips, progress
        self._batches = self._clips = 0
        self._began = 0.0

    def batch_done(self, clips: int) -> None:
        """Count a batch; the first is no measure, since things load on first use."""
        self._batches += 1
        if self._batches == 1:
            self._began = time.perf_counter()
            return
        self._clips += clips
        if self._batches == _FIRST_GUESS:
            pace = (time.perf_counter() - self._began) / self._clips
            self._progress.say(f"about {pace * self._expected / 60:.1f} min for all clips")


def _write(store: Store, names: list[ClipName], features: list[np.ndarray]) -> None:
    try:
        store.append(names, features)
    except OSError as error:
        raise MarbleError(
            f"{store.folder}: features must be writable. Got: {error.strerror or error}. What is "
            f"stored stays intact; make room, or set MARBLE_EVAL_HOME to another disk, and run "
            f"again."
        ) from error
