"""How fast this machine is at what a run does: products, an encoder, the grid, the disk.

Figures are for comparing machines and settings, each the best of a few rounds, since a
neighbour only slows things down. On a CPU one thread a core works on clips or products
of its own, as extraction does; on a GPU one call works on a batch.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch

from marble_eval.encoders import facts_of
from marble_eval.probes import ProbeData
from marble_eval.probes.grid import GridPlan, layer_choices, run_grid
from marble_eval.probes.matrix_products import fast_products
from marble_eval.progress import Silence
from marble_eval.registry import load_probe, load_task
from marble_eval.registry.configuration import load_engine, load_protocol

if TYPE_CHECKING:
    from marble_eval.encoders import Encoder

_ROWS, _WIDTH, _INNER = 2249, 768, 3072  # the feed-forward product of MERT-v1-95M for 30 s
_CLIPS = {"train": 443, "valid": 197, "test": 290}  # GTZAN's fault-filtered split
_LAYERS, _CLASSES = 13, 10


class GridPace(NamedTuple):
    """Seconds an epoch of one probe takes in a grid."""

    grouped: float
    alone: float


def _best(work: Callable[[], object], rounds: int, device: torch.device) -> float:
    took = []
    for _ in range(rounds + 1):  # the first one warms up
        started = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        took.append(time.perf_counter() - started)
    return min(took[1:])


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


def _side_by_side(work: Callable[[int], object], count: int) -> None:
    """Do independent work with one thread of arithmetic a core."""

    def one(number: int) -> None:
        torch.set_num_threads(1)
        with torch.inference_mode():
            work(number)

    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(cores()) as pool:
            list(pool.map(one, range(count)))
    finally:
        torch.set_num_threads(threads)


def product_rate(device: torch.device, dtype: torch.dtype = torch.float32) -> float:
    """Measure matrix products of the size that a transformer has."""
    left = torch.ones(_ROWS, _WIDTH, dtype=dtype, device=device)
    right = torch.ones(_WIDTH, _INNER, dtype=dtype, device=device)
    each, lanes = 4, cores() if device.type == "cpu" else 1

    def some(_: int) -> None:
        for _again in range(each):
            left @ right

    with fast_products(device):
        work: Callable[[], object] = lambda: some(0)  # noqa: E731 - one of two
        if device.type == "cpu":
            work = lambda: _side_by_side(some, lanes)  # noqa: E731
        seconds = _best(work, 5, device)
    return lanes * each * 2 * _ROWS * _WIDTH * _INNER / seconds


def encoding_rate(encoder: Encoder, *, seconds: float, clips: int, rounds: int = 2) -> float:
    """Return the seconds of audio an encoder takes per second; on a GPU the clips are one batch."""
    device = torch.device(facts_of(encoder).device)
    draws = torch.Generator().manual_seed(0)
    audio = torch.randn(clips, round(seconds * encoder.sample_rate), generator=draws) * 0.1
    audio = audio.to(device)

    def one(number: int) -> None:
        encoder.hidden_states(audio[number : number + 1]).mean(dim=2)

    def together() -> None:
        if device.type == "cpu":
            _side_by_side(one, clips)
        else:
            encoder.hidden_states(audio).mean(dim=2)

    with fast_products(device), torch.inference_mode():
        return clips * seconds / _best(together, rounds, device)


def grid_pace(device: torch.device, *, epochs: int = 10) -> GridPace:
    """Measure the grid of 84 probes on features of GTZAN's size."""
    task, protocol = load_task("GTZAN"), load_protocol("marble-v1")
    names = tuple(str(layer) for layer in range(_LAYERS))
    layers = layer_choices(names, "all", protocol)
    rules = replace(task.spec.protocols["marble-v1"], max_epochs=epochs, stop_patience=epochs + 1)
    draws = torch.Generator().manual_seed(0)
    data = {
        split: ProbeData(
            features=torch.randn(_LAYERS, clips, _WIDTH, generator=draws).half(),
            clips=torch.ones(clips, dtype=torch.int64),
            targets=torch.randint(_CLASSES, (clips,), generator=draws),
        )
        for split, clips in _CLIPS.items()
    }

    def pace(members: int) -> float:
        plan = GridPlan(
            task=task, layers=layers, layer_names=names, probe=load_probe("mlp"),
            protocol=protocol, rules=rules, seeds=(0,), device=device,
            engine=replace(load_engine("local"), group_members=members),
        )  # fmt: skip
        probes = len(layers) * len(protocol.learning_rates)
        return _best(lambda: run_grid(plan, data, Silence()), 1, device) / (probes * epochs)

    return GridPace(grouped=pace(0), alone=pace(1))


def disk_rate(folder: Path, megabytes: int = 256) -> float:
    """Measure how fast a folder's disk takes what it must keep."""
    block = os.urandom(2**20)
    with tempfile.NamedTemporaryFile(dir=folder) as stream:
        started = time.perf_counter()
        for _ in range(megabytes):
            stream.write(block)
        stream.flush()
        os.fsync(stream.fileno())
        return megabytes * len(block) / (time.perf_counter() - started)
