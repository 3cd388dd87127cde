"""Networks on a spectrogram of one length: AST, Whisper's encoder, CLAP's audio tower.

The checkpoint's own extractor makes the spectrogram, clip by clip, of 10 s or 30 s. Shorter
clips are filled up as their extractors do, and the frames of the filling are dropped;
longer ones are cut into windows (`Grid.windows`), each encoded by itself. Nothing is cut
off, and nothing is drawn by chance.
"""

from __future__ import annotations

import copy
from typing import Any

import torch

from marble_eval.encoders.extracted_models import extracted
from marble_eval.encoders.waveform_models import Grid, listed_states
from marble_eval.errors import SpecError

# AST's extractor looks at 25 ms every 10 ms of audio at 16 kHz, whatever its config says.
_AST_WINDOW, _AST_HOP = 400, 160
_AST_TOKENS = 2  # of the classifier and of distillation; they stand before the patches


class AstReader:
    """The Audio Spectrogram Transformer (arXiv 2104.01778); see `Reader`.

    A frame is the mean of the patches that lie over each other; the two tokens that stand
    for the whole clip are left out.

    Parameters
    ----------
    config, extractor : object
        transformers' config and extractor.
    name : str
        Of the encoder, for messages.

    Raises
    ------
    SpecError
        If the two disagree.
    """

    def __init__(self, config: Any, extractor: Any, name: str) -> None:
        _agree(name, "max_length", config.max_length, extractor.max_length)
        _agree(name, "num_mel_bins", config.num_mel_bins, extractor.num_mel_bins)
        self._extractor = extractor
        self._rows = (config.num_mel_bins - config.patch_size) // config.frequency_stride + 1
        self.grid = Grid(
            sample_rate=extractor.sampling_rate,
            hop_samples=config.time_stride * _AST_HOP,
            minimum_samples=_AST_WINDOW,
            reach_samples=_AST_WINDOW + (config.patch_size - 1) * _AST_HOP,
            window_frames=(config.max_length - config.patch_size) // config.time_stride + 1,
            window_samples=_AST_WINDOW + (config.max_length - 1) * _AST_HOP,
        )
        self.normalise = False
        self.layers, self.width = 1 + config.num_hidden_layers, config.hidden_size

    def inputs(self, audio: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return log-mel frames, filled up with zeros."""
        return extracted(self._extractor, audio, self.grid.sample_rate)

    def states(self, outputs: Any) -> list[torch.Tensor]:
        """Return every layer, the last behind the norm that ends the network."""
        return [
            # (batch, token + row * frame, width) -> (batch, frame, width)
            each[:, _AST_TOKENS:].reshape(len(each), self._rows, -1, each.shape[2]).mean(dim=1)
            for each in listed_states(outputs)
        ]


class WhisperReader:
    """The encoder of Whisper (arXiv 2212.04356); see `Reader`.

    Parameters
    ----------
    config, extractor : object
        transformers' config and extractor.
    name : str
        Of the encoder, for messages.

    Raises
    ------
    SpecError
        If the two disagree, or the extractor adds noise.
    """

    def __init__(self, config: Any, extractor: Any, name: str) -> None:
        frames, samples = config.max_source_positions, extractor.n_samples
        _agree(name, "num_mel_bins", config.num_mel_bins, extractor.feature_size)
        _agree(name, "mel frames", 2 * frames, samples // extractor.hop_length)
        if getattr(extractor, "dither", 0.0):
            raise SpecError(
                f"encoder {name}: 'dither' of preprocessor_config.json must be 0, so that the same "
                f"audio gives the same numbers. Got {extractor.dither!r}."
            )
        self._extractor = extractor
        self.grid = Grid(
            sample_rate=extractor.sampling_rate,
            hop_samples=samples // frames,
            minimum_samples=1,
            window_frames=frames,
            window_samples=samples,
        )
        self.normalise = False
        self.layers, self.width = 1 + config.encoder_layers, config.d_model

    def inputs(self, audio: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return log-mel frames of audio that is filled up with zeros."""
        return extracted(self._extractor, audio, self.grid.sample_rate)

    def states(self, outputs: Any) -> list[torch.Tensor]:
        """Return every layer, the last behind the norm that ends the encoder."""
        return listed_states(outputs)


class ClapReader:
    """The audio tower of CLAP, a Swin transformer (arXiv 2211.06687); see `Reader`.

    Its stages halve both axes and double the width. A frame is the mean over frequency;
    coarser stages are repeated onto the frames of the first, narrower ones filled up with
    zeros. A clip is never drawn from a longer one, and the branch that fuses a long clip's
    overview with its parts is not used: every window is seen in full.

    Parameters
    ----------
    config, extractor : object
        transformers' config of the tower, and extractor.
    name : str
        Of the encoder, for messages.

    Raises
    ------
    SpecError
        If the two disagree.
    """

    def __init__(self, config: Any, extractor: Any, name: str) -> None:
        _agree(name, "num_mel_bins", config.num_mel_bins, extractor.feature_size)
        self._fused = bool(config.enable_fusion)
        self._extractor = copy.copy(extractor)
        if extractor.truncation == "fusion":
            # Its other setting neither draws by chance nor copies; it has filters of its own.
            self._extractor.mel_filters_slaney = extractor.mel_filters
            self._extractor.truncation = "rand_trunc"
        # The spectrogram lies in so many rows below each other, each a part of the window.
        self._parts = config.spec_size // config.num_mel_bins
        stride = config.patch_stride
        stride = stride[1] if isinstance(stride, (list, tuple)) else stride
        frames = self._parts * (config.spec_size // stride)
        _agree(name, "samples in whole frames", 0, extractor.nb_max_samples % frames)
        self.grid = Grid(
            sample_rate=extractor.sampling_rate,
            hop_samples=extractor.nb_max_samples // frames,
            minimum_samples=1,
            window_frames=frames,
            window_samples=extractor.nb_max_samples,
        )
        self.normalise = False
        self.layers = 1 + len(config.depths)
        self.width = config.patch_embeds_hidden_size * 2 ** (len(config.depths) - 1)

    def inputs(self, audio: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return mel frames in decibels, of a clip that is repeated until it is long enough."""
        mel = extracted(self._extractor, audio, self.grid.sample_rate)["input_features"]
        mel = mel.float()
        if self._fused:  # the overview and three parts, which are all the same here
            mel = mel.expand(-1, 4, -1, -1)
        return {"input_features": mel, "is_longer": torch.zeros(len(mel), 1, dtype=torch.bool)}

    def states(self, outputs: Any) -> list[torch.Tensor]:
        """Return every stage, the last behind the norm that ends the tower."""
        frames = [
            # (batch, width, part * row, frame) -> (batch, part * frame, width)
            each.reshape(*each.shape[:2], self._parts, -1, each.shape[3])
            .mean(dim=3)
            .flatten(2)
            .transpose(1, 2)
            for each in outputs.hidden_states[:-1]
        ]
        # (batch, width, row, part * frame)
        return [*frames, outputs.last_hidden_state.mean(dim=2).transpose(1, 2)]


def _agree(name: str, what: str, network: Any, extractor: Any) -> None:
    if network != extractor:
        raise SpecError(
            f"encoder {name}: config.json and preprocessor_config.json must agree on {what}. "
            f"Got {network!r} and {extractor!r}."
        )
