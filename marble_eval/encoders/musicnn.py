"""MusiCNN (arXiv 1909.06654) as an encoder: the baseline of MARBLE, trained to tag music.

Its layers are the features that the original package gives out, and the logits. They have
widths of their own: in the one tensor that an encoder gives, columns behind a layer's width
are 0, which tells a probe nothing. What the back-end has once for a patch of 3 s (pools, units,
logits) stands in each of its frames, so that the mean over a clip is the mean over its patches.

The package `musicnn` 0.1.0 (ISC licence) holds TensorFlow checkpoints. Its source archive is
read member by member in memory; nothing is unpacked and none of its code is run.
"""

from __future__ import annotations

import tarfile
import zlib
from importlib.metadata import version
from pathlib import Path, PurePosixPath

import numpy as np
import torch

from marble_eval.encoders.checkpoints.hub import Place
from marble_eval.encoders.checkpoints.released import RELEASED, Identity, identified
from marble_eval.encoders.checkpoints.tensorflow_bundle import read_tensors
from marble_eval.encoders.loaded import LoadedEncoder, found_device
from marble_eval.encoders.networks.musicnn import (
    HOP,
    LAYERS,
    SAMPLE_RATE,
    WIDEST,
    WINDOW,
    Musicnn,
    weight_sizes,
)
from marble_eval.errors import MissingError, SpecError, near_misses
from marble_eval.files.fingerprint import digest_of, weights_digest
from marble_eval.spec import UNSTATED, EncoderCard, untrained

#: Released checkpoints: trained on MagnaTagATune, and on the Million Song Dataset.
VARIANTS = ("MTT_musicnn", "MSD_musicnn")
_IMPLEMENTATION = 1  # raised when the same weights and audio give other hidden states
# Digests of the weights in the source archive of musicnn 0.1.0.
_RELEASED = {
    "ede83ac16b5d2071b8df4a3d92f6cd48": "MTT_musicnn",
    "d94714cb3364a7c6ac409301bb3ee86a": "MSD_musicnn",
}
_FILES = (".index", ".data-00000-of-00001")
_LARGEST = 10**8  # bytes of a file; the released ones have 9.5 million


def load_musicnn(
    *,
    name: str,
    path: str | None,
    variant: str,
    random: int | None,
    card: EncoderCard = UNSTATED,
    device: str = "auto",
) -> LoadedEncoder:
    """Load a released checkpoint from the package that holds it, or make random weights.

    ``path`` is the source archive of the package musicnn, or a folder: the package, or what
    holds the folder of the variant. Random weights need none.
    """
    if variant not in VARIANTS:
        raise SpecError(
            f"encoder {name}: 'variant' must be known. Got {variant!r}. "
            f"{near_misses(str(variant), VARIANTS)}"
        )
    of_variant = variant.partition("_")[0].lower()
    if name.casefold() in RELEASED and not name.casefold().endswith(of_variant):
        raise SpecError(
            f"encoder {name}: 'variant' must be what the name says. Got {variant!r}. "
            f"Take encoder=musicnn-{of_variant}."
        )
    weights = _read(path, variant) if random is None else random_weights(random)
    digest, where = weights_digest(weights.items()), found_device(device, f"encoder {name}")
    if random is not None:
        identity = Identity(f"{name} (random {random})", untrained(card), f"seed-{random}")
    elif _RELEASED.get(digest) == variant:
        identity = Identity(name, card, f"musicnn-0.1.0/{variant}")
    else:
        identity = identified(name, card, Place(Path(str(path)).expanduser(), None))
    return LoadedEncoder(
        name=identity.name,
        sample_rate=SAMPLE_RATE,
        frame_rate=SAMPLE_RATE / HOP,
        layers=list(LAYERS),
        width=WIDEST,
        minimum_samples=WINDOW,
        revision=identity.commit or f"local-{digest[:12]}",
        card=identity.card,
        # Means and variances of the norms are measured, not trained.
        parameters=sum(each.numel() for at, each in weights.items() if "/moving_" not in at),
        device=where,
        network=Musicnn(weights, where).hidden_states,
        # The mel filters are librosa's.
        identity=digest_of(["musicnn", digest, _IMPLEMENTATION, "librosa", version("librosa")]),
    )


