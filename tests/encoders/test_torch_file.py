"""What torch.save wrote is read as torch reads it; what would run something is refused by name."""

from __future__ import annotations

import argparse
import collections
import os
import pickle
import subprocess
import sys
import types
import zipfile
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf  # noqa: TID251 - fairseq stores its objects

from marble_eval.encoders.checkpoints.torch_file import StoredTensor, open_tensors
from marble_eval.errors import MissingError, SpecError


def saved(value: Any, folder: Path, *, zipped: bool = True) -> Path:
    path = folder / "checkpoint.pt"
    torch.save(value, path, _use_new_zipfile_serialization=zipped)
    return path


def content(path: Path) -> Any:
    with open_tensors(path) as file:
        return file.content


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(24.0).view(2, 3, 4),
        torch.arange(24.0).view(4, 6)[1:, ::2].t(),
        torch.randn(5).half(),
        torch.randn(5).bfloat16(),
        torch.tensor(7, dtype=torch.int64),
        torch.zeros(0, 3),
        torch.tensor([True, False]),
    ],
)
def test_tensors_are_those_that_torch_reads(
    tensor: torch.Tensor, zipped: bool, tmp_path: Path
) -> None:
    path = saved({"a": tensor, "parameter": torch.nn.Parameter(torch.ones(2))}, tmp_path,
                 zipped=zipped)  # fmt: skip
    official = torch.load(path, weights_only=True)
    with open_tensors(path) as file:
        found = file.content["a"]
        assert isinstance(found, StoredTensor) and found.shape == tuple(tensor.shape)
        read = file.tensor(found)
        assert read.dtype == tensor.dtype and torch.equal(read, official["a"])
        assert torch.equal(file.tensor(file.content["parameter"]), torch.ones(2))


@pytest.mark.parametrize("zipped", [True, False])
def test_two_views_of_one_storage_are_two_tensors(zipped: bool, tmp_path: Path) -> None:
    whole = torch.arange(10.0)
    path = saved([whole[:4], whole[4:]], tmp_path, zipped=zipped)
    with open_tensors(path) as file:
        first, second = (file.tensor(each) for each in file.content)
    assert torch.equal(first, whole[:4]) and torch.equal(second, whole[4:])


def test_configurations_become_plain_values(tmp_path: Path) -> None:
    values = {
        "cfg": OmegaConf.create({"model": {"layers": 12, "list": [1, 2], "none": None}, "x": "y"}),
        "args": argparse.Namespace(arch="hubert", nested=argparse.Namespace(rate=16000)),
        "counts": collections.OrderedDict(a=1),
        "size": torch.Size([2, 3]),
    }
    assert content(saved(values, tmp_path)) == {
        "cfg": {"model": {"layers": 12, "list": [1, 2], "none": None}, "x": "y"},
        "args": {"arch": "hubert", "nested": {"rate": 16000}},
        "counts": {"a": 1},
        "size": [2, 3],
    }


@dataclass
class Structured:
    labels: list[str] = field(default_factory=lambda: ["km"])
    optional: list[str] | None = None
    rate: int = 24000


def test_a_structured_configuration_becomes_plain_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its nodes name types such as List[str], which Python pickles as a call."""
    module = types.ModuleType("fairseq")
    module.Structured = Structured  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fairseq", module)
    monkeypatch.setattr(Structured, "__module__", "fairseq")
    path = saved(OmegaConf.structured(Structured), tmp_path)
    assert content(path) == {"labels": ["km"], "optional": None, "rate": 24000}


class Evil:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.made = (function, arguments)

    def __reduce__(self) -> Any:
        return self.made


class Mine(Enum):
    ONE = 1


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    ("value", "named"),
    [
        (Evil(os.system, "touch {mark}"), "posix.system"),
        (Evil(eval, "open('{mark}', 'w')"), "builtins.eval"),
        (Evil(exec, "open('{mark}', 'w')"), "builtins.exec"),
        (Evil(getattr, "a", "upper"), "builtins.getattr"),
        (Evil(subprocess.run, ["touch", "{mark}"]), "commands.run"),
        (Evil(torch.hub.load, "a/b", "c"), "torch.hub.load"),
        (Evil(torch.load, "{mark}"), "torch.serialization.load"),
        (Evil(np.load, "{mark}"), "numpy.load"),
        (Evil(pickle.loads, b""), "pickle.loads"),
        (torch.nn.Linear(1, 1), "torch.nn.modules.linear.Linear"),
    ],
)
def test_a_file_that_names_code_is_refused_and_nothing_is_run(
    value: Any, named: str, zipped: bool, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    if isinstance(value, Evil):
        function, arguments = value.made
        value = Evil(function, *(_marked(each, mark) for each in arguments))
    path = saved({"model": {"w": torch.ones(1)}, "extra": [value]}, tmp_path, zipped=zipped)
    with pytest.raises(SpecError, match="It names '" + named.replace(".", r"\.") + "'"):
        content(path)
    assert not mark.exists()


def _marked(argument: Any, mark: Path) -> Any:
    if isinstance(argument, list):
        return [_marked(each, mark) for each in argument]
    return argument.replace("{mark}", str(mark)) if isinstance(argument, str) else argument


def written(program: bytes, folder: Path) -> Path:
    """Put a pickle of one's own into an archive."""
    path = folder / "checkpoint.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", program)
        archive.writestr("archive/data/0", b"\0" * 16)
    return path


