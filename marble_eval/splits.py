"""Published split lists: found, or fetched once, and always checked.

A list is used only if its bytes are those that were published (SHA-256 in the
task's card; line endings may differ). It is looked for in the folder the user
names, in the task's root and in the cache, and otherwise fetched from where it
is published and cached.
"""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from marble_eval.errors import MissingError, ValidationError
from marble_eval.home import home_folder, is_offline

if TYPE_CHECKING:
    from marble_eval.spec import SplitList, TaskSpec

_TIMEOUT = 30  # seconds


def published_lists(
    spec: TaskSpec, root: Path, given: Path | None = None
) -> dict[str, tuple[str, ...]]:
    """Return the ids of each split.

    Parameters
    ----------
    spec : TaskSpec
        The card, with the lists' digests and where they are published.
    root : Path
        The task's data, where the lists may lie too.
    given : Path, optional
        Folder in which the user keeps them.

    Returns
    -------
    dict of str to tuple of str
        Ids without the file's extension, in the published order; empty if the
        task's data carries its own split.

    Raises
    ------
    MissingError
        If a list is nowhere and cannot be fetched.
    ValidationError
        If a list that was found is not the published one.
    """
    return {
        split: _ids(_published_bytes(spec, each, root, given))
        for split, each in spec.split_lists.items()
    }


def _ids(content: bytes) -> tuple[str, ...]:
    lines = (line.strip() for line in content.decode("utf-8").splitlines())
    return tuple(str(PurePosixPath(line).with_suffix("")) for line in lines if line)


def _published_bytes(spec: TaskSpec, wanted: SplitList, root: Path, given: Path | None) -> bytes:
    name = PurePosixPath(wanted.file).name
    cached = home_folder() / "splits" / wanted.sha256[:16] / name
    if given is not None and not (given / name).is_file():
        raise MissingError(f"{given / name}: must exist, since task.splits names its folder.")
    for path in (given and given / name, root / name, cached):
        if path is not None and path.is_file():
            return _checked(path.read_bytes(), wanted, str(path))
    content = _checked(_fetch(spec, wanted, name, root), wanted, _address(spec, wanted))
    cached.parent.mkdir(parents=True, exist_ok=True)
    written = cached.with_suffix(f".{os.getpid()}.tmp")
    written.write_bytes(content)
    written.replace(cached)
    return content


def _checked(content: bytes, wanted: SplitList, where: str) -> bytes:
    plain = content.replace(b"\r\n", b"\n")
    found = hashlib.sha256(plain).hexdigest()
    if wanted.sha256 not in (found, hashlib.sha256(content).hexdigest()):
        raise ValidationError(
            f"{where}: must be the published split list, SHA-256 {wanted.sha256}. "
            f"Got {found}. Delete it, and it is fetched again."
        )
    return plain


def _address(spec: TaskSpec, wanted: SplitList) -> str:
    return f"{spec.split_source.rstrip('/')}/{wanted.file}"


def _fetch(spec: TaskSpec, wanted: SplitList, name: str, root: Path) -> bytes:
    address = _address(spec, wanted)
    by_hand = (
        f"Get it by hand, curl -LO {address}, and put it into {root} or a folder that "
        f"task.splits names."
    )
    if is_offline():
        raise MissingError(
            f"{name}: the split list of {spec.name} is not here, and HF_HUB_OFFLINE forbids "
            f"fetching it. {by_hand}"
        )
    try:
        with urllib.request.urlopen(address, timeout=_TIMEOUT) as reply:
            content: bytes = reply.read()
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise MissingError(
            f"{address}: the split list of {spec.name} cannot be fetched: {error}. {by_hand}"
        ) from None
    return content
