"""What a run costs beside its probes, and what help costs beside Python."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from marble_eval.results import read_result
from tests.conftest import write_small_task

_ROUNDS = 9


class HelpRatio(NamedTuple):
    """Time of `marble-eval --help` over that of an empty Python program."""

    ratio: float
    python_seconds: float
    help_seconds: float

    def __str__(self) -> str:
        return (
            f"help: {self.ratio:.2f} times `python -c pass` ({1000 * self.help_seconds:.0f} ms "
            f"against {1000 * self.python_seconds:.0f} ms; medians of {_ROUNDS})"
        )


class CachedOverhead(NamedTuple):
    """A run on a full cache, without its probe training."""

    seconds: float
    whole_seconds: float
    train_seconds: float

    def __str__(self) -> str:
        return (
            f"full cache: {self.seconds:.1f} s outside probe training (whole command "
            f"{self.whole_seconds:.1f} s, training {self.train_seconds:.1f} s)"
        )


def help_ratio() -> HelpRatio:
    """Measure both in turn."""
    script = Path(sys.executable).with_name("marble-eval")
    bare, ours = [], []
    for _ in range(_ROUNDS):
        bare.append(_seconds([sys.executable, "-c", "pass"]))
        ours.append(_seconds([str(script), "--help"]))
    medians = statistics.median(bare), statistics.median(ours)
    return HelpRatio(medians[1] / medians[0], *medians)


def cached_overhead() -> CachedOverhead:
    """Run a small task twice, the second time with `--force` on a full cache."""
    with tempfile.TemporaryDirectory() as folder:
        task = write_small_task(Path(folder) / "small")
        environment = {**os.environ, "MARBLE_EVAL_HOME": f"{folder}/home"}
        job = [sys.executable, "-m", "marble_eval", "run", f"task={task}", "encoder=mel"]
        job += [f"results={folder}/results", "--force"]
        _seconds(job, environment)
        whole = _seconds(job, environment)
        (path,) = Path(folder, "results").rglob("result.json")
        trained = read_result(path).cost.train_seconds
    return CachedOverhead(whole - trained, whole, trained)


def _seconds(command: list[str], environment: dict[str, str] | None = None) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.stdout.write(f"{help_ratio()}\n{cached_overhead()}\n")
