"""How networks of transformers take audio, and where they list hidden states.

On the waveform: strided convolutions, then a transformer (HuBERT, wav2vec 2.0, WavLM,
data2vec-audio, of which music2vec is one, UniSpeech, SEW and their like). On a spectrogram of
one length: AST, Whisper's encoder, CLAP's audio tower. The checkpoint's own extractor makes
it; shorter clips are filled up as the extractor does, and the frames of the filling dropped,
longer ones cut into windows (`Grid.windows`). Nothing is cut off, and nothing drawn by chance.
Any other network is tried with its extractor, and the place of its frames is measured.
"""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable
from typing import Any

import torch

from marble_eval.encoders.checkpoints.pretrained import load_extractor
from marble_eval.encoders.checkpoints.repository import Repository
from marble_eval.encoders.networks.transformer import Grid, Reader, called, listed_states
from marble_eval.errors import SpecError

# AST's extractor looks at 25 ms every 10 ms of audio at 16 kHz, whatever its config says.
_AST_WINDOW, _AST_HOP = 400, 160
_AST_TOKENS = 2  # of the classifier and of distillation; they stand before the patches


def reader_of(
    module: Any, repository: Repository, sample_rate: int | None, name: str, *, trusted: bool
) -> Reader:
    """Return the reader of a network: by its type, or by what it takes."""
    kind, config = str(repository.config.get("model_type")), module.config
    waveform = getattr(module, "main_input_name", None) == "input_values"
    if waveform and not trusted and hasattr(config, "conv_stride"):
        return WaveformReader(config, repository, sample_rate, name)
    if sample_rate is not None:
        raise SpecError(
            f"encoder {name}: 'sample_rate' must be null where an extractor says it. "
            f"Got {sample_rate!r}."
        )
    extractor = load_extractor(repository, trusted=trusted)
    if kind in _BY_TYPE and not trusted:
        return _BY_TYPE[kind](config, extractor, name)
    return ExtractedReader(module, extractor, name)


