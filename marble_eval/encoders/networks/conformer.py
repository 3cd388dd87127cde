"""The network of MuQ and MusicFM: a log-mel spectrogram, two convolutions, a conformer.

Sources: MusicFM (arXiv 2311.03318), MuQ (arXiv 2501.01108), Conformer (arXiv 2005.08100),
RoFormer's rotary positions (arXiv 2104.09864). Modules have the names of the released
weights; axes are (batch, frame, channel) but where a comment says otherwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import librosa
import torch
from torch import nn
from torch.nn import functional

_WINDOW = 2048  # samples under the spectrogram's window
_FLOOR = 1e-10  # power of -100 dB, below which nothing is heard


@dataclass(frozen=True, slots=True)
class ConformerShape:
    """What is told of a network beside its weights.

    Attributes
    ----------
    sample_rate : int
        Rate of the audio, in Hz.
    hop_samples : int
        Samples between frames of the spectrogram; the network's are four times as far
        apart at 25 Hz, twice at 50 Hz.
    bands : int
        Of the mel spectrogram.
    strides : tuple of int
        Frames that each of the two convolutions moves by.
    channels : int
        Of the convolutions.
    width, layers, heads, inner : int
        Size of a hidden state, number of layers, of heads, and width of the feed-forward.
    taps : int
        Frames under the conformer's convolution.
    mean, deviation : float
        Of the spectrogram in decibels over the training data.
    """

    sample_rate: int
    hop_samples: int
    bands: int
    strides: tuple[int, int]
    channels: int
    width: int
    layers: int
    heads: int
    inner: int
    taps: int
    mean: float
    deviation: float

    def __post_init__(self) -> None:
        if self.heads < 1 or self.width % (2 * self.heads):
            raise ValueError(
                f"'heads' must divide 'width' into an even number. "
                f"Got {self.heads} and {self.width}."
            )


class Conformer(nn.Module):
    """A network that lists its hidden states; weights as torch draws them to begin with."""

    def __init__(self, shape: ConformerShape) -> None:
        super().__init__()
        self.shape = shape
        filters = librosa.filters.mel(
            sr=shape.sample_rate, n_fft=_WINDOW, n_mels=shape.bands, htk=True, norm=None
        )
        self.register_buffer("_filters", torch.from_numpy(filters), persistent=False)
        self.register_buffer("_window", torch.hann_window(_WINDOW), persistent=False)
        self.conv = _Frontend(shape)
        self.conformer = _Encoder(shape)

    def hidden_states(self, audio: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """Encode clips: (batch, samples) -> (batch, layer, frame, width), in float32."""
        device = self.get_buffer("_window").device
        with (
            torch.inference_mode(),
            torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32),
        ):
            layers = self(audio.to(device))
        # Made outside inference mode, so that what is trained on it may keep it.
        states = torch.empty((len(audio), len(layers), *layers[0].shape[1:]), device=device)
        for at, layer in enumerate(layers):
            states[:, at] = layer
        return states

    def forward(self, audio: torch.Tensor) -> list[torch.Tensor]:
        """Return the conformer's input, then each layer (batch, frame, width), the last normed."""
        with torch.autocast(audio.device.type, enabled=False):
            mel = (self._decibels(audio) - self.shape.mean) / self.shape.deviation
        states: list[torch.Tensor] = self.conformer(self.conv(mel.unsqueeze(1)))
        return states

    def _decibels(self, audio: torch.Tensor) -> torch.Tensor:
        """Return (batch, band, frame); the last frame, centred on the end, is left out."""
        window, filters = self.get_buffer("_window"), self.get_buffer("_filters")
        spectrum = torch.stft(
            audio, _WINDOW, self.shape.hop_samples, window=window, return_complex=True
        )
        power = filters @ spectrum[..., :-1].abs().square()
        return 10 * power.clamp_min(_FLOOR).log10()


