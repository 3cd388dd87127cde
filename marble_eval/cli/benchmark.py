"""Speed of a machine as lines of text: what `marble-eval doctor --benchmark` prints."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_SECONDS = 30.0
_FEW, _MANY = 4, 16  # clips on a CPU, and in a batch on a GPU


def show_speed(device: str) -> None:
    """Measure and print, a line at a time."""
    import torch

    from marble_eval.cli.speed import cores, disk_rate, grid_pace, product_rate
    from marble_eval.encoders.loaded import found_device
    from marble_eval.files.home import home_folder

    found = found_device(device, "the benchmark")
    name = f"{cores()} cores" if found.type == "cpu" else torch.cuda.get_device_name(found)
    _line(f"{found}, {name}, load {os.getloadavg()[0]:.1f} before the start")
    rates = {each: product_rate(found, each) for each in (torch.float32, torch.bfloat16)}
    for dtype, rate in rates.items():
        _line(f"products in {str(dtype)[6:]}: {rate / 1e9:.0f} GFLOP/s")
    sizes = ("95M",) if found.type == "cpu" else ("95M", "330M")
    for size in sizes:
        _show_network(size, found, rates[torch.float32])
    pace = grid_pace(found)
    _line(
        f"grid of 84 probes on GTZAN's 930 clips: {1000 * pace.grouped:.2f} ms an epoch of one "
        f"probe, {pace.alone / pace.grouped:.2f} times as fast as one by one"
    )
    home = home_folder()
    home.mkdir(parents=True, exist_ok=True)
    _line(f"disk of {home}: {disk_rate(home) / 1e6:.0f} MB/s written")


def _show_network(size: str, device: torch.device, peak: float) -> None:
    """Tell the throughput of a network, and what its faster precision costs."""
    import torch

    from marble_eval.cli.speed import encoding_rate
    from marble_eval.encoders.networks.hubert_shape import operations, read_shape
    from marble_eval.encoders.networks.hubert_weights import SIZES
    from marble_eval.registry import load_encoder
    from marble_eval.runs.encoder_check import clips

    shape = read_shape({**SIZES[size], "sample_rate": 24000}, size)
    work = operations(shape, round(_SECONDS * shape.sample_rate)) / _SECONDS
    count = _FEW if device.type == "cpu" else _MANY
    pooled = {}
    for precision in ("float32", "bfloat16"):
        encoder = load_encoder("mert-random", size=size, precision=precision, device=str(device))
        rate = encoding_rate(encoder, seconds=_SECONDS, clips=count)
        with torch.inference_mode():
            pooled[precision] = encoder.hidden_states(clips(encoder, 5.0)).mean(dim=2).double()
        _line(
            f"MERT {size} in {precision}: {rate:.1f} s of audio a second (an hour of audio in "
            f"{3600 / rate / 60:.1f} min), {100 * rate * work / peak:.0f} % of the float32 products"
        )
    error = (pooled["bfloat16"] - pooled["float32"]).norm() / pooled["float32"].norm()
    _line(f"MERT {size}: bfloat16 moves pooled features by {100 * float(error):.2f} %")


def _line(text: str) -> None:
    sys.stdout.write(f"     {text}\n")
    sys.stdout.flush()
