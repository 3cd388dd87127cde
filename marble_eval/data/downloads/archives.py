"""Archives: unpacked whole or not at all, and never over something else.

Everything is written to a hidden folder beside its place and moved there at the end,
so an interrupted unpacking leaves nothing half; the next one clears what it left.
Files that are there already and equal stay as they are.
"""

from __future__ import annotations

import filecmp
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from lzma import LZMAError
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

from marble_eval.data.downloads.members import Member, members_of
from marble_eval.data.downloads.space import free_bytes, require_space, spelled, unwritable
from marble_eval.errors import MarbleError, MissingError, ValidationError
from marble_eval.progress import Silence

if TYPE_CHECKING:
    from marble_eval.progress import Progress

_BLOCK = 1 << 20  # bytes
_MEGABYTE = 10**6
# What a damaged archive raises: RuntimeError and NotImplementedError for kinds of zip
# compression that Python does not know, OSError also for gzip's checksum.
_DAMAGE = (
    EOFError,
    LZMAError,
    NotImplementedError,
    OSError,
    RuntimeError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)


def unpack(
    archive: Path, into: Path, kind: Literal["zip", "tar"], progress: Progress | None = None
) -> tuple[str, ...]:
    """Unpack an archive into a folder; one process at a time may do so.

    Parameters
    ----------
    archive : Path
        The file; it stays.
    into : Path
        The folder; made if need be. What else lies there stays.
    kind : {"zip", "tar"}
        Tar archives may be compressed with gzip, bzip2 or xz.
    progress : Progress, optional
        Told of megabytes.

    Returns
    -------
    tuple of str
        The files, below the folder, in the archive's order.

    Raises
    ------
    MissingError
        If there is no archive.
    ValidationError
        If the archive is damaged, holds what is not to be trusted, or another file
        lies where one of its own belongs. Nothing is unpacked then.
    MarbleError
        If the disk lacks room or cannot be written.
    """
    if not archive.is_file():
        raise MissingError(f"{archive}: must be the archive to unpack. It is not there.")
    scratch = into / f".{archive.name}.unpacking"
    try:
        shutil.rmtree(scratch, ignore_errors=True)  # left by a killed run
        scratch.mkdir(parents=True)
        names = tuple(_written(archive, scratch, kind, progress or Silence()))
        _refuse_others(archive, scratch, into)
        _move(scratch, into)
    except OSError as error:
        raise unwritable(error, into, "Nothing was unpacked.") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return names


def joined(parts: Sequence[Path], target: Path) -> Path:
    """Write the parts of a divided archive, one after the other, to one file.

    Parameters
    ----------
    parts : sequence of Path
        In order: ``mp3.zip.001``, ``mp3.zip.002``, …
    target : Path
        The whole; it appears when it is whole.

    Returns
    -------
    Path
        The target.

    Raises
    ------
    MissingError
        If a part is not there.
    MarbleError
        If the disk lacks room or cannot be written.
    """
    absent = [str(each) for each in parts if not each.is_file()]
    if absent:
        raise MissingError(f"{target}: must have all its parts. Missing: {', '.join(absent)}.")
    written = target.with_name(f".{target.name}.joining")
    try:
        require_space(target.parent, sum(each.stat().st_size for each in parts), target.name)
        with written.open("wb") as stream:
            for each in parts:
                with each.open("rb") as part:
                    shutil.copyfileobj(part, stream, _BLOCK)
        written.replace(target)
    except OSError as error:
        raise unwritable(error, target.parent) from error
    finally:
        written.unlink(missing_ok=True)
    return target


def _written(
    archive: Path, scratch: Path, kind: Literal["zip", "tar"], progress: Progress
) -> Iterator[str]:
    """Write every member to the scratch folder, and yield the names of files."""
    free, total, told = free_bytes(scratch), 0, 0
    progress.begin(f"{archive.name}: unpacking (MB)", archive.stat().st_size // _MEGABYTE)
    try:
        with archive.open("rb") as stream:
            members = members_of(archive, stream, kind)
            while (member := _next(members, archive)) is not None:
                place = scratch / member.name
                if member.open is None:
                    place.mkdir(parents=True, exist_ok=True)
                    continue
                total += member.size
                if total > free:
                    raise MarbleError(
                        f"{scratch.parent}: must have more than {spelled(total)} free to unpack "
                        f"{archive.name}. Got {spelled(free)}. Nothing was unpacked. Make room, "
                        f"or name a folder on another disk."
                    )
                place.parent.mkdir(parents=True, exist_ok=True)
                _copy(member, place, archive)
                now = max(told, stream.tell() // _MEGABYTE)  # zip goes to and fro
                progress.advance(now - told)
                told = now
                yield member.name
    finally:
        progress.end()


def _next(members: Iterator[Member], archive: Path) -> Member | None:
    try:
        return next(members, None)
    except _DAMAGE as error:
        raise _damaged(archive, error) from error


def _copy(member: Member, place: Path, archive: Path) -> None:
    try:
        source: IO[bytes] | None = member.open() if member.open is not None else None
    except _DAMAGE as error:
        raise _damaged(archive, error) from error
    if source is None:
        raise _damaged(archive, f"no content of {member.name}")
    with source, place.open("xb") as stream:  # "x": names may collide where case does not count
        while True:
            try:
                block = source.read(_BLOCK)
            except _DAMAGE as error:
                raise _damaged(archive, error) from error
            if not block:
                return
            stream.write(block)


def _damaged(archive: Path, error: object) -> ValidationError:
    why = " ".join(str(error).split()) or type(error).__name__
    return ValidationError(
        f"{archive}: must be a whole archive. Got {why}. Nothing was unpacked. Delete it, and it "
        f"is fetched anew."
    )


def _refuse_others(archive: Path, scratch: Path, into: Path) -> None:
    """Refuse to unpack where another file lies in the way of one of the archive's."""
    for folder, _, names in os.walk(scratch):
        place = into / Path(folder).relative_to(scratch)
        if not os.path.lexists(place):
            continue
        for each in ("", *names):
            there, mine = place / each, Path(folder) / each
            if not os.path.lexists(there):
                continue
            is_same = there.is_dir() if mine.is_dir() else _is_same(there, mine)
            if there == scratch or not is_same:
                raise ValidationError(
                    f"{there}: must be the one that {archive.name} holds. Got another. Nothing "
                    f"was unpacked. Move it away and run it again."
                )


def _is_same(there: Path, mine: Path) -> bool:
    return there.is_file() and filecmp.cmp(there, mine, shallow=False)


def _move(source: Path, target: Path) -> None:
    """Move what is not there yet; what is there is the same."""
    for each in sorted(source.iterdir()):
        place = target / each.name
        if not os.path.lexists(place):
            each.rename(place)
        elif each.is_dir():
            _move(each, place)