class WaveformReader:
    """Networks that take the waveform itself; see `Reader`."""

    def __init__(
        self, config: Any, repository: Repository, sample_rate: int | None, name: str
    ) -> None:
        # SEW's transformer takes several frames as one, and cannot do with fewer.
        samples = int(getattr(config, "squeeze_factor", 1))
        for kernel, stride in zip(config.conv_kernel[::-1], config.conv_stride[::-1], strict=True):
            samples = (samples - 1) * stride + kernel
        self.grid = Grid(
            sample_rate=rate_of(repository, sample_rate, name),
            hop_samples=math.prod(config.conv_stride),
            minimum_samples=samples,
        )
        self.normalise = normalised(repository)
        self.layers, self.width = 1 + config.num_hidden_layers, config.hidden_size

    def inputs(self, audio: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the audio as it is: normalising belongs to the protocol."""
        return {"input_values": audio}

    def states(self, outputs: Any) -> list[torch.Tensor]:
        """Return every layer, the last as the network gives it out."""
        return listed_states(outputs)


def rate_of(repository: Repository, sample_rate: int | None, name: str) -> int:
    """Return the sample rate, as the checkpoint or else the user says."""
    stated = repository.preprocessor.get("sampling_rate")
    rate = stated if sample_rate is None else sample_rate
    if not isinstance(rate, int) or isinstance(rate, bool) or rate < 1:
        raise SpecError(
            f"encoder {name}: the sample rate of {repository.origin} must be a positive integer. "
            f"Its preprocessor_config.json and 'sample_rate' give {rate!r}. "
            f"Add encoder.sample_rate=16000, or what it was trained with."
        )
    if stated is not None and stated != rate:
        raise SpecError(
            f"encoder {name}: 'sample_rate' must be null or what the checkpoint says. "
            f"Got {rate} and {stated!r}."
        )
    return rate


def normalised(repository: Repository) -> bool:
    """Say whether a checkpoint on the waveform wants it normalised."""
    return bool(repository.preprocessor.get("do_normalize", True))


class AstReader:
    """The Audio Spectrogram Transformer (arXiv 2104.01778); see `Reader`.

    A frame is the mean of the patches that lie over each other; the two tokens that stand
    for the whole clip are left out.
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
    """The encoder of Whisper (arXiv 2212.04356); see `Reader`."""

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


class ExtractedReader:
    """Any other network with an extractor; see `Reader`.

    Where its frames lie is measured with two short clips.
    """

    def __init__(self, module: torch.nn.Module, extractor: Any, name: str) -> None:
        self._extractor, self.normalise = extractor, False
        self._rate = int(extractor.sampling_rate)
        taken = inspect.signature(extractor.__call__).parameters
        self._options = {"truncation": False} if "truncation" in taken else {}
        short, long = self._rate, 9 * self._rate
        tried = [self._tried(module, samples, name) for samples in (short, long)]
        first, second = (max(each.shape[1] for each in states) for states in tried)
        if second <= first:
            raise SpecError(
                f"encoder {name}: {type(module).__name__} must give more frames for a longer clip. "
                f"Got {first} for 1 s and {second} for 9 s."
            )
        self.layers, self.width = len(tried[0]), max(each.shape[2] for each in tried[0])
        self.grid = Grid(
            sample_rate=self._rate,
            hop_samples=measured_hop(long - short, second - first, self._rate),
            minimum_samples=self._shortest(module, name),
        )

    def _shortest(self, module: torch.nn.Module, name: str) -> int:
        """Return the shortest of a few lengths that the network takes."""
        for parts in (10, 4, 2):
            try:
                self._tried(module, self._rate // parts, name)
            except SpecError:
                continue
            return self._rate // parts
        return self._rate

    def _tried(self, module: torch.nn.Module, samples: int, name: str) -> list[torch.Tensor]:
        noise = torch.randn(1, samples, generator=torch.Generator().manual_seed(0)) * 0.1
        device = next(module.parameters()).device
        try:
            inputs = {each: value.to(device) for each, value in self.inputs(noise).items()}
            with torch.inference_mode():
                return self.states(called(module, inputs))
        except Exception as error:  # whatever somebody's network raises for what it does not take
            first = " ".join(str(error).split())[:200]
            raise SpecError(
                f"encoder {name}: {type(module).__name__} must run on audio alone and list hidden "
                f"states. Got {type(error).__name__}: {first} Write an encoder for it "
                f"(encoder.target=module:function)."
            ) from error

    def inputs(self, audio: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return what the extractor makes of the clips."""
        return extracted(self._extractor, audio, self._rate, **self._options)

    def states(self, outputs: Any) -> list[torch.Tensor]:
        """Return every layer, the last as the network gives it out."""
        return listed_states(outputs)


def measured_hop(samples: int, frames: int, sample_rate: int) -> int:
    """Return the hop of a network that gives so many frames more for a longer clip."""
    lowest, highest = samples / (frames + 1), samples / max(frames - 1, 1)
    fitting = range(math.floor(lowest) + 1, math.ceil(highest)) or [round(samples / frames)]
    return max(
        fitting,
        key=lambda hop: (
            max(math.gcd(hop, sample_rate), math.gcd(hop, 4096)),
            -abs(hop * frames - samples),
        ),
    )


def extracted(
    extractor: Any, audio: torch.Tensor, sample_rate: int, **options: bool
) -> dict[str, torch.Tensor]:
    """Run an extractor on clips (batch, samples) of equal length."""
    clips = list(audio.detach().cpu().numpy())
    made = extractor(clips, sampling_rate=sample_rate, return_tensors="pt", **options)
    return {name: value for name, value in made.items() if torch.is_tensor(value)}


def _agree(name: str, what: str, network: Any, extractor: Any) -> None:
    if network != extractor:
        raise SpecError(
            f"encoder {name}: config.json and preprocessor_config.json must agree on {what}. "
            f"Got {network!r} and {extractor!r}."
        )


_BY_TYPE: dict[str, Callable[[Any, Any, str], Reader]] = {
    "audio-spectrogram-transformer": AstReader,
    "clap": ClapReader,
    "clap_audio_model": ClapReader,
    "whisper": WhisperReader,
}
