"""MuQ (arXiv 2501.01108) and MusicFM (arXiv 2311.03318) as encoders, without their packages.

They share one network, and the names of its weights. Neither package can be relied on:
MuQ's imports libraries that do not load beside a torch for CPUs, and lists no hidden
states with transformers 5; MusicFM has none. Their licences hold for the weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from marble_eval.encoders.checkpoint import CONFIG, WEIGHTS, read_json, read_weights
from marble_eval.encoders.conformer import Conformer, ConformerShape
from marble_eval.encoders.conformer_weights import fill, read_conformer, read_training_file
from marble_eval.encoders.hub import Place, located
from marble_eval.encoders.placement import found_device, found_precision
from marble_eval.errors import MissingError, SpecError
from marble_eval.files.fingerprint import digest_of, weights_digest
from marble_eval.spec import UNSTATED, EncoderCard, untrained

_IMPLEMENTATION = 1  # raised when the same weights and audio give other hidden states


class ConformerEncoder:
    """MuQ or MusicFM as an encoder (see `marble_eval.encoders.Encoder`).

    Made by `load_muq` and `load_musicfm`, which say what the arguments are.
    """

    def __init__(
        self, name: str, network: Conformer, revision: str | None, precision: str, device: str
    ) -> None:
        self._dtype, self.device = found_precision(precision, name), found_device(device, name)
        shape, weights = network.shape, network.state_dict()
        digest = weights_digest(weights.items())
        hop = shape.hop_samples * shape.strides[0] * shape.strides[1]
        self.name = name
        self.sample_rate = shape.sample_rate
        self.frame_rate = shape.sample_rate / hop
        self.layers: Sequence[str] = [str(at) for at in range(1 + shape.layers)]
        self.width = shape.width
        self.minimum_samples = 1025  # half a window, which is mirrored at both ends, and one
        self.parameters = sum(each.numel() for each in network.parameters())
        self.normalise = False
        self.revision = f"local-{digest[:12]}" if revision is None else revision
        self.precision = precision
        self.card = UNSTATED
        self._network = network.to(self.device).eval().requires_grad_(False)
        self._fingerprint = digest_of([digest, shape, precision, _IMPLEMENTATION])

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
        lowered = self._dtype != torch.float32
        with (
            torch.inference_mode(),
            torch.autocast(self.device.type, dtype=self._dtype, enabled=lowered),
        ):
            layers = self._network(audio.to(self.device))
        # Made outside inference mode, so that what is trained on it may keep it.
        states = torch.empty((len(audio), len(layers), *layers[0].shape[1:]), device=self.device)
        for at, layer in enumerate(layers):
            states[:, at] = layer
        return states

    def fingerprint(self) -> str:
        """Return what identifies the weights, the network and its precision."""
        return self._fingerprint


def load_muq(
    *,
    name: str,
    path: str | None,
    hub: str | None,
    revision: str | None,
    precision: str,
    random: int | None,
    card: EncoderCard = UNSTATED,
    device: str = "auto",
) -> ConformerEncoder:
    """Load a MuQ from a folder, or from the Hugging Face hub.

    Parameters
    ----------
    name : str
        Name shown in results.
    path : str or None
        Folder with ``config.json`` and weights; None to take them from the hub.
    hub, revision : str or None
        Repository on the hub and its branch or commit, read if there is no path.
    precision : {"float32", "bfloat16", "float16"}
        In which the large products are computed; the spectrogram and norms stay float32.
    random : int or None
        A seed: the same network with random weights, drawn as its package does.
    card, device
        As for every encoder.

    Returns
    -------
    ConformerEncoder
        13 layers for the released one: the conformer's input, its layers, the last normed.

    Raises
    ------
    MissingError
        If the checkpoint is not there, or is damaged or incomplete.
    SpecError
        If the config asks for another network, or a weight has no place.
    """
    files = [CONFIG, *(WEIGHTS if random is None else ())]
    place = _found(name, path, hub, revision, files)
    shape = read_conformer(read_json(place.folder / CONFIG), str(place.folder / CONFIG))
    weights = read_weights(place.folder) if random is None else None
    return _made(name, shape, weights, place, precision, random, card, device)


def load_musicfm(
    *,
    name: str,
    path: str | None,
    hub: str | None,
    revision: str | None,
    variant: str,
    precision: str,
    random: int | None,
    card: EncoderCard = UNSTATED,
    device: str = "auto",
) -> ConformerEncoder:
    """Load a MusicFM from a folder, or from the Hugging Face hub.

    Parameters
    ----------
    name, hub, revision, precision, card, device
        As in `load_muq`.
    path : str or None
        Folder with ``pretrained_VARIANT.pt`` and ``VARIANT_stats.json``.
    variant : str
        "msd" or "fma": what it was trained on.
    random : int or None
        A seed: the same network with random weights; only the statistics are read.

    Returns
    -------
    ConformerEncoder
        13 layers: the conformer's input, its layers, the last normed.

    Raises
    ------
    MissingError
        If the checkpoint is not there, or is damaged or incomplete.
    SpecError
        If the variant is unknown, or a weight has no place.
    """
    if variant not in ("msd", "fma"):
        raise SpecError(f"encoder {name}: 'variant' must be msd or fma. Got {variant!r}.")
    statistics, file = f"{variant}_stats.json", f"pretrained_{variant}.pt"
    files = [statistics, *([file] if random is None else [])]
    place = _found(name, path, hub, revision, files)
    config = {"stat": read_json(place.folder / statistics), "w2v2_config": {}}
    shape = read_conformer(config, str(place.folder / statistics))
    weights = read_training_file(place.folder / file) if random is None else None
    return _made(name, shape, weights, place, precision, random, card, device)


def _found(
    name: str, path: str | None, hub: str | None, revision: str | None, files: list[str]
) -> Place:
    try:
        return located(name=name, path=path, hub=hub, revision=revision, wanted=files)
    except MissingError as error:
        raise MissingError(
            f"{error} Get the checkpoint and name its folder:\n"
            f"  hf download {hub} {' '.join(files)} --local-dir DIR\n"
            f"  marble-eval run ... encoder={name.lower()} encoder.path=DIR"
        ) from error


def _made(
    name: str,
    shape: ConformerShape,
    weights: Mapping[str, torch.Tensor] | None,
    place: Place,
    precision: str,
    random: int | None,
    card: EncoderCard,
    device: str,
) -> ConformerEncoder:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0 if random is None else random)
        network = Conformer(shape)
    if weights is None:
        encoder = ConformerEncoder(
            f"{name} (random {random})", network, f"seed-{random}", precision, device
        )
        encoder.card = untrained(card)
        return encoder
    fill(network, weights, str(place.folder))
    encoder = ConformerEncoder(name, network, place.commit, precision, device)
    encoder.card = card
    return encoder
