"""Weights of MusiCNN networks: read from the package that holds them, or drawn at random.

The package `musicnn` 0.1.0 (ISC licence) holds TensorFlow checkpoints. Its source archive
is read member by member in memory; nothing is unpacked and none of its code is run. Names
and sizes are those of the checkpoints.
"""

from __future__ import annotations

import tarfile
import zlib
from pathlib import Path, PurePosixPath

import numpy as np
import torch

from marble_eval.encoders.tensor_bundle import read_tensors
from marble_eval.errors import MissingError, SpecError

#: Released checkpoints: trained on MagnaTagATune, and on the Million Song Dataset.
VARIANTS = ("MTT_musicnn", "MSD_musicnn")
#: Mel bands, tags, and frames that the network hears together (3 s).
BANDS, TAGS, PATCH = 96, 50, 187
#: Channels of a timbral and a temporal convolution, of the middle ones, and units behind.
TIMBRAL, TEMPORAL, MIDDLE, DENSE = 204, 51, 64, 200
#: Frames of every convolution that hears timbre; bands and frames of the front-end's.
FRAMES, SPECTRAL, RHYTHMIC = 7, (38, 67), (128, 64, 32)
#: Channels of the front-end, and of front-end and middle together.
FRONT = 2 * TIMBRAL + 3 * TEMPORAL
WIDEST = FRONT + 3 * MIDDLE

_FILES = (".index", ".data-00000-of-00001")
_LARGEST = 10**8  # bytes of a file; the released ones have 9.5 million


def weight_sizes() -> dict[str, tuple[int, ...]]:
    """List the tensors of a network, under their names in the checkpoints.

    Returns
    -------
    dict of str to tuple of int
        Kernels of convolutions are (frame, band, 1, channel), dense ones (input, unit).

    Examples
    --------
    >>> weight_sizes()["dense/kernel"]
    (1506, 200)
    """
    kernels = [(FRAMES, bands, 1, TIMBRAL) for bands in SPECTRAL]
    kernels += [(frames, 1, 1, TEMPORAL) for frames in RHYTHMIC]
    kernels += [(FRAMES, channels, 1, MIDDLE) for channels in (FRONT, MIDDLE, MIDDLE)]
    sizes: dict[str, tuple[int, ...]] = {}
    for index, kernel in enumerate(kernels):
        layer = f"conv2d_{index}" if index else "conv2d"
        sizes |= {f"{layer}/kernel": kernel, f"{layer}/bias": kernel[-1:]}
    for layer, inputs, units in (("dense", 2 * WIDEST, DENSE), ("dense_1", DENSE, TAGS)):
        sizes |= {f"{layer}/kernel": (inputs, units), f"{layer}/bias": (units,)}
    # One norm of the spectrogram, one behind each convolution, one on either side of "dense".
    normed = [1, *(kernel[-1] for kernel in kernels), 2 * WIDEST, DENSE]
    for index, channels in enumerate(normed):
        norm = f"batch_normalization_{index}" if index else "batch_normalization"
        for part in ("gamma", "beta", "moving_mean", "moving_variance"):
            sizes[f"{norm}/{part}"] = (channels,)
    return sizes


def read_weights(path: Path, variant: str) -> dict[str, torch.Tensor]:
    """Read a released checkpoint.

    Parameters
    ----------
    path : Path
        The package's source archive, or a folder: the package, or what holds ``variant``.
    variant : {"MTT_musicnn", "MSD_musicnn"}
        Which checkpoint.

    Returns
    -------
    dict of str to torch.Tensor
        Every tensor that `weight_sizes` lists, and no other.

    Raises
    ------
    MissingError
        If there is no such checkpoint, or it is cut or damaged.
    SpecError
        If a weight has another size or type.
    """
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
    """Draw weights as TensorFlow would start from them: Glorot's uniform, norms at rest.

    Parameters
    ----------
    seed : int
        The same one gives the same weights.

    Returns
    -------
    dict of str to torch.Tensor
        Every tensor that `weight_sizes` lists. Random state elsewhere is as it was.

    Examples
    --------
    >>> round(float(random_weights(0)["dense_1/kernel"].abs().max()), 2)  # (6 / 250) ** 0.5
    0.15
    """
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
