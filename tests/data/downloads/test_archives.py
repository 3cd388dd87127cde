"""Archives made by Python's own writers, good ones and ones that mean harm."""

from __future__ import annotations

import io
import os
import shutil
import stat
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections import namedtuple
from pathlib import Path

import pytest

from marble_eval.data.downloads.archives import joined, unpack
from marble_eval.errors import MarbleError, MissingError, ValidationError
from tests.data.downloads.host import Heard, full_disk
from tests.data.downloads.test_transfer import names, refused

FILES = {"FULL/female1/a.wav": b"RIFF" * 5000, "FULL/male1/a.wav": b"WAVE", "readme.txt": b""}
KINDS = pytest.mark.parametrize(
    ("kind", "name"), [("zip", "a.zip"), ("tar", "a.tar"), ("tar", "a.tar.gz"), ("tar", "a.tar.xz")]
)


def write(path: Path, files: dict[str, bytes]) -> Path:
    """Write an archive of the kind that its name says."""
    if path.name.endswith(".zip"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as written:
            for name, content in files.items():
                written.writestr(name, content)
        return path
    compression = path.suffix.removeprefix(".").removeprefix("tar")
    with tarfile.open(path, f"w:{compression}") as into:  # type: ignore[call-overload]
        for name, content in files.items():
            add(into, name, content)
    return path


def add(into: tarfile.TarFile, name: str, content: bytes = b"", **more: object) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for attribute, value in more.items():
        setattr(member, attribute, value)
    into.addfile(member, io.BytesIO(content))


def found(folder: Path) -> dict[str, bytes]:
    return {
        str(each.relative_to(folder)): each.read_bytes()
        for each in sorted(folder.rglob("*"))
        if each.is_file()
    }


def kind_of(archive: Path) -> str:
    return "zip" if archive.suffix == ".zip" else "tar"


def refuse(archive: Path, into: Path, *parts: object) -> None:
    """Expect an archive to be refused, and nothing to be left of it."""
    before = names(into.parent)
    with refused(ValidationError, archive, *parts, "Nothing was unpacked"):
        unpack(archive, into, kind_of(archive))  # type: ignore[arg-type]
    assert found(into) == {}
    assert names(into.parent) in (before, sorted([*before, into.name]))


@KINDS
def test_an_archive_is_unpacked_below_its_folder(tmp_path: Path, kind: str, name: str) -> None:
    archive = write(tmp_path / name, FILES)
    into = tmp_path / "data" / "vocalset"
    heard = Heard()
    assert unpack(archive, into, kind, heard) == tuple(FILES)  # type: ignore[arg-type]
    assert found(into) == FILES
    assert names(into) == ["FULL", "readme.txt"]
    assert archive.exists() and heard.open == 0


def test_folders_and_dots_in_names_are_taken(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as written:
        add(written, ".", type=tarfile.DIRTYPE)
        add(written, "./genres", type=tarfile.DIRTYPE)
        add(written, "./genres/", type=tarfile.DIRTYPE)
        add(written, "./genres//empty/", type=tarfile.DIRTYPE)
        add(written, "./genres/./a..wav", b"a")
        add(written, "long/" + "x" * 120 + ".wav", b"b")  # a header of its own for the name
    into = tmp_path / "data"
    told = unpack(tmp_path / "a.tar.gz", into, "tar")
    assert told == ("genres/a..wav", f"long/{'x' * 120}.wav")
    assert found(into) == {"genres/a..wav": b"a", f"long/{'x' * 120}.wav": b"b"}
    assert (into / "genres" / "empty").is_dir()


def test_what_lies_there_stays_and_equal_files_are_kept(tmp_path: Path) -> None:
    archive = write(tmp_path / "a.zip", FILES)
    into = tmp_path / "data"
    (into / "FULL" / "female1").mkdir(parents=True)
    (into / "FULL" / "mine.txt").write_bytes(b"mine")
    same = into / "FULL" / "female1" / "a.wav"
    same.write_bytes(FILES["FULL/female1/a.wav"])
    before = same.stat()
    unpack(archive, into, "zip")
    assert found(into) == {**FILES, "FULL/mine.txt": b"mine"}
    assert os.path.samestat(same.stat(), before) and same.stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize("lies", ["a file", "a folder", "a link"])
def test_another_thing_in_the_way_is_left_alone_and_told(tmp_path: Path, lies: str) -> None:
    archive = write(tmp_path / "a.zip", FILES)
    place = tmp_path / "data" / "FULL" / "male1" / "a.wav"
    place.parent.mkdir(parents=True)
    if lies == "a file":
        place.write_bytes(b"wave")
    elif lies == "a folder":
        place.mkdir()
    else:
        place.symlink_to("nowhere")
    before = place.lstat()
    with refused(ValidationError, f"{place}: must be the one that a.zip holds. Got another."):
        unpack(archive, tmp_path / "data", "zip")
    assert os.path.samestat(place.lstat(), before)
    assert names(tmp_path / "data") == ["FULL"]
    assert names(tmp_path / "data" / "FULL") == ["male1"]


def test_a_file_where_a_folder_belongs_is_told(tmp_path: Path) -> None:
    archive = write(tmp_path / "a.zip", FILES)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "FULL").write_bytes(b"mine")
    with refused(ValidationError, f"{tmp_path / 'data' / 'FULL'}: must be the one"):
        unpack(archive, tmp_path / "data", "zip")
    assert found(tmp_path / "data") == {"FULL": b"mine"}


CLIMBING = [
    "../out.wav",
    "a/../../out.wav",
    "a/..",
    "/tmp/out.wav",
    "//out.wav",
    "..\\out.wav",
    "\\out.wav",
    "C:/out.wav",
    "c:out.wav",
]


@pytest.mark.parametrize("climbing", CLIMBING)
@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
def test_names_that_climb_out_are_refused(tmp_path: Path, name: str, climbing: str) -> None:
    archive = write(tmp_path / name, {"good.wav": b"a", climbing: b"b"})
    into = tmp_path / "deep" / "data"
    into.parent.mkdir()
    refuse(archive, into, f"{climbing!r}, which leads out of the folder")
    assert not (tmp_path / "out.wav").exists() and not (into.parent / "out.wav").exists()


@pytest.mark.parametrize("climbing", ["../out", "/tmp/out"])
def test_folders_that_climb_out_are_refused(tmp_path: Path, climbing: str) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as written:
        add(written, climbing, type=tarfile.DIRTYPE)
    refuse(tmp_path / "a.tar", tmp_path / "data", "leads out of the folder")
    refuse(write(tmp_path / "a.zip", {f"{climbing}/": b""}), tmp_path / "data", "leads out")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
@pytest.mark.parametrize("points", ["/etc", "..", "../../out", "inside", "."])
def test_a_link_is_refused_wherever_it_points(tmp_path: Path, kind: bytes, points: str) -> None:
    """The usual trick: a link to a place outside, then a file through it."""
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as written:
        add(written, "inside", b"a")
        add(written, "link", type=kind, linkname=points)
        add(written, "link/out.wav", b"b")
    refuse(tmp_path / "a.tar.gz", tmp_path / "data", "'link', which is a link")
    assert not (tmp_path / "out.wav").exists()


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, b"?"])
def test_a_device_or_an_unknown_type_is_refused(tmp_path: Path, kind: bytes) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as written:
        add(written, "null", type=kind, devmajor=1, devminor=3)
    refuse(tmp_path / "a.tar", tmp_path / "data", "'null', which is neither file nor folder")


