"""Run every benchmark and print what was measured."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable

import torch

from tests.benchmarks.bootstrap import bootstrap_ratio
from tests.benchmarks.extraction import extraction_ratio
from tests.benchmarks.forward import forward_ratio, probe_scores
from tests.benchmarks.grid import grid_ratio
from tests.benchmarks.overhead import cached_overhead, help_ratio
from tests.benchmarks.page import page_figures

if __name__ == "__main__":
    load = os.getloadavg()[0]
    sys.stdout.write(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
        f"torch {torch.__version__}, load {load:.2f} before the start\n"
    )
    measures: tuple[Callable[[], object], ...] = (
        *(help_ratio, forward_ratio, probe_scores, extraction_ratio, grid_ratio, cached_overhead),
        *(page_figures, bootstrap_ratio),
    )
    for measure in measures:
        sys.stdout.write(f"{measure()}\n")
        sys.stdout.flush()
