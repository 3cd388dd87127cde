"""Time the probe grid against nothing but its matrix products.

The grid is GTZAN's under marble-v1: 13 layers of width 768 and their learned sum,
six learning rates, 84 probes with 512 hidden units on 443 clips, validated on 197
after every epoch, none of them stopping early. Below it lies what no program can
leave out: the same products in the same shapes, number type, library and threads.
What the ratio is above one goes to Adam, dropout, gathering and bookkeeping.

Both are timed in turn, so that a busy neighbour disturbs both; CPU seconds are
told beside the clock's, since they suffer least from one.
"""

from __future__ import annotations

import argparse
import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import torch

from marble_eval.probes import ProbeData
from marble_eval.probes.grid import GridPlan, layer_choices, run_grid
from marble_eval.probes.matrix_products import fast_products
from marble_eval.progress import Silence
from marble_eval.registry import load_probe, load_task
from marble_eval.registry.configuration import load_engine, load_protocol

if TYPE_CHECKING:
    from collections.abc import Callable

_LAYERS, _WIDTH, _HIDDEN, _CLASSES, _BATCH = 13, 768, 512, 10, 64
_CLIPS = {"train": 443, "valid": 197, "test": 290}  # GTZAN's fault-filtered split


class Seconds(NamedTuple):
    """How long something took, by the clock and by all cores together."""

    clock: float
    cpu: float


class GridRatio(NamedTuple):
    """The grid against its products.

    Attributes
    ----------
    epochs, rounds : int
        Epochs of each probe, and how often each side was timed.
    grid, products : Seconds
        Medians over the rounds.
    ratio, cpu_ratio : float
        Medians over the rounds of grid over products.
    """

    epochs: int
    rounds: int
    grid: Seconds
    products: Seconds
    ratio: float
    cpu_ratio: float

    def __str__(self) -> str:
        return (
            f"grid of 84 probes, {self.epochs} epochs: {self.grid.clock:.1f} s "
            f"({self.grid.cpu:.1f} CPU s), bare products {self.products.clock:.1f} s "
            f"({self.products.cpu:.1f} CPU s), ratio {self.ratio:.2f} "
            f"(CPU {self.cpu_ratio:.2f}), median of {self.rounds}"
        )


def grid_ratio(*, epochs: int = 100, rounds: int = 3) -> GridRatio:
    """Time the grid and its bare products in turn.

    Parameters
    ----------
    epochs : int
        Epochs of each probe; fewer are faster and tell nearly the same.
    rounds : int
        How often each side is timed.

    Returns
    -------
    GridRatio
        The figures; ``str`` makes a line of them.
    """
    plan, data = _grid(epochs)
    pairs = []
    for _ in range(rounds):
        products = _timed(lambda: _bare_products(epochs))
        grid = _timed(lambda: run_grid(plan, data, Silence()))
        pairs.append((grid, products))
    grids, bare = zip(*pairs, strict=True)
    return GridRatio(
        epochs=epochs,
        rounds=rounds,
        grid=_median(grids),
        products=_median(bare),
        ratio=median(grid.clock / products.clock for grid, products in pairs),
        cpu_ratio=median(grid.cpu / products.cpu for grid, products in pairs),
    )


def _grid(epochs: int) -> tuple[GridPlan, dict[str, ProbeData]]:
    """Plan the grid on random features, without early stops."""
    task, protocol = load_task("GTZAN"), load_protocol("marble-v1")
    names = tuple(str(layer) for layer in range(_LAYERS))
    plan = GridPlan(
        task=task,
        layers=layer_choices(names, "all", protocol),
        layer_names=names,
        probe=load_probe("mlp"),
        protocol=protocol,
        rules=replace(
            task.spec.protocols["marble-v1"], max_epochs=epochs, stop_patience=epochs + 1
        ),
        seeds=(0,),
        engine=load_engine("local"),
        device=torch.device("cpu"),
    )
    draws = torch.Generator().manual_seed(0)
    data = {
        split: ProbeData(
            features=torch.randn(_LAYERS, clips, _WIDTH, generator=draws).half(),
            clips=torch.ones(clips, dtype=torch.int64),
            targets=torch.randint(_CLASSES, (clips,), generator=draws),
        )
        for split, clips in _CLIPS.items()
    }
    return plan, data


