"""Extraction from files against the bare encoder on ready clips.

The bare encoder runs as it is fastest on a CPU, one process a core with one
thread each and oneDNN products, on clips that lie in memory. Ours starts from wav files and ends in
the store: decoding, resampling, normalising, pooling, checksums and writing.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
import torch

from marble_eval.audio import prepare
from marble_eval.features.clip_rules import ClipCuts
from marble_eval.features.extraction import Job, extract
from marble_eval.features.stores import PooledStore
from marble_eval.files.fingerprint import file_digest
from marble_eval.probes.matrix_products import fast_products
from marble_eval.progress import Silence
from marble_eval.registry import load_encoder, load_task
from marble_eval.registry.configuration import load_engine, load_protocol

_TRACKS, _SECONDS, _ROUNDS = 10, 30.0, 3
_SIZE = "95M"


class ExtractionRatio(NamedTuple):
    """Throughput of the extraction over that of the bare encoder."""

    ratio: float
    bare_seconds: float
    extract_seconds: float

    def __str__(self) -> str:
        return (
            f"extraction: {self.ratio:.2f} of the bare encoder's throughput (mert-random {_SIZE}, "
            f"{_TRACKS} tracks of {_SECONDS:g} s; bare {self.bare_seconds:.2f} s, from files "
            f"{self.extract_seconds:.2f} s; medians of {_ROUNDS})"
        )


def extraction_ratio() -> ExtractionRatio:
    """Measure both in turn."""
    protocol = load_protocol("marble-v1")
    windowing = protocol.windowing(load_task("GTZAN").spec.protocols[protocol.rules])
    encoder = load_encoder("mert-random", size=_SIZE, device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        paths = _write_tracks(Path(folder))
        clips = [
            prepare(
                path,
                sample_rate=encoder.sample_rate,
                windowing=windowing,
                normalise=True,
                minimum_samples=1,
            )[0]
            for path in paths
        ]
        jobs = [Job(file_digest(path), path) for path in paths]
        bare, ours = [], []
        for turn in range(_ROUNDS):
            bare.append(_bare_seconds(clips))
            store = PooledStore(
                Path(folder) / f"store{turn}",
                layers=len(encoder.layers),
                width=encoder.width,
                dtype="float16",
            )
            outcome = extract(
                jobs,
                encoder,
                store,
                ClipCuts(windowing, True, encoder.sample_rate, 1),
                expected_clips=len(jobs),
                engine=load_engine("local"),
                progress=Silence(),
            )
            ours.append(outcome.seconds)
    medians = statistics.median(bare), statistics.median(ours)
    return ExtractionRatio(medians[0] / medians[1], *medians)


def _write_tracks(folder: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    paths = []
    for number in range(_TRACKS):
        paths.append(folder / f"{number}.wav")
        noise = 0.1 * rng.standard_normal((round(_SECONDS * 44100), 2))
        soundfile.write(paths[-1], noise, 44100)
    return paths


def _bare_seconds(clips: list[np.ndarray]) -> float:
    """Time one process a core, each with its share of the clips, from a common start."""
    context = multiprocessing.get_context("spawn")
    cores = os.cpu_count() or 1
    start, queue = context.Barrier(cores + 1), context.Queue()
    processes = [
        context.Process(target=_encode_all, args=(clips[core::cores], start, queue))
        for core in range(cores)
    ]
    for each in processes:
        each.start()
    start.wait()
    began = time.perf_counter()
    for _ in processes:
        queue.get()
    seconds = time.perf_counter() - began
    for each in processes:
        each.join()
    return seconds


def _encode_all(clips: list[np.ndarray], start: Any, queue: Any) -> None:
    torch.set_num_threads(1)
    encoder = load_encoder("mert-random", size=_SIZE, device="cpu")
    with torch.inference_mode(), fast_products(torch.device("cpu")):
        encoder.hidden_states(torch.from_numpy(clips[0][:24000])[None])
        start.wait()
        for clip in clips:
            encoder.hidden_states(torch.from_numpy(clip)[None])
    queue.put(len(clips))


if __name__ == "__main__":
    sys.stdout.write(f"{extraction_ratio()}\n")
