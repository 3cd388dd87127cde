"""Work on every frame, against the encoder, the disk and the products it cannot do without.

Twenty tracks of 30 s with clicks are encoded, trained on, decoded and scored by the
modules of a run. Extraction is held against the encoder on clips in memory. The grid,
of 13 layers of width 768 and their learned sum with six learning rates, is held against
its matrix products alone, and against reading its features once, file by file, after
the kernel was asked to forget them; the grid itself finds them in memory. Each phase is
a process of its own, so the peak of its memory is its own too. Of several rounds the
fastest counts: a neighbour only slows down.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import soundfile
import torch

from marble_eval.probes.grid.frames import counts_of, estimates, train_frame_grid
from marble_eval.probes.matrix_products import fast_products
from marble_eval.progress import Silence
from marble_eval.registry import load_encoder, load_probe, load_task
from marble_eval.registry.configuration import load_engine, load_protocol
from marble_eval.runs.encoding import encode_tracks
from marble_eval.runs.run import settings_of
from marble_eval.runs.run_plan import plan_run
from marble_eval.runs.training import frame_data, grid_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from marble_eval.encoders import Encoder
    from marble_eval.runs.run_plan import RunPlan

_TRACKS = {"train": 12, "valid": 4, "test": 4}
_BATCH = {"train": 22, "valid": 4, "test": 4}  # one of 64 windows: what memory is measured with
_MANY, _ROUNDS, _EPOCHS = 10, 2, 3
_SECONDS, _RATE, _FRAME_RATE, _HOP = 30, 24000, 75, 320
_WIDE, _NARROW = (13, 768), (4, 192)  # layers and width of the stand-in
_MEMBERS, _OUTPUTS, _ROWS = 6, 2, 1000  # learning rates, of beats, of one product
_CPU = torch.device("cpu")

_Figures = dict[str, float]
_Product = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


class FrameRatios(NamedTuple):
    """What each phase takes.

    Attributes
    ----------
    size : str
        Of the random MERT that extracts.
    seconds : dict of str to float
        For an hour of audio; of the grid an epoch, training and validation together.
    peaks : dict of str to float
        Most memory, in MB.
    cold : float
        Share of the features that the disk itself had to give when they were read.
    growth : dict of str to tuple of float
        Most memory for some tracks and for ten times as many, in MB.
    """

    size: str
    seconds: _Figures
    peaks: _Figures
    cold: float
    growth: dict[str, tuple[float, float]]

    def __str__(self) -> str:
        took, grown = self.seconds, self.growth.items()
        return "\n".join(
            [
                f"frames, extraction: {took['bare'] / took['extract']:.2f} of the bare encoder's "
                f"throughput (mert-random {self.size}; an hour of audio {took['extract']:.1f} s, "
                f"bare {took['bare']:.1f} s; {self.peaks['extract']:.0f} MB)",
                self._of_grid("linear"),
                self._of_grid("mlp"),
                f"frames, decoding: an hour of audio {took['dbn']:.1f} s by the network, "
                f"{took['peaks']:.1f} s by peaks, {took['score']:.1f} s for all metrics, one probe "
                f"({self.peaks['decode']:.0f} MB)",
                f"frames, peak memory of {_MANY} times the tracks: "
                + ", ".join(f"{name} {b / a:.2f} ({a:.0f}, {b:.0f} MB)" for name, (a, b) in grown),
            ]
        )

    def _of_grid(self, probe: str) -> str:
        epoch, products, disk = (self.seconds[name] for name in (probe, f"{probe} bare", "read"))
        return (
            f"frames, {probe} grid: an epoch is {epoch / disk:.1f} times reading its features, "
            f"{epoch / products:.2f} times its products (an hour of audio {epoch:.1f} s, products "
            f"{products:.1f} s, reading {disk:.1f} s, {self.cold:.0%} of it from the disk; "
            f"{self.peaks[probe]:.0f} MB)"
        )


def frame_ratios(size: str = "small") -> FrameRatios:
    """Measure every phase, in turn and several times; ``size`` is a random MERT's."""
    rounds: dict[str, list[_Figures]] = {}
    with tempfile.TemporaryDirectory() as folder:
        _write_tracks(Path(folder) / "data", _TRACKS)
        for phase in ["store", *[each for each in _PHASES if each in _TIMED] * _ROUNDS]:
            rounds.setdefault(phase, []).append(_measured(phase, folder, size))
    every = [figures for of_phase in rounds.values() for figures in of_phase]
    return FrameRatios(
        size=size,
        seconds={
            name: min(each[name] for each in every if name in each)
            for name in {name for each in every for name in each}
        },
        peaks={name: max(each["MB"] for each in of_phase) for name, of_phase in rounds.items()},
        cold=min(each["cold"] for each in rounds["read"]),
        growth=_growth(),
    )