def _read(path: str | None, variant: str) -> dict[str, torch.Tensor]:
    """Read the weights, or say where they come from."""
    try:
        if path is None:
            raise MissingError("'path' must name the source archive of musicnn. Got null.")
        return read_checkpoint(Path(path).expanduser(), variant)
    except MissingError as error:
        known = variant.partition("_")[0].lower()
        raise MissingError(
            f"{error} Get the archive, which holds the weights, and name it:\n"
            f"  pip download --no-deps --no-binary musicnn musicnn==0.1.0\n"
            f"  marble-eval run ... encoder=musicnn-{known} encoder.path=musicnn-0.1.0.tar.gz"
        ) from error


def read_checkpoint(path: Path, variant: str) -> dict[str, torch.Tensor]:
    """Read a released checkpoint."""
    try:
        index, data = (_from_folder if path.is_dir() else _from_archive)(path, variant)
        arrays = read_tensors(index, data, weight_sizes())
    except ValueError as error:
        raise MissingError(f"{path}: {variant} {error}") from error
    misfits = [
        f"{name} {arrays[name].shape} {arrays[name].dtype} instead of {size}"
        for name, size in weight_sizes().items()
        if arrays[name].shape != size or arrays[name].dtype != np.float32
    ]
    if misfits:
        raise SpecError(f"{path}: {variant} must fit the network. Got {', '.join(misfits)}.")
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def _from_folder(folder: Path, variant: str) -> tuple[bytes, bytes]:
    """Read the two files from where a folder may have them."""
    places = [folder / variant, folder / "musicnn" / variant]
    places += [folder] if folder.resolve().name == variant else []
    found = next((each for each in places if (each / _FILES[0]).is_file()), None)
    if found is None:
        raise MissingError(f"{folder}: must hold {variant}/{_FILES[0]}. It is not there.")
    contents = []
    for file in _FILES:
        try:
            if (found / file).stat().st_size > _LARGEST:
                raise MissingError(f"{found / file}: must have at most {_LARGEST} bytes. Got more.")
            contents.append((found / file).read_bytes())
        except OSError as error:
            raise MissingError(f"{found / file}: must be a file. Got {error}.") from error
    return contents[0], contents[1]


def _from_archive(archive: Path, variant: str) -> tuple[bytes, bytes]:
    """Read the two files from an archive, no further than they lie."""
    contents: dict[str, bytes] = {}
    try:
        with tarfile.open(archive, "r:*") as opened:
            for member in opened:
                parts = PurePosixPath(member.name).parts
                if member.name.startswith("/") or ".." in parts or not (
                    member.isreg() or member.isdir()
                ):  # fmt: skip
                    raise MissingError(
                        f"{archive}: must hold files below one folder. Got {member.name!r}. "
                        f"It is damaged or means harm: look for another source."
                    )
                if parts[1:-1] == ("musicnn", variant) and parts[-1] in _FILES:
                    contents[parts[-1]] = _content(archive, opened, member)
                if len(contents) == len(_FILES):
                    return contents[_FILES[0]], contents[_FILES[1]]
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise MissingError(
            f"{archive}: must be the whole source archive of musicnn, or a folder. Got {error}."
        ) from error
    raise MissingError(f"{archive}: must hold musicnn/{variant}/{_FILES[0]}. It is not there.")


def _content(archive: Path, opened: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = opened.extractfile(member) if member.isreg() else None
    if stream is None or member.size > _LARGEST:
        raise MissingError(
            f"{archive}: {member.name} must be a file of at most {_LARGEST} bytes. "
            f"Got {member.size}."
        )
    return stream.read()


def random_weights(seed: int) -> dict[str, torch.Tensor]:
    """Draw weights as TensorFlow would start from them: Glorot's uniform, norms at rest."""
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, size in weight_sizes().items():
        part = name.rpartition("/")[2]
        if part == "kernel":
            taps = size[0] * size[1] if len(size) == 4 else 1
            limit = (6 / (taps * (size[-2] + size[-1]))) ** 0.5
            weights[name] = (2 * torch.rand(size, generator=generator) - 1) * limit
        else:
            weights[name] = torch.full(size, float(part in ("gamma", "moving_variance")))
    return weights
