"""Weights of MusiCNN: the shapes as published, archives good and bad, and random ones."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from marble_eval.encoders.musicnn import random_weights, read_checkpoint
from marble_eval.encoders.networks.musicnn import weight_sizes
from marble_eval.errors import MissingError, SpecError
from tests.encoders.tensor_bundles import bundle

INDEX, DATA = ".index", ".data-00000-of-00001"
WEIGHTS = {name: weight.numpy() for name, weight in random_weights(3).items()}


def _archive(path: Path, files: Mapping[str, bytes], link: str = "") -> Path:
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        if link:
            member = tarfile.TarInfo(link)
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(member)
    return path


@pytest.fixture(scope="module")
def checkpoint() -> tuple[bytes, bytes]:
    training = {f"{name}/Adam": WEIGHTS[name] for name in ("dense/bias", "conv2d/bias")}
    return bundle({**WEIGHTS, **training, "beta1_power": np.array(0.9, np.float32)})


def _members(checkpoint: tuple[bytes, bytes], variant: str) -> dict[str, bytes]:
    folder = f"musicnn-0.1.0/musicnn/{variant}"
    return {
        f"{folder}/{DATA}": checkpoint[1],
        f"{folder}/{INDEX}": checkpoint[0],
        f"{folder}/config.json": b"{}",
    }


def _write(folder: Path, checkpoint: tuple[bytes, bytes]) -> None:
    folder.mkdir(parents=True)
    (folder / INDEX).write_bytes(checkpoint[0])
    (folder / DATA).write_bytes(checkpoint[1])


def _assert_read(weights: Mapping[str, torch.Tensor]) -> None:
    assert set(weights) == set(weight_sizes())
    for name, weight in weights.items():
        np.testing.assert_array_equal(weight.numpy(), WEIGHTS[name])


# --- sizes ---


def test_the_trained_numbers_are_the_787_thousand_of_the_paper() -> None:
    sizes = weight_sizes()

    assert len(sizes) == 64
    trained = [int(np.prod(size)) for name, size in sizes.items() if "moving" not in name]
    assert sum(trained) == 787159  # counted by TensorFlow; "787k" in arXiv 1909.06654


# --- reading ---


@pytest.mark.parametrize("variant", ["MTT_musicnn", "MSD_musicnn"])
def test_an_archive_gives_the_weights_of_the_variant(
    tmp_path: Path, checkpoint: tuple[bytes, bytes], variant: str
) -> None:
    other = {"MTT_musicnn": "MSD_musicnn", "MSD_musicnn": "MTT_musicnn"}[variant]
    files = {**_members((b"no", b"thing"), other), **_members(checkpoint, variant)}

    _assert_read(read_checkpoint(_archive(tmp_path / "musicnn-0.1.0.tar.gz", files), variant))

    assert [path.name for path in tmp_path.iterdir()] == ["musicnn-0.1.0.tar.gz"]


@pytest.mark.parametrize("named", ["", "musicnn", "musicnn/MTT_musicnn"])
def test_a_folder_gives_them_too(
    tmp_path: Path, checkpoint: tuple[bytes, bytes], named: str
) -> None:
    _write(tmp_path / "musicnn" / "MTT_musicnn", checkpoint)

    _assert_read(read_checkpoint(tmp_path / named, "MTT_musicnn"))


def test_the_folder_of_another_variant_is_not_taken(
    tmp_path: Path, checkpoint: tuple[bytes, bytes]
) -> None:
    _write(tmp_path / "MSD_musicnn", checkpoint)

    with pytest.raises(MissingError, match=r"must hold MTT_musicnn/\.index"):
        read_checkpoint(tmp_path / "MSD_musicnn", "MTT_musicnn")


def test_a_folder_without_the_data_is_refused(
    tmp_path: Path, checkpoint: tuple[bytes, bytes]
) -> None:
    _write(tmp_path / "MTT_musicnn", checkpoint)
    (tmp_path / "MTT_musicnn" / DATA).unlink()

    with pytest.raises(MissingError, match=r"\.data-00000-of-00001: must be a file"):
        read_checkpoint(tmp_path, "MTT_musicnn")


# --- archives that are not to be trusted ---


def test_an_archive_without_the_checkpoint_is_refused(tmp_path: Path) -> None:
    archive = _archive(tmp_path / "other.tar.gz", {"other-1.0/setup.py": b"raise SystemExit"})
    with pytest.raises(MissingError, match=r"must hold musicnn/MTT_musicnn/\.index"):
        read_checkpoint(archive, "MTT_musicnn")


@pytest.mark.parametrize("name", ["/musicnn-0.1.0/setup.py", "musicnn-0.1.0/../setup.py"])
def test_a_member_outside_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(MissingError, match=r"files below one folder\. Got .*setup\.py"):
        read_checkpoint(_archive(tmp_path / "bad.tar.gz", {name: b""}), "MTT_musicnn")


def test_a_link_in_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    link = f"musicnn-0.1.0/musicnn/MTT_musicnn/{INDEX}"
    with pytest.raises(MissingError, match=r"files below one folder\. Got .*\.index"):
        read_checkpoint(_archive(tmp_path / "bad.tar.gz", {}, link), "MTT_musicnn")


def test_a_file_out_of_all_proportion_is_refused(
    tmp_path: Path, checkpoint: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = _archive(tmp_path / "large.tar.gz", _members(checkpoint, "MTT_musicnn"))
    _write(tmp_path / "MTT_musicnn", checkpoint)
    monkeypatch.setattr("marble_eval.encoders.musicnn._LARGEST", 1000)

    for path in (archive, tmp_path):
        with pytest.raises(MissingError, match="at most 1000 bytes"):
            read_checkpoint(path, "MTT_musicnn")


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_an_archive_that_is_cut_is_refused(
    tmp_path: Path, checkpoint: tuple[bytes, bytes], part: float
) -> None:
    path = _archive(tmp_path / "cut.tar.gz", _members(checkpoint, "MTT_musicnn"))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])

    with pytest.raises(MissingError, match="whole source archive of musicnn"):
        read_checkpoint(path, "MTT_musicnn")


@pytest.mark.parametrize(
    "make", [lambda path: path.write_bytes(b"PK\3\4"), lambda path: path.unlink(missing_ok=True)]
)
def test_another_file_or_none_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "file")
    with pytest.raises(MissingError, match="whole source archive of musicnn, or a folder"):
        read_checkpoint(tmp_path / "file", "MTT_musicnn")


# --- checkpoints that do not fit ---


def _refusal(folder: Path, arrays: Mapping[str, np.ndarray]) -> str:
    _write(folder / "MTT_musicnn", bundle(arrays))
    with pytest.raises((MissingError, SpecError)) as caught:
        read_checkpoint(folder, "MTT_musicnn")
    assert str(folder) in str(caught.value)
    return str(caught.value)


def test_a_checkpoint_without_a_weight_names_it(tmp_path: Path) -> None:
    rest = {name: weight for name, weight in WEIGHTS.items() if name != "dense_1/bias"}
    assert "MTT_musicnn must hold dense_1/bias. Got " in _refusal(tmp_path, rest)


@pytest.mark.parametrize("odd", [np.zeros(49, np.float32), np.zeros(50)])
def test_a_weight_of_another_size_or_type_is_named(tmp_path: Path, odd: np.ndarray) -> None:
    message = _refusal(tmp_path, {**WEIGHTS, "dense_1/bias": odd})
    assert f"Got dense_1/bias {odd.shape} {odd.dtype} instead of (50,)" in message


def test_a_damaged_checkpoint_is_refused(tmp_path: Path, checkpoint: tuple[bytes, bytes]) -> None:
    data = bytearray(checkpoint[1])
    data[len(data) // 2] ^= 1
    _write(tmp_path / "MTT_musicnn", (checkpoint[0], bytes(data)))

    with pytest.raises(MissingError, match=r"MTT_musicnn must hold .* as it was written"):
        read_checkpoint(tmp_path, "MTT_musicnn")


# --- random weights ---


def test_random_kernels_are_glorot_s_and_norms_are_at_rest() -> None:
    weights = random_weights(0)

    # TensorFlow's own limits: sqrt(6 / (taps * inputs + taps * outputs)).
    limits = {"conv2d/kernel": (6 / (7 * 38 * 205)) ** 0.5, "dense/kernel": (6 / 1706) ** 0.5}
    for name, limit in limits.items():
        kernel = weights[name].double()
        assert float(kernel.abs().max()) == pytest.approx(limit, rel=1e-3)
        assert float(kernel.std()) == pytest.approx(limit / 3**0.5, rel=0.01)
        assert float(kernel.mean()) == pytest.approx(0, abs=0.01 * limit)
    for name, weight in weights.items():
        assert tuple(weight.shape) == weight_sizes()[name]
        if not name.endswith("kernel"):
            assert (weight == float(name.endswith(("gamma", "variance")))).all()


def test_a_seed_gives_the_same_weights_and_another_seed_others() -> None:
    before = torch.get_rng_state()
    first, again, other = random_weights(1), random_weights(1), random_weights(2)

    assert torch.equal(torch.get_rng_state(), before)
    for name in ("conv2d/kernel", "dense_1/kernel"):
        assert torch.equal(first[name], again[name])
        assert not torch.equal(first[name], other[name])