class _Frontend(nn.Module):
    """Two residual convolutions over (band, frame), and a projection of what is left."""

    def __init__(self, shape: ConformerShape) -> None:
        super().__init__()
        first, second = shape.strides
        self.conv = nn.Sequential(
            _Residual(1, shape.channels, first), _Residual(shape.channels, shape.channels, second)
        )
        self.linear = nn.Linear(shape.channels * (shape.bands // 4), shape.width)

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        x = self.conv(mel)  # (batch, channel, band, frame)
        projected: torch.Tensor = self.linear(x.permute(0, 3, 1, 2).flatten(2))
        return projected


class _Residual(nn.Module):
    def __init__(self, before: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, channels, 3, padding=1, stride=(2, stride))
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(before, channels, 3, padding=1, stride=(2, stride))
        self.bn3 = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        return functional.relu(self.bn3(self.conv3(x)) + inner)


class _Encoder(nn.Module):
    def __init__(self, shape: ConformerShape) -> None:
        super().__init__()
        self.layers = nn.ModuleList([_Layer(shape) for _ in range(shape.layers)])
        self.layer_norm = nn.LayerNorm(shape.width)
        self._turned = shape.width // shape.heads

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        turns = rotations(x.shape[1], self._turned).to(x.device)
        states = [x]
        for layer in self.layers:
            states.append(layer(states[-1], turns))
        states[-1] = self.layer_norm(states[-1])
        return states


class _Layer(nn.Module):
    """Half a feed-forward, attention, a convolution, and the other half."""

    def __init__(self, shape: ConformerShape) -> None:
        super().__init__()
        for name in ("ffn1", "self_attn", "ffn2", "final"):
            self.add_module(f"{name}_layer_norm", nn.LayerNorm(shape.width))
        self.ffn1, self.ffn2 = _FeedForward(shape), _FeedForward(shape)
        self.self_attn = _Attention(shape)
        self.conv_module = _Convolution(shape)

    def forward(self, x: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
        x = x + 0.5 * self.ffn1(self._norm("ffn1", x))
        x = x + self.self_attn(self._norm("self_attn", x), turns)
        x = x + self.conv_module(x)
        return self._norm("final", x + 0.5 * self.ffn2(self._norm("ffn2", x)))

    def _norm(self, name: str, x: torch.Tensor) -> torch.Tensor:
        normed: torch.Tensor = self.get_submodule(f"{name}_layer_norm")(x)
        return normed


class _FeedForward(nn.Module):
    def __init__(self, shape: ConformerShape) -> None:
        super().__init__()
        self.intermediate_dense = nn.Linear(shape.width, shape.inner)
        self.output_dense = nn.Linear(shape.inner, shape.width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        fed: torch.Tensor = self.output_dense(functional.silu(self.intermediate_dense(x)))
        return fed


class _Attention(nn.Module):
    """Attention whose queries and keys come from the turned input, its values do not."""

    def __init__(self, shape: ConformerShape) -> None:
        super().__init__()
        for part in ("q", "k", "v", "out"):
            self.add_module(f"linear_{part}", nn.Linear(shape.width, shape.width))
        self._heads = shape.heads

    def forward(self, x: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
        turned = self._turned(x, turns)
        query, key = self._split("q", turned), self._split("k", turned)
        attended = functional.scaled_dot_product_attention(query, key, self._split("v", x))
        out: torch.Tensor = self.get_submodule("linear_out")(attended.transpose(1, 2).flatten(2))
        return out

    def _turned(self, x: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
        heads = x.view(*x.shape[:2], self._heads, -1)
        first, second = heads.chunk(2, dim=3)
        cosine, sine = turns[0].unsqueeze(1), turns[1].unsqueeze(1)  # (frame, 1, channel)
        return (heads * cosine + torch.cat([-second, first], dim=3) * sine).flatten(2)

    def _split(self, part: str, x: torch.Tensor) -> torch.Tensor:
        mapped: torch.Tensor = self.get_submodule(f"linear_{part}")(x)
        return mapped.view(*x.shape[:2], self._heads, -1).transpose(1, 2)


class _Convolution(nn.Module):
    def __init__(self, shape: ConformerShape) -> None:
        super().__init__()
        width, taps = shape.width, shape.taps
        self.layer_norm = nn.LayerNorm(width)
        self.pointwise_conv1 = nn.Conv1d(width, 2 * width, 1, bias=False)
        self.depthwise_conv = nn.Conv1d(
            width, width, taps, padding=(taps - 1) // 2, groups=width, bias=False
        )
        self.batch_norm = nn.BatchNorm1d(width)
        self.pointwise_conv2 = nn.Conv1d(width, width, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layer_norm(x).transpose(1, 2)  # (batch, channel, frame)
        x = self.depthwise_conv(functional.glu(self.pointwise_conv1(x), dim=1))
        mixed: torch.Tensor = self.pointwise_conv2(functional.silu(self.batch_norm(x)))
        return mixed.transpose(1, 2)


def rotations(frames: int, channels: int) -> torch.Tensor:
    """Return cosine and sine of how far channels of a head are turned: (2, frame, channel).

    Angles fall from one radian a frame by the power law of RoFormer; the second half of
    the channels repeats the first.
    """
    exponents = torch.arange(0, channels, 2).float() / channels
    angles = torch.arange(frames).float()[:, None] * torch.exp(-math.log(10000.0) * exponents)
    both = torch.cat([angles, angles], dim=1)
    return torch.stack([both.cos(), both.sin()])
