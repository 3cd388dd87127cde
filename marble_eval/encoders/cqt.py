"""Constant-Q statistics: how loud each semitone is, the floor for pitch and for key.

One layer, "cqt". A frame is the constant-Q spectrum in decibels, followed by the deviation of
each bin over the clip, the same in every frame: pooled by mean, a clip becomes the mean and
the standard deviation of its bins. Decibels are relative to a magnitude of 1, not to the
clip's loudest. The magnitudes are those of `librosa.cqt` for a tuning of 0, but for filters
that it makes 3 % longer and anew for each clip.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from marble_eval.encoders.constant_q import ConstantQ
from marble_eval.errors import SpecError
from marble_eval.files.fingerprint import digest_of
from marble_eval.spec import UNSTATED, EncoderCard

_IMPLEMENTATION = 1  # raised when the same audio gives other features
_FLOOR = 1e-5  # a magnitude below counts as this, as in librosa.amplitude_to_db: -100 dB


class CqtEncoder:
    """Constant-Q statistics as an encoder (see `marble_eval.encoders.Encoder`).

    Made by `load_cqt`, which says what the arguments are.
    """

    def __init__(
        self,
        *,
        name: str,
        sample_rate: int,
        hop_length: int,
        n_bins: int,
        bins_per_octave: int,
        card: EncoderCard,
    ) -> None:
        self.name = name
        self.sample_rate = sample_rate
        self.frame_rate = sample_rate / hop_length
        self.layers: Sequence[str] = ["cqt"]
        self.width = 2 * n_bins
        self.minimum_samples = hop_length
        self.parameters = 0
        self.revision = "1"
        self.card = card
        self.normalise = False
        self.device = torch.device("cpu")
        self._transform = ConstantQ(sample_rate, hop_length, n_bins, bins_per_octave)
        self._fingerprint = digest_of(
            ["cqt", _IMPLEMENTATION, sample_rate, hop_length, n_bins, bins_per_octave]
        )

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        """Measure clips of equal length.

        Parameters
        ----------
        audio : torch.Tensor [shape=(batch, samples), float32]
            Mono audio at ``sample_rate``, at least ``minimum_samples`` long.

        Returns
        -------
        torch.Tensor [shape=(batch, 1, 1 + samples // hop_length, 2 * n_bins), float32]
            Decibels, -100 or more, the lowest bin first, and their standard deviation
            over the clip.

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
        magnitudes = self._transform(audio.detach().cpu())
        decibels = 20 * magnitudes.clamp_min(_FLOOR).log10()
        deviation = decibels.std(dim=1, correction=0, keepdim=True).expand_as(decibels)
        return torch.cat([decibels, deviation], dim=2).unsqueeze(1)

    def fingerprint(self) -> str:
        """Return what identifies the options and this implementation."""
        return self._fingerprint


def load_cqt(
    *,
    name: str,
    sample_rate: int,
    hop_length: int,
    n_bins: int,
    bins_per_octave: int,
    card: EncoderCard = UNSTATED,
) -> CqtEncoder:
    """Make the encoder of constant-Q statistics.

    Parameters
    ----------
    name : str
        Name shown in results.
    sample_rate : int
        Rate of the audio, in Hz.
    hop_length : int
        Samples between frames; frame 0 is centred on the first sample. Also the
        shortest clip.
    n_bins : int
        Frequencies, from C1 (32.7 Hz) upwards.
    bins_per_octave : int
        Frequencies in an octave: 12 for semitones.
    card : EncoderCard
        Licence and citation.

    Returns
    -------
    CqtEncoder
        The encoder, with a width of ``2 * n_bins``.

    Raises
    ------
    SpecError
        If a number is not a positive integer, or the highest bin does not lie below
        half the sample rate.

    Examples
    --------
    >>> encoder = load_cqt(
    ...     name="cqt", sample_rate=24000, hop_length=512, n_bins=84, bins_per_octave=12
    ... )
    >>> encoder.hidden_states(torch.zeros(1, 24000)).shape
    torch.Size([1, 1, 47, 168])
    """
    options = {
        "sample_rate": sample_rate,
        "hop_length": hop_length,
        "n_bins": n_bins,
        "bins_per_octave": bins_per_octave,
    }
    for option, value in options.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise SpecError(
                f"encoder {name}: {option!r} must be a positive integer. Got {value!r}."
            )
    try:
        return CqtEncoder(name=name, card=card, **options)
    except ValueError as error:  # the transform's bins do not fit below half the rate
        raise SpecError(f"encoder {name}: {error} Lower 'n_bins'.") from error
