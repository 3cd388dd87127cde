"""Log-mel statistics: the floor that a trained encoder must beat.

One layer, "log-mel". A frame is the mel spectrum in decibels, followed by the
deviation of each band over the clip, the same in every frame: pooled by mean, a clip
becomes the mean and the standard deviation of its bands. Decibels are relative to a
power of 1, not to the clip's loudest, so that nothing depends on other audio.
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


class MelEncoder:
    """Log-mel statistics as an encoder (see `marble_eval.encoders.Encoder`).

    Made by `load_mel`, which says what the arguments are.
    """

    def __init__(
        self,
        *,
        name: str,
        sample_rate: int,
        n_fft: int,
        hop_length: int,
        n_mels: int,
        card: EncoderCard,
    ) -> None:
        self.name = name
        self.sample_rate = sample_rate
        self.frame_rate = sample_rate / hop_length
        self.layers: Sequence[str] = ["log-mel"]
        self.width = 2 * n_mels
        self.minimum_samples = n_fft
        self.parameters = 0
        self.revision = "1"
        self.card = card
        self.normalise = False
        self.device = torch.device("cpu")
        self._hop_length, self._n_mels = hop_length, n_mels
        self._fingerprint = digest_of(
            [
                *("log-mel", _IMPLEMENTATION, "librosa", version("librosa")),
                *(sample_rate, n_fft, hop_length, n_mels),
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
        torch.Tensor [shape=(batch, 1, 1 + samples // hop_length, 2 * n_mels), float32]
            Decibels, -100 or more, and their standard deviation over the clip.

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
            n_fft=self.minimum_samples,  # one window is the shortest clip
            hop_length=self._hop_length,
            n_mels=self._n_mels,
        )
        decibels = librosa.power_to_db(power, ref=1.0, top_db=None).swapaxes(1, 2)
        deviation = np.broadcast_to(decibels.std(axis=1, keepdims=True), decibels.shape)
        frames = np.concatenate([decibels, deviation], axis=2, dtype=np.float32)
        return torch.from_numpy(frames).unsqueeze(1)

    def fingerprint(self) -> str:
        """Return what identifies the options and librosa's version."""
        return self._fingerprint


def load_mel(
    *,
    name: str,
    sample_rate: int,
    n_fft: int,
    hop_length: int,
    n_mels: int,
    card: EncoderCard = UNSTATED,
) -> MelEncoder:
    """Make the encoder of log-mel statistics.

    Parameters
    ----------
    name : str
        Name shown in results.
    sample_rate : int
        Rate of the audio, in Hz.
    n_fft : int
        Samples under the window; also the shortest clip.
    hop_length : int
        Samples between frames; frame 0 is centred on the first sample.
    n_mels : int
        Bands, from 0 Hz to half the sample rate.
    card : EncoderCard
        Licence and citation.

    Returns
    -------
    MelEncoder
        The encoder, with a width of ``2 * n_mels``.

    Raises
    ------
    SpecError
        If a number is not a positive integer.

    Examples
    --------
    >>> encoder = load_mel(name="mel", sample_rate=24000, n_fft=2048, hop_length=320, n_mels=128)
    >>> encoder.frame_rate, encoder.width
    (75.0, 256)
    """
    options = {
        "sample_rate": sample_rate,
        "n_fft": n_fft,
        "hop_length": hop_length,
        "n_mels": n_mels,
    }
    for option, value in options.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise SpecError(
                f"encoder {name}: {option!r} must be a positive integer. Got {value!r}."
            )
    return MelEncoder(name=name, card=card, **options)