@pytest.mark.parametrize(
    ("kind", "fault"), [(stat.S_IFLNK, "a link"), (stat.S_IFIFO, "neither file nor folder")]
)
def test_a_link_or_device_in_a_zip_is_refused(tmp_path: Path, kind: int, fault: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as written:
        info = zipfile.ZipInfo("link")
        info.external_attr = (kind | 0o777) << 16
        written.writestr(info, "/etc/passwd")
    refuse(tmp_path / "a.zip", tmp_path / "data", f"'link', which is {fault}")


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    content = bytearray(write(tmp_path / "a.zip", {"a": b"a"}).read_bytes())
    at = content.index(b"PK\x01\x02")
    content[at + 8] |= 1  # the flag, in the directory
    (tmp_path / "a.zip").write_bytes(content)
    refuse(tmp_path / "a.zip", tmp_path / "data", "which is encrypted")


@pytest.mark.parametrize(
    "colliding",
    [("a", "a"), ("a", "./a"), ("a/b", "a//b"), ("a", "a/b"), ("a/b", "a"), ("a/b/c", "a/b")],
)
@pytest.mark.parametrize("name", ["a.zip", "a.tar"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_collide_are_refused(
    tmp_path: Path, name: str, colliding: tuple[str, str]
) -> None:
    if name == "a.tar":
        with tarfile.open(tmp_path / name, "w") as written:
            for each in colliding:
                add(written, each, b"a")
    else:
        with zipfile.ZipFile(tmp_path / name, "w") as opened:
            for each in colliding:
                opened.writestr(each, b"a")
    refuse(tmp_path / name, tmp_path / "data", "collides with another member")


def test_a_member_without_a_name_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as written:
        add(written, ".", b"a")
    refuse(tmp_path / "a.tar", tmp_path / "data", "has no name")


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.tar.xz"])
def test_a_bomb_is_refused(tmp_path: Path, name: str) -> None:
    """20 MB of zeros, packed to less than a hundredth."""
    archive = write(tmp_path / name, {"a": bytes(2_000_000), "b": bytes(18_000_000)})
    assert archive.stat().st_size < 100_000
    refuse(archive, tmp_path / "data", "'b', which brings what is to be unpacked to more than")


def test_a_zip_that_lies_about_its_sizes_gives_no_more_than_it_says(tmp_path: Path) -> None:
    archive = write(tmp_path / "a.zip", {"a": bytes(5_000_000)})
    content = bytearray(archive.read_bytes())
    at = content.index(b"PK\x01\x02")
    assert struct.unpack_from("<I", content, at + 24) == (5_000_000,)
    struct.pack_into("<I", content, at + 24, 1000)
    archive.write_bytes(content)
    refuse(archive, tmp_path / "data", "must be a whole archive. Got Bad CRC-32")


@KINDS
def test_what_the_disk_cannot_hold_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, name: str
) -> None:
    archive = write(tmp_path / name, {"a": bytes(1000), "b": bytes(1000)})
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(9999, 0, 1999))
    with refused(
        MarbleError, f"{tmp_path / 'data'}: must have more than 2.0 kB free to unpack {name}. Got"
    ):
        unpack(archive, tmp_path / "data", kind)  # type: ignore[arg-type]
    assert names(tmp_path / "data") == []
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(9999, 0, 2000))
    unpack(archive, tmp_path / "data", kind)  # type: ignore[arg-type]


