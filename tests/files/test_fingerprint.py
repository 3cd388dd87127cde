"""Digests against hashlib's on bytes written out by hand, and against `b2sum`."""

import hashlib
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from marble_eval.files.fingerprint import digest_of, file_digest, weights_digest


@dataclass(frozen=True)
class _Hop:
    seconds: float
    samples: int | None


def _blake(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": [2, 3.5], "a": "é"}, b'{"a":"\\u00e9","b":[2,3.5]}'),
        (("x", None, True), b'["x",null,true]'),
        (_Hop(0.5, None), b'{"samples":null,"seconds":0.5}'),
        ({"hop": _Hop(0.5, 3)}, b'{"hop":{"samples":3,"seconds":0.5}}'),
    ],
)
def test_values_are_digested_as_sorted_json(value: Any, text: bytes) -> None:
    assert digest_of(value) == _blake(text)


def test_the_order_of_names_does_not_matter_and_everything_else_does() -> None:
    values: list[Any] = [
        {"a": 1, "b": 2},
        {"a": 2, "b": 1},
        {"a": 1},
        {"a": 1, "b": "2"},
        {"a": 1, "b": 2.0},
        {"a": 1, "b": None},
        [1, 2],
        [2, 1],
    ]
    assert digest_of({"b": 2, "a": 1}) == digest_of(values[0])
    assert len({digest_of(value) for value in values}) == len(values)


def test_another_process_finds_the_same_digest() -> None:
    program = (
        "from marble_eval.files.fingerprint import digest_of;"
        "print(digest_of({'b': [1.1, None], 'a': {'d': 0, 'c': 'x'}}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == digest_of({"a": {"c": "x", "d": 0}, "b": (1.1, None)})


@pytest.mark.parametrize("value", [{1, 2}, Path("a"), np.float32(1), {"a": object()}, b"a"])
def test_what_is_no_plain_value_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match=r"plain values\. Got"):
        digest_of(value)


def test_a_files_digest_is_that_of_b2sum(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(np.random.default_rng(0).bytes(300_000))
    assert file_digest(path) == _blake(path.read_bytes())
    if b2sum := shutil.which("b2sum"):
        done = subprocess.run([b2sum, "-l", "128", path], capture_output=True, text=True)
        assert done.stdout.split()[0] == file_digest(path)


def test_a_files_digest_is_of_its_content_alone(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"content")
    digest = file_digest(tmp_path / "a.wav")
    (tmp_path / "folder").mkdir()
    moved = (tmp_path / "a.wav").rename(tmp_path / "folder" / "b.mp3")
    assert file_digest(moved) == digest
    moved.write_bytes(b"Content")
    assert file_digest(moved) != digest
    with pytest.raises(FileNotFoundError):
        file_digest(tmp_path / "a.wav")


def _weights() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "layer.weight": torch.randn(3, 4, generator=generator),
        "layer.bias": torch.randn(3, generator=generator).to(torch.bfloat16),
        "steps": torch.tensor(7),
        "mask": torch.tensor([True, False]),
        "nothing": torch.empty(0, 2),
    }


def test_weights_are_digested_by_name_type_shape_and_bytes() -> None:
    weight = torch.tensor([[1.0, 2.0]])
    header = b"layer.weight:torch.float32:(1, 2);"
    expected = _blake(header + np.array([1.0, 2.0], "<f4").tobytes())
    assert weights_digest([("layer.weight", weight)]) == expected


def test_weights_in_any_order_and_layout_have_one_digest() -> None:
    weights = _weights()
    digest = weights_digest(weights.items())
    assert weights_digest(reversed(weights.items())) == digest
    weights["layer.weight"] = weights["layer.weight"].t().contiguous().t()
    assert not weights["layer.weight"].is_contiguous()
    assert weights_digest(weights.items()) == digest
    weights["layer.weight"] = torch.nn.Parameter(weights["layer.weight"])
    assert weights_digest(weights.items()) == digest


def test_every_change_of_the_weights_changes_the_digest() -> None:
    digests = {weights_digest(_weights().items())}
    for name in _weights():
        renamed = _weights()
        renamed[f"{name}_"] = renamed.pop(name)
        digests.add(weights_digest(renamed.items()))
        fewer = _weights()
        del fewer[name]
        digests.add(weights_digest(fewer.items()))
    one = _weights()
    last = one["layer.weight"][2, 3]
    one["layer.weight"][2, 3] = torch.nextafter(last, torch.tensor(9.0))
    digests.add(weights_digest(one.items()))
    one["layer.bias"][0] += 1
    digests.add(weights_digest(one.items()))
    shaped = _weights()
    shaped["layer.weight"] = shaped["layer.weight"].reshape(4, 3)
    digests.add(weights_digest(shaped.items()))
    typed = _weights()
    typed["layer.weight"] = typed["layer.weight"].view(torch.int32)  # the same bytes
    digests.add(weights_digest(typed.items()))
    assert len(digests) == 1 + 2 * 5 + 4