@pytest.mark.parametrize(
    "program",
    [
        b"cos\nsystem\n(S'true'\ntR.",  # GLOBAL and REDUCE
        b"(S'true'\nios\nsystem\n.",  # INST
        b"(cos\nsystem\nS'true'\no.",  # OBJ
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.",  # STACK_GLOBAL
        b"\x80\x02cos\nsystem\nq\x00h\x00(S'true'\ntR.",  # through the memo
    ],
)
def test_every_way_of_naming_is_caught(program: bytes, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"It names '(os|posix)\.system'"):
        content(written(program, tmp_path))


def test_an_extension_code_names_nothing(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        content(written(b"\x80\x02\x82\x01)R.", tmp_path))


def test_what_a_file_does_to_a_known_class_is_gone_with_it(tmp_path: Path) -> None:
    """BUILD with slots sets attributes, here of the class itself."""
    spoiled = b"\x80\x02cargparse\nNamespace\nN}S'__init__'\nS'taken'\ns\x86b."
    try:
        content(written(spoiled, tmp_path))
    except MissingError:
        pass  # refused is as good
    assert content(saved(argparse.Namespace(a=1), tmp_path)) == {"a": 1}


def reaching(numbers: int, offset: int, shape: tuple[int, ...], folder: Path) -> Path:
    """Save a tensor whose view of its four numbers is as told."""
    plain = saved(torch.zeros(4), folder)
    with zipfile.ZipFile(plain) as archive:
        members = {each: archive.read(each) for each in archive.namelist()}
    with zipfile.ZipFile(folder / "bent.pt", "w") as archive:
        for name, held in members.items():
            bent = held
            if name.endswith("data.pkl"):
                # BININT1 4 (numbers), BININT1 0 (offset), then the shape's BININT1 4.
                bent = bent.replace(b"K\x04", bytes([75, numbers]), 1)
                bent = bent.replace(b"K\x00K\x04", bytes([75, offset, 75, shape[0]]), 1)
            archive.writestr(name, bent)
    return folder / "bent.pt"


@pytest.mark.parametrize(("numbers", "offset", "size"), [(4, 0, 5), (4, 1, 4), (9, 0, 4)])
def test_a_tensor_that_reaches_beyond_its_bytes_is_refused(
    numbers: int, offset: int, size: int, tmp_path: Path
) -> None:
    path = reaching(numbers, offset, (size,), tmp_path)
    with pytest.raises(MissingError, match="storage 0"), open_tensors(path) as file:
        file.tensor(file.content)


@pytest.mark.parametrize("zipped", [True, False])
def test_half_a_file_is_told_from_a_whole_one(zipped: bool, tmp_path: Path) -> None:
    path = saved({"model": {"w": torch.ones(5000)}}, tmp_path, zipped=zipped)
    path.write_bytes(path.read_bytes()[:6000])
    with pytest.raises(MissingError, match="must be a whole file"), open_tensors(path) as file:
        file.tensor(file.content["model"]["w"])


@pytest.mark.parametrize("held", [b"", b"RIFF....WAVE", b"PK\x03\x04"])
def test_what_is_no_checkpoint_is_told(held: bytes, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(held)
    with pytest.raises(MissingError, match=r"must be a whole file that torch\.save wrote"):
        content(path)
    with pytest.raises(MissingError, match="It is not there"):
        content(tmp_path)


def test_no_changed_byte_of_an_archive_is_anything_but_an_error_in_words(tmp_path: Path) -> None:
    path = saved({"model": {"w": torch.arange(9.0)}}, tmp_path)
    whole = path.read_bytes()
    told = 0
    for at in range(0, len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x21]) + whole[at + 1 :])
        try:
            content(path)
        except (MissingError, SpecError):
            told += 1
    assert told > 50
