"""What an archive holds, refused as soon as it could do harm.

Names must stay below the folder they are unpacked into and be different; only files
and folders are taken. A data set needs no links, so links are refused wherever they
point, which leaves none of the tricks that chain them. What the members say they need
must be in proportion to the archive.
"""

from __future__ import annotations

import functools
import re
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from tarfile import HeaderError, ReadError
from typing import IO, BinaryIO, Literal, NamedTuple, Self

from marble_eval.errors import ValidationError

_TIMES = 250  # audio packs 1:2 and tables 1:30; zeros, of which bombs are made, 1:1000
_ALWAYS = 10**7  # bytes that any archive may hold
_OTHER = "neither file nor folder"


class Member(NamedTuple):
    """A file or folder of an archive.

    Attributes
    ----------
    name : str
        As the archive writes it; once checked, a path below the folder it is unpacked
        into, empty for that folder itself.
    size : int
        Bytes; 0 for a folder.
    open : callable or None
        Opens the content; None for a folder.
    fault : str
        What it is, if it is nothing that is taken.
    """

    name: str
    size: int
    open: Callable[[], IO[bytes] | None] | None
    fault: str = ""


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
    """Go through the members of an archive, each checked before it is handed out.

    Parameters
    ----------
    archive : Path
        The file.
    stream : binary file
        It, opened for reading; how far it has been read tells how far the work is.
    kind : {"zip", "tar"}
        Tar archives may be compressed.

    Yields
    ------
    Member
        In the archive's order. A file must be read before the next is asked for.

    Raises
    ------
    ValidationError
        If a name, a type or a size is not to be trusted.
    OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, zlib.error
        If the archive is damaged or cannot be read.
    """
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
