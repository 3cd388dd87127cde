"""The index as a file: its lines, their checksums, and files replaced behind one's back."""

import json
import zlib
from pathlib import Path

import pytest

from marble_eval.features.stores import ClipName
from marble_eval.features.stores.index import Index, Record

RECORD_BYTES = 10
FIRST = [(ClipName("a" * 32, 0, 2), 11), (ClipName("a" * 32, 1, 2), 12)]
SECOND = [(ClipName("b" * 32, 0, 1), 13)]


def _written(path: Path, *batches: list[tuple[ClipName, int]]) -> Index:
    index = Index(path, RECORD_BYTES)
    for batch in batches:
        with path.open("ab") as stream:
            stream.write(index.lines(batch))
        index.refresh()
    return index


def test_a_line_names_offset_clip_and_checksum(tmp_path: Path) -> None:
    _written(tmp_path / "index.jsonl", FIRST, SECOND)
    lines = (tmp_path / "index.jsonl").read_bytes().splitlines()
    assert [json.loads(line)["offset"] for line in lines] == [0, 10, 20]
    assert json.loads(lines[0])["clips"] == [["a" * 32, 0, 2, 11]]
    assert json.loads(lines[1])["clips"] == [["a" * 32, 1, 2, 12]]
    for line in lines:  # the seal covers everything before it
        assert json.loads(line)["crc"] == zlib.crc32(line[: line.rindex(b',"crc":')])


def test_lines_are_the_same_however_records_are_batched(tmp_path: Path) -> None:
    _written(tmp_path / "one", FIRST, SECOND)
    _written(tmp_path / "other", [*FIRST, *SECOND])
    _written(tmp_path / "third", FIRST[:1], FIRST[1:], SECOND)
    assert len({(tmp_path / name).read_bytes() for name in ("one", "other", "third")}) == 1


def test_a_line_of_a_batch_as_earlier_versions_wrote_it_is_read(tmp_path: Path) -> None:
    opened = b'{"offset":0,"clips":[["%s",0,2,11],["%s",1,2,12]]' % (b"a" * 32, b"a" * 32)
    (tmp_path / "index.jsonl").write_bytes(opened + b',"crc":%d}\n' % zlib.crc32(opened))
    index = _written(tmp_path / "index.jsonl")
    index.refresh()
    assert index.records == {name: Record(10 * at, crc) for at, (name, crc) in enumerate(FIRST)}
    with (tmp_path / "index.jsonl").open("ab") as stream:
        stream.write(index.lines(SECOND))
    index.refresh()
    assert index.records[SECOND[0][0]] == Record(20, 13)
    assert index.altered == 0


def test_places_follow_each_other_in_the_data(tmp_path: Path) -> None:
    _written(tmp_path / "index.jsonl", FIRST, SECOND)
    index = Index(tmp_path / "index.jsonl", RECORD_BYTES)
    index.refresh()
    assert index.records == {
        ClipName("a" * 32, 0, 2): Record(0, 11),
        ClipName("a" * 32, 1, 2): Record(10, 12),
        ClipName("b" * 32, 0, 1): Record(20, 13),
    }
    assert index.clips == {"a" * 32: 2, "b" * 32: 1}
    assert index.committed == 30
    assert index.size == (tmp_path / "index.jsonl").stat().st_size


def test_a_line_without_its_end_is_not_read_yet(tmp_path: Path) -> None:
    path = tmp_path / "index.jsonl"
    index = _written(path, FIRST)
    line = index.lines(SECOND)
    for end in range(len(line)):
        path.write_bytes(path.read_bytes()[: index.size] + line[:end])
        index.refresh()
        assert (len(index.records), index.altered) == (2, 0)
    path.write_bytes(path.read_bytes()[: index.size] + line)
    index.refresh()
    assert (len(index.records), index.altered) == (3, 0)


@pytest.mark.parametrize("flip", [1, 0x20, 0x80])
def test_no_altered_byte_goes_unnoticed(tmp_path: Path, flip: int) -> None:
    path = tmp_path / "index.jsonl"
    _written(path, FIRST, SECOND)
    whole = path.read_bytes()
    first = whole.index(b"\n")
    for at in range(first):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :])
        index = Index(path, RECORD_BYTES)
        index.refresh()
        assert index.altered
        assert set(index.records) == {FIRST[1][0], SECOND[0][0]}


def test_of_two_lines_that_name_a_clip_the_later_holds(tmp_path: Path) -> None:
    index = _written(tmp_path / "index.jsonl", FIRST, SECOND, FIRST)
    assert [index.records[name].offset for name, _ in FIRST] == [30, 40]


def test_a_record_once_distrusted_stays_so_until_it_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "index.jsonl"
    index = _written(path, FIRST, SECOND)
    name = FIRST[0][0]
    index.distrust(name)
    path.write_bytes(b'{"altered":\n' + path.read_bytes())
    index.refresh()
    index.mend(30)  # reads the line again that names the damaged record
    assert name not in index.records
    with path.open("ab") as stream:
        stream.write(index.lines(FIRST[:1]))
    index.refresh()
    assert index.records[name] == Record(30, 11)


@pytest.mark.parametrize("kept", [b"", b"{}\n"])
def test_a_file_that_was_replaced_is_read_from_its_start(tmp_path: Path, kept: bytes) -> None:
    path = tmp_path / "index.jsonl"
    index = _written(path, FIRST)
    path.unlink()
    other = Index(path, RECORD_BYTES)
    path.write_bytes(kept + other.lines(SECOND) * 3)  # longer than what was there
    index.refresh()
    assert set(index.records) == {SECOND[0][0]}
    assert index.size == path.stat().st_size
    path.unlink()
    index.refresh()
    assert (index.records, index.size, index.committed) == ({}, 0, 0)


def test_mending_drops_altered_lines_and_those_without_data(tmp_path: Path) -> None:
    path = tmp_path / "index.jsonl"
    _written(path, FIRST, SECOND, [(ClipName("c" * 32, 0, 1), 14)])
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b"altered\n", *lines[2:], b"torn"]))
    index = Index(path, RECORD_BYTES)
    index.refresh()
    assert (index.altered, index.committed) == (1, 40)
    index.mend(39)
    assert path.read_bytes() == b"".join(lines[:3])
    assert (index.altered, index.committed) == (0, 30)


def test_mending_leaves_a_good_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "index.jsonl"
    index = _written(path, FIRST, SECOND)
    before = path.stat().st_ino
    index.mend(30)
    index.mend(35)  # torn data behind what the index vouches for
    assert path.stat().st_ino == before
