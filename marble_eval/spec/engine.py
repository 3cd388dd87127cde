"""Where and how wide a run computes (`configs/engine/*.yaml`)."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """Where and how wide the work is done; never part of a result's identity."""

    device: str  # "auto", "cpu", "cuda" or a numbered device
    # Encoders at work side by side: on a CPU threads, 0 for one per core; with Ray its workers, 0
    # for as many as the cluster has GPUs, or CPUs where it has none.
    workers: int
    # Clips in one call of the encoder; 0 for one on a CPU, and on a GPU for the number that a trial
    # finds.
    batch_clips: int
    readers: int  # threads that decode and resample ahead of each encoder
    group_members: int  # probes trained side by side; 0 for three on a CPU and all on a GPU
    # Encoders in processes of their own; 0 for one per GPU where there are several, else none.
    processes: int
    # Ray cluster that encodes: "auto" (the one this machine is part of), "local" (one that is
    # started for the run) or HOST:PORT; None for this machine alone.
    address: str | None
    # What a Ray worker asks the cluster for; None for one GPU, if the cluster has any and the
    # device may be one, and one CPU.
    gpus: float | None
    cpus: float | None

    def __post_init__(self) -> None:
        for name in ("workers", "batch_clips", "group_members", "processes"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name!r} must not be negative. Got {getattr(self, name)!r}.")
        if self.readers < 1:
            raise ValueError(f"'readers' must be at least 1. Got {self.readers!r}.")
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", self.device):
            raise ValueError(
                f"'device' must be auto, cpu, cuda or a numbered one such as cuda:1. "
                f"Got {self.device!r}."
            )
        self._check_cluster()

    def _check_cluster(self) -> None:
        if self.address is None:
            for name in ("gpus", "cpus"):
                if getattr(self, name) is not None:
                    raise ValueError(
                        f"{name!r} belongs to engine=ray. Got {getattr(self, name)!r} without it."
                    )
            return
        if not re.fullmatch(r"auto|local|[^\s:/]+:\d+", self.address):
            raise ValueError(f"'address' must be auto, local or HOST:PORT. Got {self.address!r}.")
        if self.processes:
            raise ValueError(f"'processes' must be 0 with Ray. Got {self.processes!r}.")
        if self.gpus is not None and not self.gpus >= 0:
            raise ValueError(f"'gpus' must not be negative. Got {self.gpus!r}.")
        if self.cpus is not None and not self.cpus > 0:
            raise ValueError(f"'cpus' must be positive. Got {self.cpus!r}.")
