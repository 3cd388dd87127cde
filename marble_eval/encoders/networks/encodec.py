"""EnCodec's encoder and its code books, over clips of any length in bounded memory.

A causal network (24 kHz) reads a long clip in pieces: each convolution keeps the end of its
input for the next piece, the LSTM its state, so that the frames are those of one pass. A
network on chunks (48 kHz) encodes each by itself, as `EncodecModel.encode` cuts and scales
them. Other networks take a clip in one pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

_PIECE_SECONDS = 10
_CHUNKS = 4  # encoded together: more are slower on a CPU


class EncodecNetwork:
    """The network, ready to be used from several threads at once."""

    def __init__(self, model: Any, books: Sequence[int], device: torch.device) -> None:
        self._config = model.config
        self._encoder = model.encoder.to(device)
        self._quantizer = model.quantizer.to(device)
        self._books = tuple(books)
        self._device = device
        causal = model.config.use_causal_conv and model.config.norm_type == "weight_norm"
        self._streams = causal and model.config.chunk_length_s is None

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        """Encode clips of equal length: (batch, samples) -> (batch, 1 + books, frame, width)."""
        with torch.inference_mode():
            # On a CPU a batch is slower than its clips one by one.
            size = 1 if self._device.type == "cpu" else max(1, len(audio))
            parts = [self._encoded(part.to(self._device)) for part in torch.split(audio, size)]
            states = torch.cat(parts) if len(parts) > 1 else parts[0]
        return states.clone() if states.is_inference() else states

    def _encoded(self, audio: torch.Tensor) -> torch.Tensor:
        """Write pieces where they belong; of two that overlap, the earlier one stays."""
        samples, width = audio.shape[1], self._config.hidden_size
        sound = audio.unsqueeze(1).expand(-1, self._config.audio_channels, -1)
        frames, filled = self._frames(samples), 0
        states = audio.new_empty(len(audio), 1 + len(self._books), frames, width)
        for first, continuous in self._pieces(sound):
            for layer, piece in enumerate(self._layers(continuous[..., filled - first :])):
                states[:, layer, filled : filled + piece.shape[-1]] = piece.movedim(1, 2)
            filled = max(filled, first + continuous.shape[-1])
        return states

    def _frames(self, samples: int) -> int:
        hop = int(self._config.hop_length)
        if self._config.chunk_length_s is None:
            return -(-samples // hop)
        length = int(self._config.chunk_length)
        return max(at // hop - (-min(length, samples - at) // hop) for at in self._offsets(samples))

    def _offsets(self, samples: int) -> list[int]:
        """List where chunks begin, without one that lies within another."""
        length, stride = self._config.chunk_length, self._config.chunk_stride
        return [at for at in range(0, samples, stride) if at == 0 or at - stride + length < samples]

    def _pieces(self, audio: torch.Tensor) -> Iterator[tuple[int, torch.Tensor]]:
        """Give the encoder's output (batch, width, frame) piece by piece, and its first frame."""
        if self._config.chunk_length_s is not None:
            yield from self._chunks(audio)
            return
        hop = self._config.hop_length
        piece = _PIECE_SECONDS * self._config.sampling_rate // hop * hop
        if not self._streams or audio.shape[2] <= piece:
            yield 0, self._encoder(self._at_level(audio))
            return
        state: dict[torch.nn.Module, Any] = {}
        for at in range(0, audio.shape[2], piece):
            hidden, last = audio[..., at : at + piece], at + piece >= audio.shape[2]
            for layer in self._encoder.layers:
                hidden = _continued(layer, hidden, state, last=last)
            yield at // hop, hidden

    def _chunks(self, audio: torch.Tensor) -> Iterator[tuple[int, torch.Tensor]]:
        """Encode chunks by themselves.

        The LSTM begins anew in each, so that the end of a chunk is better informed than
        the beginning of the next, which overlaps it. A stride of 148.5 frames puts every
        other chunk half a frame, 3.3 ms, before its place.
        """
        length, hop = self._config.chunk_length, self._config.hop_length
        offsets = self._offsets(audio.shape[2])
        whole = [at for at in offsets if at + length <= audio.shape[2]]
        groups = [whole[at : at + _CHUNKS] for at in range(0, len(whole), _CHUNKS)]
        groups += [[at] for at in offsets[len(whole) :]]  # the last may be shorter
        for group in groups:
            chunks = torch.cat([audio[..., at : at + length] for at in group])
            continuous = self._encoder(self._at_level(chunks))
            for at, piece in zip(group, continuous.chunk(len(group)), strict=True):
                yield at // hop, piece

    def _at_level(self, audio: torch.Tensor) -> torch.Tensor:
        """Divide audio by its level, as `EncodecModel` does where its config says so."""
        if not self._config.normalize:
            return audio
        mono = audio.sum(dim=1, keepdim=True) / audio.shape[1]
        return audio / (mono.square().mean(dim=2, keepdim=True).sqrt() + 1e-8)

    def _layers(self, continuous: torch.Tensor) -> Iterator[torch.Tensor]:
        """Give the encoder's output and the sums of code books, each (batch, width, frame)."""
        if continuous.shape[-1] == 0:
            return
        yield continuous
        residual, total = continuous, torch.zeros_like(continuous)
        for count, book in enumerate(self._quantizer.layers[: max(self._books)], start=1):
            decoded = book.decode(book.encode(residual))
            residual, total = residual - decoded, total + decoded
            if count in self._books:
                yield total


def _continued(
    layer: Any, hidden: torch.Tensor, state: dict[torch.nn.Module, Any], *, last: bool
) -> torch.Tensor:
    """Apply a layer of a causal network to what follows the piece before."""
    if hasattr(layer, "lstm"):
        states, state[layer] = layer.lstm(hidden.permute(2, 0, 1), state.get(layer))
        return hidden + states.permute(1, 2, 0)  # type: ignore[no-any-return]
    if hasattr(layer, "block"):
        inner = hidden
        for each in layer.block:
            inner = _continued(each, inner, state, last=last)
        return _continued(layer.shortcut, hidden, state, last=last) + inner
    if not hasattr(layer, "conv"):
        return layer(hidden)  # type: ignore[no-any-return]
    reach, mode = int(layer.padding_total), layer.pad_mode
    if layer in state:
        joined = torch.cat([state[layer], hidden], dim=2)
    else:
        joined = layer._pad1d(hidden, (reach, 0), mode)
    state[layer] = joined[..., joined.shape[2] - reach :].clone()
    if last:  # the end is padded until the last window is full
        missing = int(layer._get_extra_padding_for_conv1d(hidden))
        joined = layer._pad1d(joined, (0, missing), mode)
    return layer.conv(joined)  # type: ignore[no-any-return]
