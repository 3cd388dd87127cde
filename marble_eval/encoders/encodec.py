"""EnCodec (arXiv 2210.13438) as an encoder: what a codec keeps at each bandwidth.

The layer "continuous" is the encoder's output before it is quantised, "rvq1", "rvq2", "rvq4",
… the decoded sum of that many code books. The codes of a higher bandwidth begin with those
of a lower one, so the audio is encoded once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from marble_eval.encoders.checkpoint import CONFIG, PREPROCESSOR, WEIGHTS
from marble_eval.encoders.encodec_network import EncodecNetwork
from marble_eval.encoders.encodec_weights import read_encodec
from marble_eval.encoders.hub import located
from marble_eval.encoders.placement import found_device
from marble_eval.errors import MissingError
from marble_eval.files.fingerprint import digest_of, weights_digest
from marble_eval.spec import UNSTATED, EncoderCard, untrained

_IMPLEMENTATION = 1  # raised when the same weights and audio give other hidden states
_BOOKS = (1, 2, 4, 8, 16, 32)  # as many code books as the model has
# What config.json says that the sizes of the weights do not.
_CONFIG = (
    *("audio_channels", "chunk_length_s", "dilation_growth_rate", "normalize", "norm_type"),
    *("overlap", "pad_mode", "sampling_rate", "upsampling_ratios", "use_causal_conv"),
)


class EncodecEncoder:
    """EnCodec as an encoder (see `marble_eval.encoders.Encoder`).

    Parameters
    ----------
    name : str
        Name shown in results.
    model : transformers.EncodecModel
        With its weights; it is kept, and must not be changed.
    weights : mapping of str to torch.Tensor
        What its layers depend on, as the checkpoint has it.
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
        model: Any,
        weights: Mapping[str, torch.Tensor],
        revision: str | None,
        card: EncoderCard,
        device: str,
    ) -> None:
        import transformers  # noqa: PLC0415 - it takes seconds

        config = model.config
        digest = weights_digest(weights.items())
        books = [each for each in _BOOKS if each <= config.num_quantizers]
        self.name = name
        self.sample_rate = int(config.sampling_rate)
        self.frame_rate = config.sampling_rate / config.hop_length
        self.layers: Sequence[str] = ["continuous", *(f"rvq{each}" for each in books)]
        self.width = int(config.hidden_size)
        self.minimum_samples = int(config.hop_length)
        self.parameters = sum(weight.numel() for weight in weights.values())
        self.revision = f"local-{digest[:12]}" if revision is None else revision
        self.card = card
        self.normalise = False
        self.device = found_device(device, name)
        self._network = EncodecNetwork(model, books, self.device)
        facts = config.to_dict()
        self._fingerprint = digest_of(
            [
                *("encodec", digest, _IMPLEMENTATION, {each: facts[each] for each in _CONFIG}),
                *("transformers", transformers.__version__),
            ]
        )

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        """Encode clips of equal length.

        Parameters
        ----------
        audio : torch.Tensor [shape=(batch, samples), float32]
            Mono audio at ``sample_rate``, at least ``minimum_samples`` long. A stereo
            network hears it on both channels.

        Returns
        -------
        torch.Tensor [shape=(batch, layer, frame, width), float32]
            The hidden states of every layer, on ``device``; those of a network that
            normalises its chunks of 1 s (48 kHz) say nothing of their level.

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
        """Return what identifies encoder, code books, config and transformers' version."""
        return self._fingerprint


def load_encodec(
    *,
    name: str,
    path: str | None,
    hub: str | None,
    revision: str | None,
    random: int | None,
    card: EncoderCard = UNSTATED,
    device: str = "auto",
) -> EncodecEncoder:
    """Load a released checkpoint from a folder, or from the Hugging Face hub.

    Parameters
    ----------
    name : str
        Name shown in results.
    path : str or None
        Folder of the checkpoint; None to take it from the hub or its cache.
    hub : str or None
        Repository on the hub, read if there is no path.
    revision : str or None
        Branch or commit on the hub; None for the newest. Not for a path.
    random : int or None
        A seed: the same network with random weights, of which no others are read; its
        code books are drawn as `draw_code_books` in `encodec_weights` says.
    card, device
        As in `EncodecEncoder`.

    Returns
    -------
    EncodecEncoder
        Its ``revision`` is the hub's commit, or "local-" and the weights' digest.

    Raises
    ------
    MissingError
        If the checkpoint is not there, or is damaged or incomplete.
    SpecError
        If the options or the config contradict themselves, or a weight has no place.
    """
    files = [CONFIG, PREPROCESSOR, *(WEIGHTS if random is None else ())]
    try:
        place = located(name=name, path=path, hub=hub, revision=revision, wanted=files)
        model, weights = read_encodec(place.folder, random)
    except MissingError as error:
        wanted = f"{hub or 'OWNER/NAME'} {' '.join(files)} --local-dir DIR"
        known = "encodec-48khz" if "48" in (hub or name) else "encodec-24khz"
        pinned = f" --revision {revision}" if revision else ""
        raise MissingError(
            f"{error} Get the checkpoint and name its folder:\n  hf download {wanted}{pinned}\n"
            f"  marble-eval run ... encoder={known} encoder.path=DIR"
        ) from error
    commit = place.commit
    if random is not None:
        name, card, commit = f"{name} (random {random})", untrained(card), f"seed-{random}"
    return EncodecEncoder(
        name=name, model=model, weights=weights, revision=commit, card=card, device=device
    )
