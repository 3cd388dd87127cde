"""Where weights lie: a folder of one's own, or a commit in the Hugging Face hub's cache.

The hub's own variables are honoured (`HF_HOME`, `HF_HUB_OFFLINE`); what is in its cache is
used without a question to the network only where it is offline or the commit is named.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from marble_eval.errors import MissingError, SpecError

_HELD = (".bin", ".json", ".pt", ".safetensors")  # what a checkpoint is read from
_COMMIT = re.compile(r"[0-9a-f]{40}")


class Place(NamedTuple):
    """A checkpoint that is here.

    Attributes
    ----------
    folder : Path
        Its files.
    commit : str or None
        Of the hub's repository, also of a folder whose files prove it; None for others.
    hub : str or None
        The repository.
    """

    folder: Path
    commit: str | None
    hub: str | None = None


def fetched(hub: str, revision: str | None, wanted: Sequence[str]) -> Path:
    """Find a commit of a repository in the hub's cache, downloaded if it may be."""
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - only if it is needed

    try:
        return Path(snapshot_download(hub, revision=revision, allow_patterns=list(wanted)))
    except Exception as error:  # those of its HTTP library, which changed between versions
        raise MissingError(
            f"{hub}: must be in the hub's cache or come from the hub. "
            f"Got {type(error).__name__}: {' '.join(str(error).split())}"
        ) from error


def located(
    *, name: str, path: str | None, hub: str | None, revision: str | None, wanted: Sequence[str]
) -> Place:
    """Find a checkpoint by what a config says of it."""
    if path is None and hub is None:
        raise SpecError(f"encoder {name}: 'path' or 'hub' must be given. Got neither.")
    if path is None:
        folder = fetched(str(hub), revision, wanted)
        return Place(folder, folder.name, hub)
    if revision is not None:
        raise SpecError(f"encoder {name}: 'revision' must be null beside 'path'. Got {revision!r}.")
    folder = Path(path).expanduser()
    if folder.is_file():
        raise MissingError(
            f"{folder}: must be the folder of a checkpoint. Got a file. Take its folder "
            f"({folder.parent}), which must hold config.json beside the weights."
        )
    if not folder.is_dir():
        raise MissingError(f"{folder}: must be the folder of a checkpoint. It is not there.")
    return Place(folder, proven_commit(folder, hub), hub)


def is_cached(hub: str, revision: str | None, file: str = "config.json") -> bool:
    """Say whether a file of a repository is in the hub's cache, without the network."""
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415 - only if it is needed

    return isinstance(try_to_load_from_cache(hub, file, revision=revision), str)


def proven_commit(folder: Path, hub: str | None) -> str | None:
    """Return the commit of a folder's files where records beside them prove each; else None."""
    files = [each for each in folder.iterdir() if each.is_file() and each.suffix in _HELD]
    commits = {_proven(each, hub) for each in files}
    return commits.pop() if len(commits) == 1 else None


def _proven(file: Path, hub: str | None) -> str | None:
    record = file.parent / ".cache" / "huggingface" / "download" / f"{file.name}.metadata"
    snapshots, blob = file.parent.parent, file.resolve()
    repository = f"models--{str(hub).replace('/', '--')}"
    try:
        if record.is_file():
            commit, digest, *_ = record.read_text(encoding="utf-8").split()
        elif snapshots.name == "snapshots" and snapshots.parent.name == repository:
            commit, digest = file.parent.name, blob.name
        else:
            return None
        proven = _COMMIT.fullmatch(commit) and digest.strip('"') == _digest(file, len(digest))
    except (OSError, ValueError):
        return None
    return commit if proven else None


def _digest(file: Path, length: int) -> str:
    """Return a file's digest as the hub's ETag has it: SHA-256, or Git's of small files."""
    with file.open("rb") as stream:
        if length >= 64:
            return hashlib.file_digest(stream, "sha256").hexdigest()
        content = stream.read()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
