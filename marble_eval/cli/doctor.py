"""`marble-eval doctor`: is this machine fit, and if not, what mends it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from marble_eval.cli.arguments import Arguments
from marble_eval.errors import MarbleError
from marble_eval.files.home import check_writable, home_folder, is_offline

if TYPE_CHECKING:
    from collections.abc import Callable

HELP = """\
marble-eval doctor: check this machine: packages, device, decoders, folders

usage: marble-eval doctor [--benchmark] [--device DEVICE]

Prints a line a check, "ok" or "BAD" with what mends it; exit 1 if one is bad.

  --benchmark   then this machine's own speed: products, MERT's network with random weights in
                float32 and bfloat16, the grid of probes, the disk; minutes on a CPU
  --device      of the benchmark: auto (default), cpu, cuda, cuda:1

examples:
  marble-eval doctor
  marble-eval doctor --benchmark
"""

_NEEDED = ("torch", "transformers", "librosa", "soundfile", "soxr", "scikit-learn", "hydra-core")
_DEMO = ("pretty_midi", "tinysoundfont")


def main(argv: list[str]) -> int:
    """Check the machine."""
    parser = Arguments("doctor")
    parser.add_argument("--benchmark", action="store_true")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args(argv)
    checks: dict[str, Callable[[], str]] = {
        "packages": _packages,
        "demo": _demo_packages,
        "device": _device,
        "audio": _decoders,
        "home": _home,
        "network": _network,
    }
    bad = 0
    for name, check in checks.items():
        try:
            sys.stdout.write(f"ok   {name:<9} {check()}\n")
        except _Bad as error:
            bad += 1
            sys.stdout.write(f"BAD  {name:<9} {error}\n")
    if bad:
        return 1
    if options.benchmark:
        from marble_eval.cli.benchmark import show_speed

        show_speed(options.device)
    return 0


class _Bad(Exception):
    """A check failed; the message says what mends it."""


def _installed(names: tuple[str, ...], mend: str) -> str:
    found = []
    for name in names:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            raise _Bad(f"{name} is not installed: {mend}") from None
    return ", ".join(found)


def _packages() -> str:
    return _installed(_NEEDED, "pip install marble-eval")


def _demo_packages() -> str:
    return _installed(_DEMO, "pip install pretty_midi and pip install --no-deps tinysoundfont")


def _device() -> str:
    import torch

    if torch.cuda.is_available():
        return f"cuda: {torch.cuda.get_device_name()}"
    return f"cpu, {os.cpu_count()} cores, {torch.get_num_threads()} threads"


def _decoders() -> str:
    import numpy as np
    import soundfile

    from marble_eval.audio import read

    tone = 0.1 * np.sin(np.arange(24000) * 0.1)
    decoded = []
    with tempfile.TemporaryDirectory() as folder:
        for extension in ("wav", "flac", "ogg", "mp3"):
            path = Path(folder) / f"tone.{extension}"
            try:
                soundfile.write(path, tone, 24000)
                read(path, "mean")
            except (RuntimeError, ValueError) as error:
                raise _Bad(f"{extension}: {error}. pip install --upgrade soundfile") from None
            decoded.append(extension)
    return "reads " + ", ".join(decoded)


def _home() -> str:
    home = home_folder()
    try:
        existing = check_writable(home, "the home", "Set MARBLE_EVAL_HOME to another folder.")
    except MarbleError as error:
        raise _Bad(str(error)) from None
    free = shutil.disk_usage(existing).free / 1e9
    return f"{home}, {free:.0f} GB free"


def _network() -> str:
    return "off (HF_HUB_OFFLINE)" if is_offline() else "used only to fetch weights and split lists"
