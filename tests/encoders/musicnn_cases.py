"""What the original MusiCNN gave for a clip and for weights that are made the same here.

`tests/data/musicnn/README.md` says how. Both come from integer arithmetic, so that no
random generator of any version has a part in them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from marble_eval.encoders.networks.musicnn import LAYERS, weight_sizes

FOLDER = Path(__file__).parents[1] / "data" / "musicnn"
FRAMES = [0, 100, 187]  # in the first patch, and the first one that only the second has


def uniform(seed: int, count: int) -> np.ndarray:
    """Make numbers in [0, 1): SplitMix64's mixing of a counter, its upper 24 bits."""
    x = np.arange(count, dtype=np.uint64) + np.uint64(seed * 0x9E3779B97F4A7C15 % 2**64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    upper: np.ndarray = ((x ^ (x >> np.uint64(31))) >> np.uint64(40)).astype(np.float64) / 2**24
    return upper


def clip() -> torch.Tensor:
    """Make a clip of 4.125 s: a chirp from 80 to 3,800 Hz with steps in its level, and noise."""
    at = np.arange(66000) / 16000
    chirp = np.sin(2 * np.pi * (80 * at + 450 * at**2))
    levels = (0.2 + 0.8 * uniform(1, 66)).repeat(1000)
    noise = 2 * uniform(2, 66000) - 1
    return torch.from_numpy((0.4 * chirp * levels + 0.05 * noise).astype(np.float32))[None]


def seeded_weights() -> dict[str, torch.Tensor]:
    """Make weights of the full size, two of five factors of the norms negative."""
    weights = {}
    for seed, (name, size) in enumerate(sorted(weight_sizes().items()), start=10):
        u = uniform(seed, int(np.prod(size)))
        if name.endswith("kernel"):
            area = int(np.prod(size[:-2]))
            values = (2 * u - 1) * np.sqrt(6 / (area * (size[-2] + size[-1])))
        else:
            values = {
                "bias": 0.2 * u - 0.1,
                "gamma": 2.5 * u - 1,
                "beta": u - 0.5,
                "moving_mean": u - 0.5,
                "moving_variance": 0.5 + u,
            }[name.rpartition("/")[2]]
        weights[name] = torch.from_numpy(values.reshape(size).astype(np.float32))
    return weights


def differences(states: torch.Tensor, case: str) -> dict[str, float]:
    """Compare the clip's hidden states with stored ones: the largest difference by layer.

    Stored are some frames and the mean of all; differences are relative to the layer's
    largest number. Columns behind a layer's width count as what they differ from 0.
    """
    stored = np.load(FOLDER / f"{case}.npz")
    found = {}
    for layer, frames in zip(LAYERS, states[0].numpy(), strict=True):
        expected = stored[layer]
        got = np.concatenate([frames[FRAMES], frames.mean(0, keepdims=True, dtype=np.float64)])
        got[:, : expected.shape[1]] -= expected
        found[layer] = float(np.abs(got).max() / np.abs(expected).max())
    return found
