"""Chroma statistics: how strong each of the twelve pitch classes is, the floor for key.

One layer, "chroma". A frame is the chroma of a constant-Q transform, its strongest
class at 1, followed by the deviation of each class over the clip, the same in every
frame: pooled by mean, a clip becomes the mean and the standard deviation of its classes.
It is what `librosa.feature.chroma_cqt` gives for a tuning of 0, up to about 0.04: librosa
makes its filters anew for each clip, which takes two thirds of its time for a clip of 3 s.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from marble_eval.encoders.constant_q import ConstantQ
from marble_eval.errors import SpecError
from marble_eval.files.fingerprint import digest_of
from marble_eval.spec import UNSTATED, EncoderCard

_IMPLEMENTATION = 1  # raised when the same audio gives other features
_CLASSES = 12  # C, Db, … B; the lowest bin of the transform is a C
_BINS = 3  # to a semitone, so that an instrument a quarter of one off stays in its class
_SILENCE = 1e-30  # a magnitude below is left as it is


class ChromaEncoder:
    """Chroma statistics as an encoder (see `marble_eval.encoders.Encoder`).

    Made by `load_chroma`, which says what the arguments are.
    """

    def __init__(
        self, *, name: str, sample_rate: int, hop_length: int, octaves: int, card: EncoderCard
    ) -> None:
        self.name = name
        self.sample_rate = sample_rate
        self.frame_rate = sample_rate / hop_length
        self.layers: Sequence[str] = ["chroma"]
        self.width = 2 * _CLASSES
        self.minimum_samples = hop_length
        self.parameters = 0
        self.revision = "1"
        self.card = card
        self.normalise = False
        self.device = torch.device("cpu")
        bins = octaves * _CLASSES * _BINS
        self._transform = ConstantQ(sample_rate, hop_length, bins, _CLASSES * _BINS)
        # The middle bin of the three is in tune; the last bin lies just below the next C.
        classes = (torch.arange(bins) + _BINS // 2) // _BINS % _CLASSES
        self._fold = torch.nn.functional.one_hot(classes, _CLASSES).float()  # bin -> class
        self._fingerprint = digest_of(["chroma", _IMPLEMENTATION, sample_rate, hop_length, octaves])

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        """Measure clips of equal length.

        Parameters
        ----------
        audio : torch.Tensor [shape=(batch, samples), float32]
            Mono audio at ``sample_rate``, at least ``minimum_samples`` long.

        Returns
        -------
        torch.Tensor [shape=(batch, 1, 1 + samples // hop_length, 24), float32]
            Pitch classes from C upwards in [0, 1], all 0 in silence, and their standard
            deviation over the clip.

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
        classes = self._transform(audio.detach().cpu()) @ self._fold
        loudest = classes.amax(dim=2, keepdim=True)
        chroma = torch.where(loudest > _SILENCE, classes / loudest.clamp_min(_SILENCE), classes)
        deviation = chroma.std(dim=1, correction=0, keepdim=True).expand_as(chroma)
        return torch.cat([chroma, deviation], dim=2).unsqueeze(1)

    def fingerprint(self) -> str:
        """Return what identifies the options and this implementation."""
        return self._fingerprint


def load_chroma(
    *,
    name: str,
    sample_rate: int,
    hop_length: int,
    octaves: int,
    card: EncoderCard = UNSTATED,
) -> ChromaEncoder:
    """Make the encoder of chroma statistics.

    Parameters
    ----------
    name : str
        Name shown in results.
    sample_rate : int
        Rate of the audio, in Hz.
    hop_length : int
        Samples between frames; frame 0 is centred on the first sample. Also the
        shortest clip.
    octaves : int
        Octaves that are heard, from C1 (32.7 Hz) upwards.
    card : EncoderCard
        Licence and citation.

    Returns
    -------
    ChromaEncoder
        The encoder, with a width of 24.

    Raises
    ------
    SpecError
        If a number is not a positive integer, or the highest octave does not lie
        below half the sample rate.

    Examples
    --------
    >>> encoder = load_chroma(name="chroma", sample_rate=24000, hop_length=2048, octaves=7)
    >>> encoder.hidden_states(torch.zeros(1, 24000)).shape
    torch.Size([1, 1, 12, 24])
    """
    options = {"sample_rate": sample_rate, "hop_length": hop_length, "octaves": octaves}
    for option, value in options.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise SpecError(
                f"encoder {name}: {option!r} must be a positive integer. Got {value!r}."
            )
    try:
        return ChromaEncoder(name=name, card=card, **options)
    except ValueError as error:  # the transform's bins do not fit below half the rate
        raise SpecError(f"encoder {name}: {error} Lower 'octaves'.") from error