def _growth() -> dict[str, tuple[float, float]]:
    names = {"extraction": "store narrow", "grid": "grid narrow", "decoding": "decode narrow"}
    peaks: list[_Figures] = []
    for times in (1, _MANY):
        with tempfile.TemporaryDirectory() as folder:
            _write_tracks(Path(folder) / "data", {name: times * n for name, n in _BATCH.items()})
            peaks.append({name: _measured(phase, folder)["MB"] for name, phase in names.items()})
    return {name: (peaks[0][name], peaks[1][name]) for name in names}


def _measured(phase: str, folder: str, size: str = "small") -> _Figures:
    """Run a phase in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.frames", "--size", size]
    done = subprocess.run(
        [*command, "--phase", phase, "--folder", folder],
        check=True,
        stdout=subprocess.PIPE,
        env={**os.environ, "MARBLE_EVAL_HOME": f"{folder}/home"},
    )
    figures: _Figures = json.loads(done.stdout)
    return figures


class _StandIn:
    """An encoder of any shape that costs little: random maps of the samples of a frame."""

    name, sample_rate, frame_rate = "stand-in", _RATE, float(_FRAME_RATE)

    def __init__(self, shape: tuple[int, int]) -> None:
        self.layers: Sequence[str] = [str(at) for at in range(shape[0])]
        self.width = shape[1]
        draws = torch.Generator().manual_seed(0)
        self._maps = torch.randn(_HOP, shape[0] * shape[1], generator=draws)

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        frames = (audio.unfold(1, _HOP, _HOP) @ self._maps).tanh_()
        shape = (len(audio), -1, len(self.layers), self.width)
        return frames.view(shape).transpose(1, 2)

    def fingerprint(self) -> str:
        return f"stand-in of {len(self.layers)} layers of {self.width}"


class _Epochs(Silence):
    """Notes when each epoch ends."""

    def __init__(self) -> None:
        self.ends: list[float] = []
        self._counts = False

    def begin(self, title: str, total: int) -> None:
        self._counts = title.startswith("epochs")
        self.advance()

    def advance(self, steps: int = 1) -> None:
        if self._counts:
            self.ends.append(time.perf_counter())


def _write_tracks(folder: Path, counts: dict[str, int]) -> None:
    """Write a task of tracks that click in 4/4, each in its tempo, in noise."""
    folder.mkdir()
    rng, moments = np.random.default_rng(0), np.arange(720)
    rows = ["path,beats,split"]
    for name, split in [(f"{s}{number}", s) for s, n in counts.items() for number in range(n)]:
        beats = np.arange(rng.uniform(0.1, 0.6), _SECONDS - 0.1, 60 / rng.uniform(80, 160))
        audio = 0.02 * rng.standard_normal(_SECONDS * _RATE)
        for at, beat in enumerate(beats):
            click = np.exp(-moments / 120) * np.sin(moments * (0.3 if at % 4 else 0.6))
            audio[round(beat * _RATE) :][: len(click)] += 0.6 * click
        soundfile.write(folder / f"{name}.wav", audio, _RATE)
        lines = [f"{beat:.4f} {at % 4 + 1}\n" for at, beat in enumerate(beats)]
        (folder / f"{name}.beats").write_text("".join(lines))
        rows.append(f"{name}.wav,{name}.beats,{split}")
    (folder / "task.yaml").write_text("name: Clicks\nkind: beat\n")
    (folder / "tracks.csv").write_text("\n".join(rows) + "\n")


def _prepared(
    folder: Path,
    encoder: Encoder,
    *,
    probe: str = "linear",
    epochs: int = _EPOCHS,
    decoder: str = "peaks",
) -> RunPlan:
    root = folder / "data"
    settings = settings_of(
        root=root,
        probe=probe,
        protocol=replace(load_protocol("marble-v1"), max_epochs=epochs),
        engine=replace(load_engine("local"), device="cpu"),
        seeds=1,
        frames={"decoder": decoder},
    )
    return plan_run(load_task(str(root)), encoder, settings, Silence())


def _hours(prepared: RunPlan, *splits: str) -> float:
    return sum(each.split in splits for each in prepared.survey.usable) * _SECONDS / 3600


def _store(folder: Path, encoder: Encoder) -> _Figures:
    prepared = _prepared(folder, encoder)
    hours = _hours(prepared, "train", "valid", "test")
    return {"extract": encode_tracks(prepared, Silence()).seconds / hours}


def _extract(folder: Path, size: str) -> _Figures:
    with tempfile.TemporaryDirectory(dir=folder) as home:
        os.environ["MARBLE_EVAL_HOME"] = home
        return _store(folder, load_encoder("mert-random", size=size, device="cpu"))


def _bare(folder: Path, size: str) -> _Figures:
    """Encode clips that lie in memory, on every core one after the other."""
    encoder = load_encoder("mert-random", size=size, device="cpu")
    paths = sorted((folder / "data").glob("*.wav"))
    clips = [torch.from_numpy(soundfile.read(each, dtype="float32")[0])[None] for each in paths]
    seconds = _side_by_side(encoder.hidden_states, clips)
    return {"bare": seconds / (len(clips) * _SECONDS / 3600)}


def _side_by_side(work: Callable[[Any], object], items: Sequence[Any]) -> float:
    def one(item: Any) -> None:
        torch.set_num_threads(1)
        with torch.inference_mode():
            work(item)

    with fast_products(_CPU), ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        began = time.perf_counter()
        list(pool.map(one, items))
        return time.perf_counter() - began


def _read(folder: Path) -> _Figures:
    """Read all features, file by file, after the kernel was asked to forget them."""
    files = sorted((folder / "home").rglob("*.frames"))
    os.sync()  # what is not written yet cannot be forgotten
    for each in files:
        with each.open("rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    content, size, before = bytearray(1 << 22), 0, _from_disk()
    began = time.perf_counter()
    for each in files:
        with each.open("rb", buffering=0) as stream:
            while count := stream.readinto(content):
                size += count
    seconds = time.perf_counter() - began
    hours = len(files) * _SECONDS / 3600
    return {"read": seconds / hours, "cold": min(1.0, (_from_disk() - before) / size)}


def _from_disk() -> int:
    """Return the bytes that the disk gave this process so far."""
    return int(re.findall(r"^read_bytes: (\d+)", Path("/proc/self/io").read_text(), re.M)[0])


def _grid(folder: Path, probe: str, shape: tuple[int, int], epochs: int = _EPOCHS) -> _Figures:
    prepared = _prepared(folder, _StandIn(shape), probe=probe, epochs=epochs)
    clock = _Epochs()
    train_frame_grid(grid_plan(prepared), frame_data(prepared), clock)
    return {probe: float(np.diff(clock.ends).min()) / _hours(prepared, "train", "valid")}


def _products(probe: str) -> _Figures:
    """Compute the products of an epoch, the sums of all layers first, three rates at a time."""
    hidden, half = getattr(load_probe(probe), "hidden", 0), _MEMBERS // 2
    groups = [(_WIDE[0] - 1, half)] * 2 + [(1, _MEMBERS)] * _WIDE[0]
    train, valid = (
        _TRACKS[split] * _SECONDS * _FRAME_RATE // _ROWS for split in ("train", "valid")
    )

    def one(passes: tuple[list[_Product], list[_Product]]) -> None:
        forward, backward = passes
        for left, right, result in [*forward, *backward] * train + forward * valid:
            torch.mm(left, right, out=result)

    seconds = _side_by_side(one, [_passes(*each, hidden) for each in groups])
    hours = (train + valid) * _ROWS / _FRAME_RATE / 3600
    return {f"{probe} bare": seconds / hours}


def _passes(layers: int, members: int, hidden: int) -> tuple[list[_Product], list[_Product]]:
    """Make the matrices of a pass forward and back for probes that read the same."""
    forward: list[_Product] = []
    backward: list[_Product] = []
    width, summed = _WIDE[1], layers > 1
    inputs, at_inputs = (torch.rand(members if summed else 1, _ROWS, width) for _ in range(2))
    # Linear probes of one layer are columns of one product.
    heads, outputs = (members, _OUTPUTS) if summed or hidden else (1, members * _OUTPUTS)
    for head in range(heads):
        features, first = inputs[head if summed else 0], torch.rand(width, hidden or outputs)
        inner, sent = torch.rand(_ROWS, hidden or outputs), torch.rand(_ROWS, outputs)
        if hidden:
            second, units = torch.rand(hidden, outputs), torch.rand(_ROWS, hidden)
            forward += [(features, first, units), (units, second, sent)]
            backward += [(units.T, sent, torch.rand(hidden, outputs)), (sent, second.T, inner)]
        else:
            forward.append((features, first, inner))
        backward.append((features.T, inner, torch.rand_like(first)))
        if summed:
            backward.append((inner, first.T, at_inputs[head]))
    if summed:
        stack, shares = torch.rand(layers, _ROWS * width), torch.rand(members, layers)
        forward.insert(0, (shares, stack, inputs.flatten(1)))
        backward.append((at_inputs.flatten(1), stack.T, torch.rand(members, layers)))
    return forward, backward


def _decode(folder: Path, shape: tuple[int, int]) -> _Figures:
    """Decode and score the test tracks with one probe, each the second time: numba compiles."""
    prepared = _prepared(folder, _StandIn(shape), epochs=1)
    plan, data = replace(grid_plan(prepared), layers={"1": (1,)}), frame_data(prepared)
    _, (layer,), _ = train_frame_grid(plan, data, Silence())
    hours, figures = _hours(prepared, "test"), {}
    for decoder in ("peaks", "dbn"):
        again = _prepared(folder, _StandIn(shape), decoder=decoder)
        test = frame_data(again)["test"]
        for _ in range(2):
            began = time.perf_counter()
            found = estimates(layer.members, test, _CPU)
            figures[decoder] = (time.perf_counter() - began) / hours
    began = time.perf_counter()
    counts_of(found, test, test.source.task.spec.metrics)
    return {**figures, "score": (time.perf_counter() - began) / hours}


_TIMED = ("bare", "extract", "read", "linear", "linear bare", "mlp", "mlp bare", "decode")
_PHASES: dict[str, Callable[[Path, str], _Figures]] = {
    "bare": _bare,
    "extract": _extract,
    "store": lambda folder, _: {"store": _store(folder, _StandIn(_WIDE))["extract"]},
    "read": lambda folder, _: _read(folder),
    "linear": lambda folder, _: _grid(folder, "linear", _WIDE),
    "linear bare": lambda *_: _products("linear"),
    "mlp": lambda folder, _: _grid(folder, "mlp", _WIDE),
    "mlp bare": lambda *_: _products("mlp"),
    "decode": lambda folder, _: _decode(folder, _WIDE),
    "store narrow": lambda folder, _: _store(folder, _StandIn(_NARROW)),
    "grid narrow": lambda folder, _: _grid(folder, "linear", _NARROW, epochs=1),
    "decode narrow": lambda folder, _: _decode(folder, _NARROW),
}


def _peak_megabytes() -> float:
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"^VmHWM:\s+(\d+) kB", status, re.M)[0]) / 1000


def main() -> None:
    """Measure from the command line; ``--phase`` is for the processes that this one starts."""
    parser = argparse.ArgumentParser(description="Time what tasks with an answer a frame do.")
    parser.add_argument("--size", default="small", help="of the random MERT: small, 95M (small)")
    parser.add_argument("--phase", choices=_PHASES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.phase is None:
        load = os.getloadavg()[0]
        sys.stdout.write(f"load {load:.2f} before the start\n{frame_ratios(chosen.size)}\n")
        return
    figures = _PHASES[chosen.phase](chosen.folder, chosen.size)
    sys.stdout.write(json.dumps({**figures, "MB": _peak_megabytes()}))


if __name__ == "__main__":
    main()