@KINDS
def test_a_truncated_archive_is_refused_wherever_it_ends(
    tmp_path: Path, kind: str, name: str
) -> None:
    """tarfile itself takes a tar cut between two members, or inside a header, for whole."""
    content = write(tmp_path / name, {f"{at}.wav": os.urandom(700) for at in range(4)}).read_bytes()
    cuts = {0, 1, 511, 512, 700, 1024, 1536, 1600, 2048, 3072, 4096, len(content) // 2}
    # The zeros at the end of a plain tar are padding: without some of them it is still whole.
    cuts |= {len(content) - 1} if name != "a.tar" else set()
    for cut in sorted(each for each in cuts if each < len(content)):
        (tmp_path / f"cut-{name}").write_bytes(content[:cut])
        refuse(tmp_path / f"cut-{name}", tmp_path / "data", "must be a whole archive. Got ")


@KINDS
def test_a_damaged_archive_is_refused(tmp_path: Path, kind: str, name: str) -> None:
    content = write(tmp_path / name, {f"{at}.wav": os.urandom(700) for at in range(4)}).read_bytes()
    damaged = bytearray(content)
    at = 1536 if name == "a.tar" else len(content) // 2  # a tar has checksums of headers alone
    damaged[at] ^= 0xFF
    (tmp_path / name).write_bytes(damaged)
    refuse(tmp_path / name, tmp_path / "data", "must be a whole archive. Got ")


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"<html>Please log in</html>" * 100)
    refuse(tmp_path / "a.zip", tmp_path / "data", "must be a whole archive. Got File is not a zip")
    (tmp_path / "a.tar").write_bytes(b"<html>Please log in</html>" * 100)
    refuse(tmp_path / "a.tar", tmp_path / "data", "must be a whole archive. Got ")


