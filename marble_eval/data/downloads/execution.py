"""Execution of a plan: each group is fetched, verified and unpacked in turn.

One process at a time works in a root. Each finished group is recorded at once, so a run that
fails or is killed loses only the group it was working on.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from marble_eval.data.downloads.archives import joined, unpack
from marble_eval.data.downloads.hub import fetch_repository
from marble_eval.data.downloads.plan import Item, Plan, survey, whole_of
from marble_eval.data.downloads.receipts import (
    FOLDER,
    file_receipt,
    read_receipt,
    repository_name,
    unpacked_name,
    write_receipt,
)
from marble_eval.data.downloads.space import spelled, unwritable
from marble_eval.data.downloads.transfer import fetch
from marble_eval.errors import MarbleError

if TYPE_CHECKING:
    from marble_eval.progress import Progress


class Outcome(NamedTuple):
    """A finished download."""

    address: str  # from the task card
    version: str  # the file's digest, or ``commit:`` and the commit of a repository


def carry_out(plan: Plan, progress: Progress) -> tuple[Outcome, ...]:
    """Fetch, verify and unpack what a plan lists, after checking the disk again."""
    root = plan.root
    try:
        with _alone(root, progress):
            now = survey(
                [each.download for each in plan.items], root, keep_archives=plan.keep_archives
            )
            if now.needed_bytes > now.free_bytes:
                raise MarbleError(
                    f"{root}: must have {spelled(now.needed_bytes)} free for what is to be fetched "
                    f"and unpacked. Got {spelled(now.free_bytes)}. Make room, or choose another "
                    f"root."
                )
            outcomes: dict[str, Outcome] = {}
            for group in now.groups:
                for each in group:
                    outcomes[each.name] = _obtained(each, root, progress)
                if any(each.state != "here" for each in group):
                    _unpack(group, root, progress, keep=plan.keep_archives)
            return tuple(outcomes[each.name] for each in now.items)
    except OSError as error:
        raise unwritable(error, root) from error


def _obtained(item: Item, root: Path, progress: Progress) -> Outcome:
    """Fetch or verify one download, and write its receipt."""
    download = item.download
    if download.is_repository:
        if item.state == "here":
            commit = read_receipt(root, repository_name(download))["commit"]
        else:
            commit, files = fetch_repository(download, root, progress)
            told = {"commit": commit, "files": list(files)}
            write_receipt(root, repository_name(download), told)
        return Outcome(download.address, f"commit:{commit}")
    if item.state not in ("here", "to unpack"):
        fetch(download, item.path, progress)
        write_receipt(root, download.file, file_receipt(download, item.path))
    return Outcome(download.address, download.digest)


def _unpack(group: Sequence[Item], root: Path, progress: Progress, *, keep: bool) -> None:
    download, archive = group[0].download, group[0].path
    whole = whole_of(download)
    if download.unpack == "":
        return
    if whole is not None:
        progress.say(f"{whole}: joining {len(group)} parts.")
        archive = joined([each.path for each in group], root / f"{whole}.whole")
    try:
        files = unpack(archive, root / download.into, download.unpack, progress)
    finally:
        if whole is not None:
            archive.unlink(missing_ok=True)
    digests = [each.download.digest for each in group]
    write_receipt(root, unpacked_name(download), {"digests": digests, "files": list(files)})
    if not keep:
        for each in group:
            each.path.unlink()


@contextmanager
def _alone(root: Path, progress: Progress) -> Iterator[None]:
    """Hold a lock, which the kernel releases when the process dies."""
    (root / FOLDER).mkdir(parents=True, exist_ok=True)
    with (root / FOLDER / "lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.say(f"{root}: another process is fetching into it. Waiting for that.")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield
