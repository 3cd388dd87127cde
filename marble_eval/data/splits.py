"""Published split lists: found, or fetched once, and always checked.

A list is used only if its bytes are those that were published (SHA-256 in the
task's card; line endings may differ). It is looked for in the folder the user
names, in the task's root and in the cache, and otherwise fetched from where it
is published and cached.
"""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from marble_eval.errors import MarbleError, MissingError, SpecError, ValidationError
from marble_eval.files.atomic_file import write_atomically
from marble_eval.files.home import home_folder, is_offline

if TYPE_CHECKING:
    from marble_eval.spec import SplitList, TaskSpec

_TIMEOUT = 30  # seconds


def published_list(spec: TaskSpec, root: Path, given: Path | None, name: str) -> bytes:
    """Return a published list, checked."""
    if name not in spec.split_lists:
        raise SpecError(
            f"{spec.name}: 'split_lists' must have {name!r} for this layout. "
            f"It has {', '.join(spec.split_lists) or 'none'}."
        )
    wanted = spec.split_lists[name]
    name, address = PurePosixPath(wanted.file).name, _address(spec, wanted)
    cached = home_folder() / "splits" / wanted.sha256[:16] / name
    if given is not None:
        if not (given / name).is_file():
            raise MissingError(f"{given / name}: must exist, since task.splits names its folder.")
        return _checked((given / name).read_bytes(), wanted, given / name, f"Get it from {address}")
    for path in (root / name, cached):
        if path.is_file():
            return _checked(
                path.read_bytes(), wanted, path, "Delete it, and the published one is fetched"
            )
    content = _checked(_fetch(spec, address, name, root), wanted, address, _by_hand(address, root))
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(cached, content)
    except OSError as error:
        raise MarbleError(
            f"{cached}: cannot be written: {error.strerror}. Set MARBLE_EVAL_HOME to a folder "
            f"that can."
        ) from error
    return content


def _checked(content: bytes, wanted: SplitList, where: Path | str, next_step: str) -> bytes:
    if hashlib.sha256(content).hexdigest() == wanted.sha256:
        return content  # packed lists hold any byte
    plain = content.replace(b"\r\n", b"\n")
    found = hashlib.sha256(plain).hexdigest()
    if wanted.sha256 != found:
        raise ValidationError(
            f"{where}: must be the published split list, SHA-256 {wanted.sha256}. "
            f"Got {found}. {next_step}."
        )
    return plain


def _address(spec: TaskSpec, wanted: SplitList) -> str:
    return f"{spec.split_source.rstrip('/')}/{wanted.file}"


def _by_hand(address: str, root: Path) -> str:
    return (
        f"Get it by hand, curl -LO {address}, and put it into {root} or a folder that "
        f"task.splits names"
    )


def _fetch(spec: TaskSpec, address: str, name: str, root: Path) -> bytes:
    if is_offline():
        raise MissingError(
            f"{name}: the split list of {spec.name} is not here, and HF_HUB_OFFLINE forbids "
            f"fetching it. {_by_hand(address, root)}."
        )
    try:
        with urllib.request.urlopen(address, timeout=_TIMEOUT) as reply:
            content: bytes = reply.read()
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        why = " ".join(str(error).split())  # a server's answer may have line ends
        raise MissingError(
            f"{address}: the split list of {spec.name} cannot be fetched: {why}. "
            f"{_by_hand(address, root)}."
        ) from None
    return content
