"""Mel-frequency cepstral coefficients and their changes: the floor of older music research.

One layer, "mfcc". A frame is the coefficients with their first and second differences over
9 frames, followed by the deviation of each of these over the clip, the same in every frame:
pooled by mean, a clip becomes means and standard deviations. The coefficients are librosa's
but for one thing: decibels are not cut 80 below the loudest, which may be another clip's.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

import librosa
import numpy as np
import torch

from marble_eval.errors import SpecError
from marble_eval.files.fingerprint import digest_of
from marble_eval.spec import UNSTATED, EncoderCard

_IMPLEMENTATION = 1  # raised when the same audio gives other features
_REACH = 9  # frames under a difference, librosa's default; no clip may have fewer


class MfccEncoder:
    """Cepstral statistics as an encoder (see `marble_eval.encoders.Encoder`).

    Made by `load_mfcc`, which says what the arguments are.
    """

    def __init__(
        self,
        *,
        name: str,
        sample_rate: int,
        n_fft: int,
        hop_length: int,
        n_mels: int,
        n_mfcc: int,
        card: EncoderCard,
    ) -> None:
        self.name = name
        self.sample_rate = sample_rate
        self.frame_rate = sample_rate / hop_length
        self.layers: Sequence[str] = ["mfcc"]
        self.width = 6 * n_mfcc
        self.minimum_samples = max(n_fft, (_REACH - 1) * hop_length)
        self.parameters = 0
        self.revision = "1"
        self.card = card
        self.normalise = False
        self.device = torch.device("cpu")
        self._n_fft, self._hop_length = n_fft, hop_length
        self._n_mels, self._n_mfcc = n_mels, n_mfcc
        self._fingerprint = digest_of(
            [
                *("mfcc", _IMPLEMENTATION, "librosa", version("librosa")),
                *(sample_rate, n_fft, hop_length, n_mels, n_mfcc),
            ]
        )

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        """Measure clips of equal length.

        Parameters
        ----------
        audio : torch.Tensor [shape=(batch, samples), float32]
            Mono audio at ``sample_rate``, at least ``minimum_samples`` long.

        Returns
        -------
        torch.Tensor [shape=(batch, 1, 1 + samples // hop_length, 6 * n_mfcc), float32]
            Coefficients, first and second differences, and the standard deviation of
            each over the clip.

        Raises
        ------
        ValueError
            If the audio has other axes or another type, or is too short.
        """
        if audio.ndim != 2 or audio.dtype != torch.float32:
            raise ValueError(
                f"audio must be float32 of shape (batch, samples). "
                f"Got {audio.dtype} of shape {tuple(audio.shape)}."
            )
        if audio.shape[1] < self.minimum_samples:
            raise ValueError(
                f"audio must have at least {self.minimum_samples} samples. "
                f"Got {audio.shape[1]}. Use longer clips."
            )
        power = librosa.feature.melspectrogram(
            y=audio.detach().cpu().numpy(),
            sr=self.sample_rate,
            n_fft=self._n_fft,
            hop_length=self._hop_length,
            n_mels=self._n_mels,
        )
        decibels = librosa.power_to_db(power, ref=1.0, top_db=None)
        cepstra = librosa.feature.mfcc(S=decibels, n_mfcc=self._n_mfcc)
        changes = [
            librosa.feature.delta(cepstra, width=_REACH, order=order, axis=-1) for order in (1, 2)
        ]
        measured = np.concatenate([cepstra, *changes], axis=1).swapaxes(1, 2)
        deviation = np.broadcast_to(measured.std(axis=1, keepdims=True), measured.shape)
        frames = np.concatenate([measured, deviation], axis=2, dtype=np.float32)
        return torch.from_numpy(frames).unsqueeze(1)

    def fingerprint(self) -> str:
        """Return what identifies the options, this implementation and librosa's version."""
        return self._fingerprint


def load_mfcc(
    *,
    name: str,
    sample_rate: int,
    n_fft: int,
    hop_length: int,
    n_mels: int,
    n_mfcc: int,
    card: EncoderCard = UNSTATED,
) -> MfccEncoder:
    """Make the encoder of cepstral statistics.

    Parameters
    ----------
    name : str
        Name shown in results.
    sample_rate : int
        Rate of the audio, in Hz.
    n_fft : int
        Samples under the window; a clip has as many, and 9 frames, at least.
    hop_length : int
        Samples between frames; frame 0 is centred on the first sample.
    n_mels : int
        Bands, from 0 Hz to half the sample rate.
    n_mfcc : int
        Coefficients, at most as many as bands; the first one is the level.
    card : EncoderCard
        Licence and citation.

    Returns
    -------
    MfccEncoder
        The encoder, with a width of ``6 * n_mfcc``.

    Raises
    ------
    SpecError
        If a number is not a positive integer, or there are more coefficients than bands.

    Examples
    --------
    >>> encoder = load_mfcc(
    ...     name="mfcc", sample_rate=24000, n_fft=2048, hop_length=320, n_mels=128, n_mfcc=20
    ... )
    >>> encoder.frame_rate, encoder.width
    (75.0, 120)
    """
    options = {
        "sample_rate": sample_rate,
        "n_fft": n_fft,
        "hop_length": hop_length,
        "n_mels": n_mels,
        "n_mfcc": n_mfcc,
    }
    for option, value in options.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise SpecError(
                f"encoder {name}: {option!r} must be a positive integer. Got {value!r}."
            )
    if n_mfcc > n_mels:
        raise SpecError(f"encoder {name}: 'n_mfcc' must be at most {n_mels} bands. Got {n_mfcc}.")
    return MfccEncoder(name=name, card=card, **options)
