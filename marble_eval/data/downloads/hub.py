"""A data set repository of the Hugging Face hub, at one commit, every file checked.

huggingface_hub transfers and resumes. If the hub does not answer, it takes whatever lies in the
folder for the repository; so the commit and its files are listed first, and each file's digest is
compared afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from marble_eval.data.downloads.receipts import digest_like
from marble_eval.data.downloads.space import require_space, spelled, unwritable
from marble_eval.errors import MarbleError, MissingError, ValidationError
from marble_eval.files.home import is_offline

if TYPE_CHECKING:
    from marble_eval.progress import Progress
    from marble_eval.spec import Download

_SCHEME = "hf://datasets/"


class Snapshot(NamedTuple):
    """A fetched repository."""

    commit: str  # 40 hexadecimal digits
    files: tuple[str, ...]  # paths below the root


class _File(NamedTuple):
    path: str
    size: int
    digest: str


def fetch_repository(download: Download, root: Path, progress: Progress) -> Snapshot:
    """Fetch a data set repository into a folder; files that are there are not fetched again."""
    name = download.address.removeprefix(_SCHEME)
    if is_offline():
        raise MissingError(
            f"{download.address}: must be fetched, and HF_HUB_OFFLINE forbids it. Unset it, or "
            f"put the repository's files into {root}."
        )
    from huggingface_hub import HfApi, snapshot_download  # noqa: PLC0415 - slow to load

    patterns = list(download.patterns) or None
    try:
        hub = HfApi()
        commit = hub.dataset_info(name, revision=download.revision or None).sha
        files = _listed(hub, name, str(commit), patterns)
        if not files:
            raise MissingError(
                f"{download.address}: must have files that fit {', '.join(download.patterns)}. "
                f"Got none at commit {commit}. Correct 'patterns' in the task card."
            )
        missing = [each for each in files if not _has_size(root / each.path, each.size)]
        if missing:
            needed = sum(each.size for each in missing)
            require_space(root, needed, download.address)
            progress.say(
                f"{download.address}: fetching {len(missing)} of {len(files)} files, "
                f"{spelled(needed)}, at commit {commit}."
            )
        snapshot_download(
            name, repo_type="dataset", revision=commit, local_dir=root, allow_patterns=patterns
        )
    except MarbleError:
        raise
    except Exception as error:  # those of its HTTP library, which changed between versions
        raise _explained(download, root, error) from error
    _check(download, root, files, progress)
    return Snapshot(str(commit), tuple(each.path for each in files))


def _listed(hub: Any, name: str, commit: str, patterns: list[str] | None) -> list[_File]:
    """List the requested files with the hub's digests."""
    from huggingface_hub.hf_api import RepoFile  # noqa: PLC0415
    from huggingface_hub.utils import (  # type: ignore[attr-defined] # noqa: PLC0415
        filter_repo_objects,
    )

    tree = hub.list_repo_tree(name, repo_type="dataset", revision=commit, recursive=True)
    found = {each.path: each for each in tree if isinstance(each, RepoFile)}
    return [
        _File(
            each.path,
            each.size if each.lfs is None else each.lfs.size,
            f"git:{each.blob_id}" if each.lfs is None else f"sha256:{each.lfs.sha256}",
        )
        for each in map(found.__getitem__, filter_repo_objects(found, allow_patterns=patterns))
    ]


def _has_size(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _check(download: Download, root: Path, files: Sequence[_File], progress: Progress) -> None:
    progress.begin(f"{download.address}: checking", len(files))
    try:
        for each in files:
            path = root / each.path
            if not path.is_file():
                raise MissingError(
                    f"{path}: must have come from {download.address}. It is not there. Run it "
                    f"again."
                )
            found = digest_like(path, each.digest)
            if found != each.digest:
                raise ValidationError(
                    f"{path}: must be the file of {download.address}, {each.digest}. Got "
                    f"{found}. Delete it, and run it again."
                )
            progress.advance()
    except OSError as error:
        raise MissingError(f"{error.filename}: cannot be read: {error.strerror}.") from error
    finally:
        progress.end()


def _explained(download: Download, root: Path, error: Exception) -> MarbleError:
    """Turn an error of the hub into one that names the next step."""
    from huggingface_hub import errors  # noqa: PLC0415

    subject, page = download.address, download.address.replace("hf://", "https://huggingface.co/")
    if isinstance(error, errors.GatedRepoError):
        return MissingError(
            f"{subject}: access must be granted by its owner. Ask for it at {page}, make a token "
            f"at https://huggingface.co/settings/tokens, and log in with hf auth login."
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return MissingError(
            f"{subject}: must have the commit {download.revision}. It has not. Look at "
            f"{page}/commits/main, and correct 'revision' in the task card."
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return MissingError(
            f"{subject}: must be on the hub and open to you. It is not there, or it is private: "
            f"look at {page}, and log in with hf auth login."
        )
    if type(error) is OSError or isinstance(error, PermissionError | NotADirectoryError):
        return unwritable(error, root, "What has come is kept.")
    return MissingError(
        f"{subject}: cannot be fetched: {type(error).__name__}: {' '.join(str(error).split())}. "
        f"Run it again when the hub can be reached; what has come is kept."
    )