def _bare_products(epochs: int) -> None:
    """Compute the grid's products alone: one probe a core at a time, sums first."""
    rates = 6
    summed = [_LAYERS - 1] * rates + [0] * (_LAYERS * rates)

    def one(layers: int) -> None:
        torch.set_num_threads(1)
        _probe_products(layers, epochs)

    threads = torch.get_num_threads()
    try:
        with (
            fast_products(torch.device("cpu")),
            ThreadPoolExecutor(os.cpu_count() or 1) as pool,
        ):
            list(pool.map(one, summed))
    finally:
        torch.set_num_threads(threads)


@torch.inference_mode()
def _probe_products(layers: int, epochs: int) -> None:
    """Compute the products of one probe; of a learned sum if it has layers."""
    hidden, output = torch.rand(_WIDTH, _HIDDEN), torch.rand(_HIDDEN, _CLASSES)
    whole, rest = divmod(_CLIPS["train"], _BATCH)
    rows_of_steps = [_BATCH] * whole + [rest] * bool(rest)
    train = {rows: _Pass(rows, layers) for rows in set(rows_of_steps)}
    valid = _Pass(_CLIPS["valid"], layers)
    for _ in range(epochs):
        for rows in rows_of_steps:
            train[rows].forward(hidden, output)
            train[rows].backward(hidden, output)
        valid.forward(hidden, output)


class _Pass:
    """The matrices of one pass, made once."""

    def __init__(self, rows: int, layers: int) -> None:
        self._layers = torch.rand(layers, rows * _WIDTH) if layers else None
        self._shares = torch.rand(1, layers)
        self._by_layer = torch.empty(1, layers)
        self._inputs, self._at_inputs = torch.rand(rows, _WIDTH), torch.empty(rows, _WIDTH)
        self._units, self._inner = torch.rand(rows, _HIDDEN), torch.rand(rows, _HIDDEN)
        self._outputs = torch.rand(rows, _CLASSES)
        self._hidden_gradient = torch.empty(_WIDTH, _HIDDEN)
        self._output_gradient = torch.empty(_HIDDEN, _CLASSES)

    def forward(self, hidden: torch.Tensor, output: torch.Tensor) -> None:
        if self._layers is not None:
            torch.mm(self._shares, self._layers, out=self._inputs.view(1, -1))
        torch.mm(self._inputs, hidden, out=self._units)
        torch.mm(self._units, output, out=self._outputs)

    def backward(self, hidden: torch.Tensor, output: torch.Tensor) -> None:
        torch.mm(self._units.T, self._outputs, out=self._output_gradient)
        torch.mm(self._outputs, output.T, out=self._inner)
        torch.mm(self._inputs.T, self._inner, out=self._hidden_gradient)
        if self._layers is not None:
            torch.mm(self._inner, hidden.T, out=self._at_inputs)
            torch.mm(self._at_inputs.view(1, -1), self._layers.T, out=self._by_layer)


def _timed(work: Callable[[], object]) -> Seconds:
    clock, cpu = time.perf_counter(), time.process_time()
    work()
    return Seconds(time.perf_counter() - clock, time.process_time() - cpu)


def _median(rounds: tuple[Seconds, ...]) -> Seconds:
    return Seconds(median(each.clock for each in rounds), median(each.cpu for each in rounds))


def main() -> None:
    """Time the grid from the command line."""
    parser = argparse.ArgumentParser(description="Time the probe grid against its products.")
    parser.add_argument("--epochs", type=int, default=100, help="epochs of each probe (100)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is timed (3)")
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.info("%s", grid_ratio(epochs=chosen.epochs, rounds=chosen.rounds))


if __name__ == "__main__":
    main()
