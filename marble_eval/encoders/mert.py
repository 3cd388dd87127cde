"""MERT (arXiv 2306.00107) as an encoder: released checkpoints, and random weights.

The same network with seeded random weights is the control that a trained one must
beat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from marble_eval.encoders.checkpoint import (
    CONFIG,
    PREPROCESSOR,
    WEIGHTS,
    read_checkpoint,
    read_network_config,
)
from marble_eval.encoders.constant_q import ConstantQ
from marble_eval.encoders.hub import located
from marble_eval.encoders.hubert import IMPLEMENTATION, Hubert
from marble_eval.encoders.initial import SIZES, initial_weights
from marble_eval.encoders.placement import found_device, found_precision
from marble_eval.encoders.shape import HubertShape
from marble_eval.errors import MissingError, SpecError, near_misses
from marble_eval.files.fingerprint import digest_of, weights_digest
from marble_eval.spec import UNSTATED, EncoderCard, untrained

if TYPE_CHECKING:
    import torch


class MertEncoder:
    """A MERT network as an encoder (see `marble_eval.encoders.Encoder`).

    Parameters
    ----------
    name : str
        Name shown in results.
    shape : HubertShape
        What ``config.json`` says of the network.
    weights : mapping of str to torch.Tensor
        The tensors that `weight_sizes` lists.
    revision : str or None
        Which weights they are; None to name them by their digest.
    precision : {"float32", "bfloat16", "float16"}
        In which the large products are computed.
    normalise : bool or mapping of str to bool
        Whether the waveform is to be normalised, by protocol if it depends on it.
    card : EncoderCard
        Licence, training data and citation.
    device : str
        "auto" (a GPU where there is one), "cpu", "cuda" or a numbered device.

    Raises
    ------
    SpecError
        If the precision, the rule of normalising or the device is not one of these.
    """

    def __init__(
        self,
        *,
        name: str,
        shape: HubertShape,
        weights: Mapping[str, torch.Tensor],
        revision: str | None,
        precision: str,
        normalise: bool | Mapping[str, bool],
        card: EncoderCard,
        device: str,
    ) -> None:
        dtype = found_precision(precision, name)
        rules = normalise.values() if isinstance(normalise, Mapping) else [normalise]
        if not all(isinstance(rule, bool) for rule in rules):
            raise SpecError(
                f"encoder {name}: 'normalise' must be true, false, or one of them for each "
                f"protocol. Got {normalise!r}."
            )
        digest = weights_digest(weights.items())
        self.name = name
        self.sample_rate = shape.sample_rate
        self.frame_rate = shape.sample_rate / shape.hop_samples
        self.layers: Sequence[str] = [str(at) for at in range(1 + shape.num_hidden_layers)]
        self.width = shape.hidden_size
        self.minimum_samples = shape.minimum_samples
        self.parameters = sum(weight.numel() for weight in weights.values())
        self.revision = f"local-{digest[:12]}" if revision is None else revision
        self.precision = precision
        self.normalise = dict(normalise) if isinstance(normalise, Mapping) else normalise
        self.card = card
        self.device = found_device(device, name)
        cqt = None
        if shape.feature_extractor_cqt:
            rate, bins = shape.sample_rate, shape.feature_extractor_cqt_bins
            cqt = ConstantQ(rate, rate // 50, bins, bins // 7, self.device)
        self._network = Hubert(shape, weights, dtype=dtype, device=self.device, cqt=cqt)
        self._fingerprint = digest_of([digest, shape, precision, IMPLEMENTATION[dtype]])

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        """Encode clips of equal length.

        Parameters
        ----------
        audio : torch.Tensor [shape=(batch, samples), float32]
            Mono audio at ``sample_rate``, at least ``minimum_samples`` long.

        Returns
        -------
        torch.Tensor [shape=(batch, layer, frame, width), float32]
            The hidden states of every layer, on ``device``.

        Raises
        ------
        ValueError
            If the audio has other axes or another type, or is too short.
        """
        return self._network.hidden_states(audio)

    def fingerprint(self) -> str:
        """Return what identifies the weights, the network and its precision."""
        return self._fingerprint


def load_mert(
    *,
    name: str,
    path: str | None,
    hub: str | None,
    revision: str | None,
    precision: str,
    normalise: bool | Mapping[str, bool],
    random: int | None,
    card: EncoderCard = UNSTATED,
    device: str = "auto",
) -> MertEncoder:
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
    precision, normalise, card, device
        As in `MertEncoder`.
    random : int or None
        A seed: the same network with random weights, of which no others are read.

    Returns
    -------
    MertEncoder
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
        if random is None:
            shape, weights = read_checkpoint(place.folder)
        else:
            config = read_network_config(place.folder)
            shape, weights = initial_weights(config, random, str(place.folder))
    except MissingError as error:
        wanted = f"{hub or 'REPOSITORY'} {CONFIG} {PREPROCESSOR} {WEIGHTS[1]} --local-dir DIR"
        known = (hub or name).rpartition("/")[2].lower()
        pinned = f" --revision {revision}" if revision else ""
        raise MissingError(
            f"{error} Get the checkpoint and name its folder:\n  hf download {wanted}{pinned}\n"
            f"  marble-eval run ... encoder={known} encoder.path=DIR"
        ) from error
    if random is not None:
        name, card = f"{name} (random {random})", untrained(card)
    return MertEncoder(
        name=name,
        shape=shape,
        weights=weights,
        revision=place.commit if random is None else f"seed-{random}",
        precision=precision,
        normalise=normalise,
        card=card,
        device=device,
    )


def random_mert(
    *,
    size: str,
    seed: int,
    precision: str,
    name: str | None = None,
    card: EncoderCard = UNSTATED,
    device: str = "auto",
) -> MertEncoder:
    """Make a network with random weights, as training would start from them.

    Parameters
    ----------
    size : {"95M", "330M", "small"}
        The network of MERT-v1-95M, of MERT-v1-330M, or a fast one of 2 million.
    seed : int
        Seed of the weights; the same one gives the same fingerprint.
    precision, card, device
        As in `MertEncoder`.
    name : str or None
        Name shown in results; None for "mert-random-" and the size.

    Returns
    -------
    MertEncoder
        The encoder. Random state elsewhere is as it was before.

    Raises
    ------
    SpecError
        If there is no such size.

    Examples
    --------
    >>> import torch
    >>> encoder = random_mert(size="small", seed=0, precision="float32", device="cpu")
    >>> encoder.hidden_states(torch.zeros(1, 24000)).shape
    torch.Size([1, 5, 74, 192])
    """
    if size not in SIZES:
        raise SpecError(
            f"encoder mert-random: 'size' must be known. Got {size!r}. "
            f"{near_misses(str(size), SIZES)}"
        )
    config = {**SIZES[size], "sample_rate": 24000}
    shape, weights = initial_weights(config, seed, f"size {size}")
    return MertEncoder(
        name=f"mert-random-{size}" if name is None else name,
        shape=shape,
        weights=weights,
        revision=f"seed-{seed}",
        precision=precision,
        normalise=True,
        card=card,
        device=device,
    )
