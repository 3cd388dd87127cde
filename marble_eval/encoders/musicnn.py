"""MusiCNN (arXiv 1909.06654) as an encoder: the baseline of MARBLE, trained to tag music.

Its layers are the features that the original package gives out, and the logits. They have
widths of their own: in the one tensor that an encoder gives, columns behind a layer's width
are 0, which tells a probe nothing. What the back-end has once for a patch of 3 s (pools, units,
logits) stands in each of its frames, so that the mean over a clip is the mean over its patches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import torch

from marble_eval.encoders.musicnn_network import HOP, LAYERS, SAMPLE_RATE, WINDOW, Musicnn
from marble_eval.encoders.musicnn_weights import (
    VARIANTS,
    WIDEST,
    random_weights,
    read_weights,
)
from marble_eval.encoders.placement import found_device
from marble_eval.errors import MissingError, SpecError, near_misses
from marble_eval.files.fingerprint import digest_of, weights_digest
from marble_eval.spec import UNSTATED, EncoderCard, untrained

_IMPLEMENTATION = 1  # raised when the same weights and audio give other hidden states
# Digests of the weights in the source archive of musicnn 0.1.0.
_RELEASED = {
    "ede83ac16b5d2071b8df4a3d92f6cd48": "MTT_musicnn",
    "d94714cb3364a7c6ac409301bb3ee86a": "MSD_musicnn",
}


class MusicnnEncoder:
    """A MusiCNN network as an encoder (see `marble_eval.encoders.Encoder`).

    Parameters
    ----------
    name : str
        Name shown in results.
    weights : mapping of str to torch.Tensor
        The tensors that `marble_eval.encoders.musicnn_weights.weight_sizes` lists.
    revision : str or None
        Which weights they are; None to name them by their digest.
    card : EncoderCard
        Licence, training data and citation.
    device : str
        "auto" (a GPU where there is one), "cpu", "cuda" or a numbered device.

    Raises
    ------
    SpecError
        If the device is not one of these.
    """

    def __init__(
        self,
        *,
        name: str,
        weights: Mapping[str, torch.Tensor],
        revision: str | None,
        card: EncoderCard,
        device: str,
    ) -> None:
        digest = weights_digest(weights.items())
        released = f"musicnn-0.1.0/{_RELEASED[digest]}" if digest in _RELEASED else None
        self.name = name
        self.sample_rate = SAMPLE_RATE
        self.frame_rate = SAMPLE_RATE / HOP
        self.layers: Sequence[str] = list(LAYERS)
        self.width = WIDEST
        self.minimum_samples = WINDOW
        # Means and variances of the norms are measured, not trained.
        self.parameters = sum(
            weight.numel() for name, weight in weights.items() if "/moving_" not in name
        )
        self.revision = revision or released or f"local-{digest[:12]}"
        self.card = card
        self.normalise = False
        self.device = found_device(device, name)
        self._network = Musicnn(weights, self.device)
        # The mel filters are librosa's.
        self._fingerprint = digest_of(
            ["musicnn", digest, _IMPLEMENTATION, "librosa", version("librosa")]
        )

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        """Encode clips of equal length.

        Parameters
        ----------
        audio : torch.Tensor [shape=(batch, samples), float32]
            Mono audio at 16 kHz, at least ``minimum_samples`` long. A clip of less than
            3 s is heard again and again until they are full.

        Returns
        -------
        torch.Tensor [shape=(batch, 9, 1 + samples // 256, 753), float32]
            The hidden states of every layer, on ``device``.

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
        return self._network.hidden_states(audio)

    def fingerprint(self) -> str:
        """Return what identifies the weights, the network and librosa's version."""
        return self._fingerprint


def load_musicnn(
    *,
    name: str,
    path: str | None,
    variant: str,
    random: int | None,
    card: EncoderCard = UNSTATED,
    device: str = "auto",
) -> MusicnnEncoder:
    """Load a released checkpoint from the package that holds it, or make random weights.

    Parameters
    ----------
    name : str
        Name shown in results.
    path : str or None
        Source archive of the package musicnn, or a folder: the package, or what holds
        the folder of the variant. Not needed for random weights.
    variant : {"MTT_musicnn", "MSD_musicnn"}
        Which of its checkpoints.
    random : int or None
        A seed: the same network with random weights, for which nothing is read.
    card, device
        As in `MusicnnEncoder`.

    Returns
    -------
    MusicnnEncoder
        Its ``revision`` names the released weights, or others by their digest.

    Raises
    ------
    MissingError
        If the checkpoint is not there, or is damaged or incomplete.
    SpecError
        If an option is not what it may be, or a weight has another size.

    Examples
    --------
    >>> encoder = load_musicnn(
    ...     name="MusiCNN", path=None, variant="MTT_musicnn", random=0, device="cpu"
    ... )
    >>> encoder.hidden_states(torch.zeros(1, 16000)).shape
    torch.Size([1, 9, 63, 753])
    """
    if variant not in VARIANTS:
        raise SpecError(
            f"encoder {name}: 'variant' must be known. Got {variant!r}. "
            f"{near_misses(str(variant), VARIANTS)}"
        )
    revision = None
    if random is None:
        weights = _read(path, variant)
    else:
        weights, revision = random_weights(random), f"seed-{random}"
        name, card = f"{name} (random {random})", untrained(card)
    return MusicnnEncoder(name=name, weights=weights, revision=revision, card=card, device=device)


def _read(path: str | None, variant: str) -> dict[str, torch.Tensor]:
    """Read the weights, or say where they come from."""
    try:
        if path is None:
            raise MissingError("'path' must name the source archive of musicnn. Got null.")
        return read_weights(Path(path).expanduser(), variant)
    except MissingError as error:
        known = variant.partition("_")[0].lower()
        raise MissingError(
            f"{error} Get the archive, which holds the weights, and name it:\n"
            f"  pip download --no-deps --no-binary musicnn musicnn==0.1.0\n"
            f"  marble-eval run ... encoder=musicnn-{known} encoder.path=musicnn-0.1.0.tar.gz"
        ) from error
