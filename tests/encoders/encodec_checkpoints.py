"""Tiny checkpoints of EnCodec, made and saved by transformers itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers as typed_transformers

transformers: Any = typed_transformers  # half of it has no types

#: What differs in facebook/encodec_48khz from the defaults, which are facebook/encodec_24khz.
STEREO: dict[str, Any] = {
    "audio_channels": 2,
    "chunk_length_s": 1.0,
    "norm_type": "time_group_norm",
    "normalize": True,
    "overlap": 0.01,
    "sampling_rate": 48000,
    "target_bandwidths": [3.0, 6.0, 12.0, 24.0],
    "use_causal_conv": False,
}
#: The same in little: a rate of 1 or 2 kHz, a hop of 20 samples, 8 or 4 books of 16 vectors.
TINY: dict[str, Any] = {
    "sampling_rate": 1000,
    "upsampling_ratios": [5, 2, 2],
    "num_filters": 4,
    "hidden_size": 12,
    "codebook_size": 16,
    "target_bandwidths": [0.2, 0.4, 1.6],
}
TINY_STEREO: dict[str, Any] = {
    **TINY,
    **STEREO,
    "sampling_rate": 2000,
    "target_bandwidths": [0.4, 1.6],
}


def made(seed: int = 0, **options: Any) -> Any:
    """Make an EnCodec whose code books are about as large as what they stand for."""
    config = transformers.EncodecConfig(**options)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = transformers.EncodecModel(config).requires_grad_(False).eval()
        for parameter in model.parameters():
            parameter.mul_(1 + 0.3 * torch.randn_like(parameter))
        noise = 0.3 * torch.randn(1, config.audio_channels, 40 * config.hop_length)
        spread, mean = torch.std_mean(model.encoder(noise), dim=(0, 2))
        for place, layer in enumerate(model.quantizer.layers):
            drawn = torch.randn(config.codebook_size, config.hidden_size)
            layer.codebook.embed.copy_(0.8**place * spread * drawn + (mean if not place else 0))
    return model


def save_encodec(folder: Path, seed: int = 0, **options: Any) -> Any:
    """Save a tiny EnCodec, `TINY` where the options do not say otherwise, and return it."""
    options = {**TINY, **options}
    model = made(seed, **options)
    model.save_pretrained(folder)
    transformers.EncodecFeatureExtractor(
        feature_size=model.config.audio_channels,
        sampling_rate=model.config.sampling_rate,
        chunk_length_s=model.config.chunk_length_s,
        overlap=model.config.overlap,
    ).save_pretrained(folder)
    return model
