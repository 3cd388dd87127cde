"""Archives: unpacked whole or not at all, over nothing else, and only if they can be trusted.

All is written to a hidden folder beside its place and moved there at the end, so an interrupted
unpacking leaves nothing half done. Names must differ and stay below that folder; only files and
folders are taken: a data set needs no links, and refusing them rules out the tricks that chain
them. The sizes that members state must be in proportion to the archive.
"""

from __future__ import annotations

import filecmp
import functools
import os
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from tarfile import HeaderError, ReadError
from typing import IO, TYPE_CHECKING, BinaryIO, Literal, NamedTuple, Self

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
_TIMES = 250  # audio packs 1:2 and tables 1:30; zeros, of which bombs are made, 1:1000
_ALWAYS = 10**7  # bytes that any archive may hold
_OTHER = "neither file nor folder"


def unpack(
    archive: Path, into: Path, kind: Literal["zip", "tar"], progress: Progress | None = None
) -> tuple[str, ...]:
    """Unpack an archive (zip, or tar with any compression) into a folder, and list its files.

    On any error nothing is unpacked. Other files in the folder stay; one that differs from the
    archive's is an error.
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
    """Join the parts of a divided archive, in order, into one file."""
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
    """Write every member to the scratch folder; yield the names of files."""
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
    """Raise if a different file lies where one of the archive's belongs."""
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
    """Move what is not there; what is there is equal."""
    for each in sorted(source.iterdir()):
        place = target / each.name
        if not os.path.lexists(place):
            each.rename(place)
        elif each.is_dir():
            _move(each, place)


class Member(NamedTuple):
    """A file or folder of an archive."""

    name: str  # as the archive writes it; once checked, a path below the target folder
    size: int  # bytes; 0 for a folder
    open: Callable[[], IO[bytes] | None] | None  # opens the content; None for a folder
    fault: str = ""  # what it is, if it cannot be accepted


class _StrictHeader(tarfile.TarInfo):
    """A tar header; tarfile takes a damaged one for the end of the archive."""

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tarfile)
        except HeaderError as error:
            if type(error).__name__ == "EOFHeaderError":  # the zeros at the end: no error
                raise
            raise ReadError(str(error)) from error


def members_of(archive: Path, stream: BinaryIO, kind: Literal["zip", "tar"]) -> Iterator[Member]:
    """Yield the members of an archive, each checked; a file must be read before the next."""
    most = max(_ALWAYS, _TIMES * archive.stat().st_size)
    files: set[PurePosixPath] = set()
    folders: set[PurePosixPath] = {PurePosixPath()}
    total = 0
    for member in _tar_members(stream) if kind == "tar" else _zip_members(stream):
        if member.fault:
            raise _refused(archive, member, f"is {member.fault}; only files and folders are taken")
        name = _safe_name(archive, member)
        above = set(name.parents)
        if name in files or above & files or (member.open is not None and name in folders):
            raise _refused(archive, member, "collides with another member")
        folders |= above
        (folders if member.open is None else files).add(name)
        total += member.size
        if total > most:
            raise _refused(
                archive, member, f"brings what is to be unpacked to more than {most} bytes"
            )
        yield member._replace(name=str(name))


def _safe_name(archive: Path, member: Member) -> PurePosixPath:
    parts = member.name.split("/")
    if member.name.startswith("/") or ".." in parts or re.search(r"\\|^[A-Za-z]:", member.name):
        raise _refused(archive, member, "leads out of the folder it is unpacked into")
    name = PurePosixPath(*parts)
    if member.open is not None and not name.parts:
        raise _refused(archive, member, "has no name")
    return name


def _refused(archive: Path, member: Member, fault: str) -> ValidationError:
    return ValidationError(
        f"{archive}: must hold files with names of their own below one folder. Got "
        f"{member.name!r}, which {fault}. Nothing was unpacked. It is damaged or "
        f"means harm: look for another source."
    )


def _zip_members(stream: BinaryIO) -> Iterator[Member]:
    with zipfile.ZipFile(stream) as opened:
        for info in opened.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)  # none, if not made on Unix
            fault = ""
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                fault = "a link" if kind == stat.S_IFLNK else _OTHER
            if info.flag_bits & 1:
                fault = "encrypted"
            content = None if info.is_dir() else functools.partial(opened.open, info)
            yield Member(info.filename, 0 if content is None else info.file_size, content, fault)


def _tar_members(stream: BinaryIO) -> Iterator[Member]:
    with tarfile.open(fileobj=stream, tarinfo=_StrictHeader) as opened:
        while (info := opened.next()) is not None:
            fault = ""
            if not (info.isreg() or info.isdir()):
                fault = "a link" if info.issym() or info.islnk() else _OTHER
            content = None if info.isdir() else functools.partial(opened.extractfile, info)
            yield Member(info.name, 0 if content is None else info.size, content, fault)
            opened.members.clear()  # type: ignore[attr-defined] # or every header stays in memory
        while opened.fileobj is not None and opened.fileobj.read(1 << 20):
            pass  # to the end, where gzip's checksum is