def test_no_archive_is_told(tmp_path: Path) -> None:
    with refused(MissingError, f"{tmp_path / 'a.zip'}: must be the archive to unpack."):
        unpack(tmp_path / "a.zip", tmp_path / "data", "zip")


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    archive = write(tmp_path / "a.zip", FILES)
    (tmp_path / "file").touch()
    with refused(MarbleError, "cannot be written: ", "Nothing was unpacked."):
        unpack(archive, tmp_path / "file" / "data", "zip")
    with refused(MarbleError, "File name too long. Nothing was unpacked."):
        unpack(write(tmp_path / "b.zip", {"x" * 300: b""}), tmp_path / "data", "zip")


def test_a_disk_that_fills_up_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    archive = write(tmp_path / "a.zip", FILES)
    with full_disk(10_000), refused(MarbleError, "File too large. Nothing was unpacked."):
        unpack(archive, tmp_path / "data", "zip")
    assert names(tmp_path / "data") == []
    parts = [tmp_path / f"a.00{at}" for at in (1, 2)]
    for each in parts:
        each.write_bytes(bytes(8000))
    with full_disk(10_000), refused(MarbleError, "cannot be written: File too large."):
        joined(parts, tmp_path / "joined")
    assert names(tmp_path) == ["a.001", "a.002", "a.zip", "data"]


def test_a_member_named_like_the_folder_of_the_work_is_refused(tmp_path: Path) -> None:
    archive = write(tmp_path / "a.zip", {".a.zip.unpacking/b.wav": b"b"})
    with refused(ValidationError, ".a.zip.unpacking: must be the one that a.zip holds."):
        unpack(archive, tmp_path / "data", "zip")
    assert names(tmp_path / "data") == []


KILLED = """
import os, signal, sys
from pathlib import Path
from marble_eval.data.downloads.archives import unpack
from marble_eval.progress import Silence

class Killer(Silence):
    def advance(self, steps=1):
        os.kill(os.getpid(), signal.SIGKILL)

unpack(Path(sys.argv[1]), Path(sys.argv[2]), "zip", Killer())
"""


def test_a_killed_unpacking_leaves_nothing_that_looks_unpacked(tmp_path: Path) -> None:
    archive, into = write(tmp_path / "a.zip", FILES), tmp_path / "data"
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(archive), str(into)], cwd=Path(__file__).parents[3]
    )
    assert done.returncode == -9
    assert names(into) == [".a.zip.unpacking"]
    assert unpack(archive, into, "zip") == tuple(FILES)
    assert found(into) == FILES and names(into) == ["FULL", "readme.txt"]


def test_a_divided_zip_is_joined_and_unpacked(tmp_path: Path) -> None:
    """MagnaTagATune's mp3.zip.001 to .003 are one zip, cut anywhere."""
    files = {f"{at:x}/clip.mp3": os.urandom(5000) for at in range(16)}
    content = write(tmp_path / "mp3.zip", files).read_bytes()
    parts = []
    for at in range(3):
        parts.append(tmp_path / f"mp3.zip.{at + 1:03d}")
        parts[at].write_bytes(content[at * 30_000 :][: 30_000 if at < 2 else None])
    whole = joined(parts, tmp_path / "whole.zip")
    assert whole.read_bytes() == content
    unpack(whole, tmp_path / "data", "zip")
    assert found(tmp_path / "data") == files
    refuse(joined([parts[0], parts[2]], tmp_path / "b.zip"), tmp_path / "more", "whole archive")


def test_parts_that_are_missing_or_too_big_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "a.001", tmp_path / "a.002"
    first.write_bytes(bytes(1000))
    with refused(MissingError, f"must have all its parts. Missing: {second}."):
        joined([first, second], tmp_path / "a")
    second.write_bytes(bytes(1000))
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(9999, 0, 1999))
    with refused(MarbleError, "must have 2.0 kB free for a. Got 2.0 kB"):
        joined([first, second], tmp_path / "a")
    assert names(tmp_path) == ["a.001", "a.002"]
