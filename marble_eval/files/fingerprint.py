"""Stable digests: what identifies a spec, a file's content, a set of weights.

A fingerprint never holds a name, a path or a time, so the same content has the
same fingerprint on every machine. BLAKE2b, 128 bits, in hexadecimal.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_BYTES = 16


def digest_of(value: Any) -> str:
    """Digest plain values (dataclasses, mappings, sequences, numbers, text), in any key order."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=_plain)
    return hashlib.blake2b(text.encode(), digest_size=_BYTES).hexdigest()


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a fingerprint must be made from plain values. Got {type(value).__name__}.")


def file_digest(path: Path) -> str:
    """Digest the content of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=_BYTES)).hexdigest()


def weights_digest(tensors: Iterable[tuple[str, torch.Tensor]]) -> str:
    """Digest named tensors, in any order: names, types, shapes and values."""
    state = hashlib.blake2b(digest_size=_BYTES)
    for name, tensor in sorted(tensors, key=lambda item: item[0]):
        values = tensor.detach().cpu().contiguous()
        state.update(f"{name}:{values.dtype}:{tuple(values.shape)};".encode())
        # bfloat16 has no NumPy type: its bytes are hashed, not its numbers.
        state.update(values.reshape(-1).view(dtype=_byte_type()).numpy().tobytes())
    return state.hexdigest()


def _byte_type() -> torch.dtype:
    import torch  # noqa: PLC0415 - `marble-eval --help` must not load torch

    return torch.uint8
