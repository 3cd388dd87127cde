"""Our forward pass against transformers' HubertModel as it comes, on the same clips.

Ten clips of 30 s, the network of MERT-v1-95M with random weights. transformers runs as its
users call it: scaled dot-product attention, a clip a call, every core in each call. Ours
runs as extraction does: a thread a core. Both in float32, ours in bfloat16 too, told with
what that does to pooled features and to the score of a probe on embedded music. The
machine's peak is what its float32 products reach on all cores.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any, NamedTuple

import torch

import marble_eval
from marble_eval.cli.speed import encoding_rate, product_rate
from marble_eval.encoders.networks.hubert_shape import operations, read_shape
from marble_eval.encoders.networks.hubert_weights import SIZES
from marble_eval.registry import load_encoder

_SECONDS, _SIZE, _TASK = 30.0, "95M", "EmbeddedTagging"
_CPU = torch.device("cpu")


class ForwardRatio(NamedTuple):
    """Seconds of audio a second, and what bfloat16 costs.

    Attributes
    ----------
    clips, rounds : int
        Clips of 30 s, and how often each side was timed; the best counts.
    transformers, float32, bfloat16 : float
        Seconds of audio a second.
    peak : float
        Part of the float32 products' rate that ours reaches in float32.
    error : float
        What bfloat16 moves pooled features by, relative to their size.
    """

    clips: int
    rounds: int
    transformers: float
    float32: float
    bfloat16: float
    peak: float
    error: float

    def __str__(self) -> str:
        return (
            f"forward ({self.clips} clips of {_SECONDS:g} s, mert-random {_SIZE}): float32 "
            f"{self.float32 / self.transformers:.2f} times transformers, bfloat16 "
            f"{self.bfloat16 / self.transformers:.2f} times ({self.transformers:.2f}, "
            f"{self.float32:.2f}, {self.bfloat16:.2f} s of audio a second; best of "
            f"{self.rounds}); float32 at {100 * self.peak:.0f} % of the products' peak; bfloat16 "
            f"moves pooled features by {100 * self.error:.2f} %"
        )


def forward_ratio(*, clips: int = 10, rounds: int = 2) -> ForwardRatio:
    """Measure all three in turn.

    Parameters
    ----------
    clips, rounds : int > 0
        As in `ForwardRatio`.

    Returns
    -------
    ForwardRatio
        The figures; ``str`` makes a line of them.
    """
    theirs, single, half, peaks = [], [], [], []
    for _ in range(rounds):
        theirs.append(_transformers_rate(clips))
        single.append(_rate("float32", clips))
        half.append(_rate("bfloat16", clips))
        peaks.append(product_rate(_CPU))
    shape = read_shape({**SIZES[_SIZE], "sample_rate": 24000}, _SIZE)
    work = operations(shape, round(_SECONDS * 24000)) / _SECONDS
    return ForwardRatio(
        clips=clips,
        rounds=rounds,
        transformers=max(theirs),
        float32=max(single),
        bfloat16=max(half),
        peak=max(single) * work / max(peaks),
        error=_error(),
    )


def _rate(precision: str, clips: int) -> float:
    encoder = load_encoder("mert-random", size=_SIZE, precision=precision, device="cpu")
    return encoding_rate(encoder, seconds=_SECONDS, clips=clips, rounds=1)


def _transformers_rate(clips: int) -> float:
    from transformers import HubertConfig, HubertModel

    model: Any = HubertModel(HubertConfig(**SIZES[_SIZE]))
    model.eval()
    audio = torch.randn(clips, 1, round(_SECONDS * 24000)) * 0.1
    with torch.inference_mode():
        model(audio[0, :, :24000])
        started = time.perf_counter()
        for clip in audio:
            states = model(clip, output_hidden_states=True).hidden_states
            torch.stack([each.mean(dim=1) for each in states])
        return clips * _SECONDS / (time.perf_counter() - started)


def _error() -> float:
    audio = torch.randn(4, 5 * 24000, generator=torch.Generator().manual_seed(1)) * 0.1
    pooled = [
        load_encoder("mert-random", size=_SIZE, precision=each, device="cpu")
        .hidden_states(audio)
        .mean(dim=2)
        for each in ("float32", "bfloat16")
    ]
    return float((pooled[1] - pooled[0]).norm() / pooled[0].norm())


def probe_scores() -> str:
    """Score a probe on features of both precisions.

    Returns
    -------
    str
        A line: the main metric with its interval for each, in percent.
    """
    told = []
    for precision in ("float32", "bfloat16"):
        encoder = load_encoder("mert-random", size=_SIZE, precision=precision, device="cpu")
        metrics = marble_eval.evaluate(encoder, _TASK, layers=(0, 6, 12), seeds=3).metrics
        name, score = next(iter(metrics.items()))
        low, high = 100 * score.low, 100 * score.high
        told.append(f"{precision} {100 * score.value:.1f} [{low:.1f}, {high:.1f}]")
    return f"probe on {_TASK}, {name}: {', '.join(told)}"


def main() -> None:
    """Time the forward pass from the command line."""
    parser = argparse.ArgumentParser(description="Time our forward pass against transformers.")
    parser.add_argument("--clips", type=int, default=10, help="clips of 30 s (10)")
    parser.add_argument("--rounds", type=int, default=2, help="how often each is timed (2)")
    chosen = parser.parse_args()
    sys.stdout.write(f"{forward_ratio(clips=chosen.clips, rounds=chosen.rounds)}\n")
    sys.stdout.write(f"{probe_scores()}\n")


if __name__ == "__main__":
    main()
