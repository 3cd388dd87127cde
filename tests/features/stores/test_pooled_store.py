"""The store on disk: kills, neighbours, and bytes that were changed."""

import errno
import fcntl
import io
import json
import multiprocessing
import os
import shutil
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marble_eval.errors import MarbleError
from marble_eval.features.stores import ClipName, PooledStore, StoreCheck, open_store

LAYERS, WIDTH = 2, 3
RECORD_BYTES = LAYERS * WIDTH * 2
AUDIO = ["a" * 32, "b" * 32, "c" * 32]
# Three tracks of 3, 1 and 2 clips, in the batches in which they are appended.
BATCHES = [
    [ClipName(AUDIO[0], 0, 3), ClipName(AUDIO[0], 1, 3)],
    [ClipName(AUDIO[0], 2, 3)],
    [ClipName(AUDIO[1], 0, 1), ClipName(AUDIO[2], 0, 2)],
    [ClipName(AUDIO[2], 1, 2)],
]
NAMES = [name for batch in BATCHES for name in batch]


def _features(names: list[ClipName]) -> list[np.ndarray]:
    """Numbers that tell each clip from every other."""
    rows = [
        100 * AUDIO.index(name.audio) + 10 * name.clip + 1 + np.arange(LAYERS * WIDTH) / 8
        for name in names
    ]
    return [row.astype(np.float16).reshape(LAYERS, WIDTH) for row in rows]


def _open(folder: Path, **about: Any) -> PooledStore:
    return PooledStore(folder, layers=LAYERS, width=WIDTH, dtype="float16", about=about)


def _fill(folder: Path) -> PooledStore:
    store = _open(folder)
    for batch in BATCHES:
        store.append(batch, _features(batch))
    return store


def _check_all(store: PooledStore) -> None:
    for audio in AUDIO:
        names = [name for name in NAMES if name.audio == audio]
        np.testing.assert_array_equal(store.read(audio), _features(names))


def _bytes(folder: Path) -> tuple[bytes, bytes]:
    return (folder / "data.bin").read_bytes(), (folder / "index.jsonl").read_bytes()


def _flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 0x10
    path.write_bytes(content)


def test_what_was_appended_is_read_from_another_opening(tmp_path: Path) -> None:
    _check_all(_fill(tmp_path / "store"))
    store = PooledStore.open(tmp_path / "store")
    _check_all(store)
    assert len(store) == 6
    assert all(name in store for name in NAMES)
    assert [store.clip_count(audio) for audio in AUDIO] == [3, 1, 2]
    assert all(store.is_complete(audio) for audio in AUDIO)
    assert store.verify() == StoreCheck(records=6, damaged=0, bytes=6 * RECORD_BYTES)


def test_rows_of_a_layer_are_those_of_the_track(tmp_path: Path) -> None:
    store = _fill(tmp_path)
    assert store.tracks() == AUDIO
    assert store.contents() == {"clips": 6}
    assert [store.rows(audio) for audio in AUDIO] == [3, 1, 2]
    whole = np.stack(_features(BATCHES[0] + BATCHES[1]))
    np.testing.assert_array_equal(store.read_layer(AUDIO[0], 1, 1, 3), whole[1:3, 1])
    for audio, stop in ((AUDIO[0], 4), ("d" * 32, 1)):
        with pytest.raises(MarbleError, match=rf"the clips 0 to {stop} of {audio}"):
            store.read_layer(audio, 0, 0, stop)


def test_a_store_of_version_0_1_is_read_and_continued_to_the_same_bytes(tmp_path: Path) -> None:
    """Files as 0.1.0 wrote them for these six clips, up to the fourth and to the end."""
    old = Path(__file__).parent / "version_0_1" / "pooled"
    shutil.copytree(old, tmp_path / "store")
    data, index = _bytes(old)
    lines = index.splitlines(keepends=True)
    (tmp_path / "store" / "data.bin").write_bytes(data[: 4 * RECORD_BYTES])
    (tmp_path / "store" / "index.jsonl").write_bytes(b"".join(lines[:4]))
    store = PooledStore.open(tmp_path / "store")
    assert store.verify() == StoreCheck(4, 0, 4 * RECORD_BYTES)
    np.testing.assert_array_equal(store.read(AUDIO[0]), _features(NAMES[:3]))
    assert store.append(NAMES, _features(NAMES)) == 2
    assert _bytes(tmp_path / "store") == (data, index)
    opened = open_store(old)
    assert isinstance(opened, PooledStore)
    _check_all(opened)


def test_records_are_plain_little_endian_numbers(tmp_path: Path) -> None:
    store = PooledStore(tmp_path, layers=LAYERS, width=WIDTH, dtype="float32", about={})
    features = np.random.default_rng(0).standard_normal((6, LAYERS, WIDTH)).astype(np.float32)
    store.append(NAMES, list(features))
    numbers = np.fromfile(tmp_path / "data.bin", "<f4").reshape(6, LAYERS, WIDTH)
    np.testing.assert_array_equal(numbers, features)
    lines = (tmp_path / "index.jsonl").read_text().splitlines()
    for line, record in zip(lines, features, strict=True):
        ((*name, crc),) = json.loads(line)["clips"]
        assert ClipName(*name) in store
        assert crc == zlib.crc32(record.tobytes())


def test_an_empty_store_has_nothing_and_makes_no_folder(tmp_path: Path) -> None:
    store = _open(tmp_path / "store")
    assert store.read(AUDIO[0]) is None
    assert store.clip_count(AUDIO[0]) is None
    assert not store.is_complete(AUDIO[0])
    assert store.stored_clips(AUDIO[0]) == 0
    assert store.verify() == StoreCheck(0, 0, 0)
    assert not (tmp_path / "store").exists()


def test_a_track_with_a_clip_missing_is_neither_complete_nor_read(tmp_path: Path) -> None:
    store = _open(tmp_path)
    store.append(BATCHES[0], _features(BATCHES[0]))
    assert not store.is_complete(AUDIO[0])
    assert store.stored_clips(AUDIO[0]) == 2
    assert store.read(AUDIO[0]) is None


def test_a_clip_is_stored_once(tmp_path: Path) -> None:
    store = _fill(tmp_path)
    before = _bytes(tmp_path)
    assert store.append(NAMES[:4], _features(NAMES[:4])) == 0
    assert _bytes(tmp_path) == before
    new = ClipName("d" * 32, 0, 1)
    features = [*_features(NAMES[:1]), np.full((LAYERS, WIDTH), 7, np.float16)]
    assert store.append([NAMES[0], new], features) == 1
    np.testing.assert_array_equal(store.read("d" * 32), features[1:])


def test_features_of_another_shape_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 3\) for each of 1 clips\. Got \[\(3, 2\)\]"):
        _open(tmp_path).append(NAMES[:1], [np.zeros((3, 2), np.float16)])
    assert not (tmp_path / "data.bin").exists()


def _killed_states(data: bytes, index: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Pairs of files that a killed writer can leave: the lines come after their data."""
    rest = index.splitlines(keepends=True)
    vouched, written = 0, 0
    for batch in BATCHES:
        lines, rest = b"".join(rest[: len(batch)]), rest[len(batch) :]
        end = vouched + len(batch) * RECORD_BYTES
        for cut in range(vouched, end):
            yield data[:cut], index[:written]
        for cut in (*range(0, len(lines), 5), len(lines) - 1):
            yield data[:end], index[: written + cut]
        vouched, written = end, written + len(lines)
    yield data, index


def test_a_writer_killed_anywhere_is_made_good_byte_for_byte(tmp_path: Path) -> None:
    _fill(tmp_path / "whole")
    whole = _bytes(tmp_path / "whole")
    states = list(_killed_states(*whole))
    assert len(states) > 150
    folder = tmp_path / "store"
    folder.mkdir()
    for data, index in states:
        (folder / "data.bin").write_bytes(data)
        (folder / "index.jsonl").write_bytes(index)
        store = _open(folder)
        kept = index.count(b"\n")
        held = [name for name in NAMES if name in store]
        assert held == NAMES[:kept]
        for batch in BATCHES:
            store.append(batch, _features(batch))
        assert _bytes(folder) == whole


@pytest.mark.parametrize("rest", [b"\0" * 50, b"torn", b"\n", b"{}\n", b'{"offset":0}\nmore'])
@pytest.mark.parametrize("name", ["data.bin", "index.jsonl"])
def test_whatever_lies_behind_the_last_line_is_overwritten(
    tmp_path: Path, name: str, rest: bytes
) -> None:
    _fill(tmp_path / "whole")
    store = _open(tmp_path / "store")
    for batch in BATCHES[:2]:
        store.append(batch, _features(batch))
    with (tmp_path / "store" / name).open("ab") as stream:
        stream.write(rest)
    store = _open(tmp_path / "store")
    for batch in BATCHES[2:]:
        store.append(batch, _features(batch))
    assert _bytes(tmp_path / "store") == _bytes(tmp_path / "whole")


def test_data_cut_at_any_byte_is_noticed_and_written_again(tmp_path: Path) -> None:
    _fill(tmp_path / "store")
    data, index = _bytes(tmp_path / "store")
    for cut in range(len(data)):
        (tmp_path / "store" / "data.bin").write_bytes(data[:cut])
        (tmp_path / "store" / "index.jsonl").write_bytes(index)
        store = _open(tmp_path / "store")
        lost = 6 - cut // RECORD_BYTES
        assert store.verify() == StoreCheck(6, lost, cut)
        assert store.read(AUDIO[2]) is None
        for batch in BATCHES:
            store.append(batch, _features(batch))
        assert _bytes(tmp_path / "store") == (data, index)
        _check_all(store)


def test_deleted_data_is_never_read_as_zeros(tmp_path: Path) -> None:
    store = _fill(tmp_path)
    whole = _bytes(tmp_path)
    (tmp_path / "data.bin").unlink()
    assert [store.read(audio) for audio in AUDIO] == [None] * 3
    assert _open(tmp_path).verify() == StoreCheck(6, 6, 0)
    for batch in BATCHES:
        store.append(batch, _features(batch))
    _check_all(store)
    assert _bytes(tmp_path) == whole


def test_a_flipped_byte_loses_its_record_and_no_other(tmp_path: Path) -> None:
    _fill(tmp_path / "whole")
    for at in range(0, 6 * RECORD_BYTES, 5):
        folder = tmp_path / f"flipped-{at}"
        shutil.copytree(tmp_path / "whole", folder)
        _flip(folder / "data.bin", at)
        damaged = NAMES[at // RECORD_BYTES]
        assert _open(folder).verify() == StoreCheck(6, 1, 6 * RECORD_BYTES)
        store = _open(folder)
        assert [store.read(each) is None for each in AUDIO] == [
            each == damaged.audio for each in AUDIO
        ]
        assert [name in store for name in NAMES] == [name != damaged for name in NAMES]
        assert not store.is_complete(damaged.audio)
        assert store.append(NAMES, _features(NAMES)) == 1
        _check_all(store)
        _check_all(_open(folder))
        # The damaged record is still in the file, but superseded.
        assert _open(folder).verify() == StoreCheck(6, 0, 7 * RECORD_BYTES)


def test_an_altered_line_is_counted_and_its_clips_written_again(tmp_path: Path) -> None:
    _fill(tmp_path / "store")
    data, index = _bytes(tmp_path / "store")
    for at in range(0, len(index) - 1, 7):  # the last newline's loss looks like a killed writer
        (tmp_path / "store" / "data.bin").write_bytes(data)
        (tmp_path / "store" / "index.jsonl").write_bytes(index)
        _flip(tmp_path / "store" / "index.jsonl", at)
        store = _open(tmp_path / "store")
        assert store.verify().damaged >= 1
        for audio in AUDIO:  # never another clip's features, never zeros
            names = [name for name in NAMES if name.audio == audio]
            found = store.read(audio)
            assert found is None or np.array_equal(found, _features(names))
        assert store.append(NAMES, _features(NAMES)) >= 1
        _check_all(store)
        check = _open(tmp_path / "store").verify()
        assert (check.records, check.damaged) == (6, 0)


def test_an_altered_last_line_leaves_the_same_bytes_once_mended(tmp_path: Path) -> None:
    _fill(tmp_path)
    whole = _bytes(tmp_path)
    _flip(tmp_path / "index.jsonl", len(whole[1]) - 20)
    store = _open(tmp_path)
    store.append(BATCHES[-1], _features(BATCHES[-1]))
    assert _bytes(tmp_path) == whole


def test_damage_in_data_and_index_at_once_is_mended(tmp_path: Path) -> None:
    _fill(tmp_path)
    _flip(tmp_path / "data.bin", 2 * RECORD_BYTES)  # the third clip
    _flip(tmp_path / "index.jsonl", 10)  # the line of the first
    store = _open(tmp_path)
    assert store.read(AUDIO[0]) is None
    assert store.append(NAMES, _features(NAMES)) == 2
    _check_all(store)
    assert _open(tmp_path).verify().damaged == 0


def test_a_torn_tail_is_not_damage(tmp_path: Path) -> None:
    _fill(tmp_path)
    for name in ("data.bin", "index.jsonl"):
        with (tmp_path / name).open("ab") as stream:
            stream.write(b'{"offset":')
    assert _open(tmp_path).verify().damaged == 0


def test_two_writers_take_turns_without_having_looked(tmp_path: Path) -> None:
    first, second = _open(tmp_path), _open(tmp_path)
    first.append(BATCHES[0], _features(BATCHES[0]))
    assert second.append(BATCHES[0], _features(BATCHES[0])) == 0
    second.append(BATCHES[1], _features(BATCHES[1]))
    first.append(BATCHES[2], _features(BATCHES[2]))
    second.append(BATCHES[3], _features(BATCHES[3]))
    assert BATCHES[3][0] not in first
    first.refresh()
    for store in (first, second, _open(tmp_path)):
        _check_all(store)
    assert second.verify() == StoreCheck(6, 0, 6 * RECORD_BYTES)


def _append_one_by_one(folder: Path, numbers: list[int]) -> None:
    store = _open(folder)
    for number in numbers:
        name = ClipName(f"{number:032x}", 0, 1)
        store.append([name], [np.full((LAYERS, WIDTH), number, np.float16)])


def test_writers_at_full_speed_do_not_come_between_each_others_lines(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "marble_eval.features.extraction"])
    orders = [list(range(300)), list(range(299, -1, -1)), list(range(150, 450))]
    processes = [
        context.Process(target=_append_one_by_one, args=(tmp_path, order)) for order in orders
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    store = _open(tmp_path)
    assert store.verify() == StoreCheck(450, 0, 450 * RECORD_BYTES)
    for number in range(450):
        found = store.read(f"{number:032x}")
        assert found is not None
        assert (found == number).all()


def test_a_writer_waits_for_the_lock(tmp_path: Path) -> None:
    store = _open(tmp_path)
    store.append(BATCHES[0], _features(BATCHES[0]))
    before = _bytes(tmp_path)
    waiting = threading.Thread(target=store.append, args=(BATCHES[1], _features(BATCHES[1])))
    with (tmp_path / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
        assert _bytes(tmp_path) == before
    waiting.join()
    assert len(store) == 3


def test_a_writer_sees_that_its_neighbour_has_mended_the_index(tmp_path: Path) -> None:
    _fill(tmp_path)
    _flip(tmp_path / "index.jsonl", 10)
    first, second = _open(tmp_path), _open(tmp_path)
    assert first.append(BATCHES[0], _features(BATCHES[0])) == 1
    new = [ClipName("d" * 32, 0, 1)]
    second.append(new, [np.full((LAYERS, WIDTH), 7, np.float16)])
    first.refresh()
    for store in (first, second, _open(tmp_path)):
        _check_all(store)
        assert store.verify().damaged == 0
        assert len(store) == 7


def test_a_folder_deleted_under_a_writer_is_begun_again(tmp_path: Path) -> None:
    store = _open(tmp_path / "store")
    for batch in BATCHES[:3]:
        store.append(batch, _features(batch))
    shutil.rmtree(tmp_path / "store")
    store.append(BATCHES[3], _features(BATCHES[3]))
    assert _open(tmp_path / "store").verify() == StoreCheck(1, 0, RECORD_BYTES)
    assert (len(store), store.read(AUDIO[0])) == (1, None)
    for batch in BATCHES:
        store.append(batch, _features(batch))
    _check_all(_open(tmp_path / "store"))


class _Killed(BaseException):
    """Stands for the kernel ending the process."""


def test_a_kill_while_mending_leaves_the_old_index_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(tmp_path)
    _flip(tmp_path / "index.jsonl", 10)
    before = (tmp_path / "index.jsonl").read_bytes()

    def killed(*arguments: Any) -> None:
        raise _Killed

    for method in ("write_bytes", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(Path, method, killed)
            with pytest.raises(_Killed):
                _open(tmp_path).append(BATCHES[0], _features(BATCHES[0]))
        assert (tmp_path / "index.jsonl").read_bytes() == before
    store = _open(tmp_path)
    store.append(BATCHES[0], _features(BATCHES[0]))
    _check_all(store)
    assert store.verify().damaged == 0


@pytest.mark.parametrize("room", [0, 5, 2 * RECORD_BYTES, 2 * RECORD_BYTES + 7])
def test_a_disk_that_is_full_leaves_a_good_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    _fill(tmp_path / "whole")
    store = _open(tmp_path / "store")
    for batch in BATCHES[:2]:
        store.append(batch, _features(batch))
    real, left = os.pwrite, [room]

    def full(descriptor: int, content: bytes, offset: int) -> int:
        if not left[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = real(descriptor, content[: left[0]], offset)
        left[0] -= written
        return written

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(os, "pwrite", full)
        store.append(BATCHES[2], _features(BATCHES[2]))
    assert _open(tmp_path / "store").verify() == StoreCheck(3, 0, 3 * RECORD_BYTES + min(room, 24))
    for batch in BATCHES[2:]:
        store.append(batch, _features(batch))
    assert _bytes(tmp_path / "store") == _bytes(tmp_path / "whole")


def test_a_store_that_must_not_be_written_is_read_without_a_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(tmp_path)

    def forbidden(*arguments: Any) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    real = Path.open

    def only_reading(self: Path, mode: str = "r", **options: Any) -> Any:
        return forbidden() if set(mode) & set("aw+x") else real(self, mode, **options)

    monkeypatch.setattr(fcntl, "flock", forbidden)
    monkeypatch.setattr(os, "open", forbidden)
    monkeypatch.setattr(Path, "open", only_reading)
    store = _open(tmp_path)
    _check_all(store)
    assert store.verify().damaged == 0
    with pytest.raises(PermissionError):
        store.append([ClipName("d" * 32, 0, 1)], [np.zeros((LAYERS, WIDTH), np.float16)])


@pytest.mark.parametrize("name", ["data.bin", "index.jsonl"])
def test_a_store_that_must_not_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    _fill(tmp_path)
    real = Path.open

    def forbidden(self: Path, *arguments: Any, **options: Any) -> Any:
        if self.name == name:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", forbidden)
    with pytest.raises(MarbleError, match=r"(?s)Permission denied.*MARBLE_EVAL_HOME") as raised:
        _open(tmp_path).read(AUDIO[0])
    assert str(raised.value).startswith(f"{tmp_path}: ")


def test_a_record_the_disk_does_not_give_back_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unreadable(io.BytesIO):
        def readinto(self, buffer: Any) -> int:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    store = _fill(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(store, "_data", Unreadable)
        assert store.read(AUDIO[1]) is None
    assert store.append(NAMES, _features(NAMES)) == 1
    _check_all(store)


def test_a_store_tells_what_is_inside(tmp_path: Path) -> None:
    store = _open(tmp_path, name="mel", encoder="1234")
    store.append(BATCHES[0], _features(BATCHES[0]))
    about = json.loads((tmp_path / "about.json").read_text())
    assert about == {
        "name": "mel", "encoder": "1234", "layers": 2, "width": 3, "dtype": "float16"
    }  # fmt: skip
    opened = PooledStore.open(tmp_path)
    assert opened.describe() == store.describe() == about
    assert opened.row_bytes == RECORD_BYTES


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b"{}",
        b'{"layers": 2, "width": 3, "dtype": "float64"}',
        b'{"layers": "2", "width": 3, "dtype": "float16"}',
        b'{"layers": 2, "width": 0, "dtype": "float16"}',
    ],
)
def test_a_damaged_description_is_noticed_and_written_again(tmp_path: Path, content: bytes) -> None:
    _fill(tmp_path)
    (tmp_path / "about.json").write_bytes(content)
    with pytest.raises(MarbleError, match=r"readable about\.json.*Delete the folder") as raised:
        PooledStore.open(tmp_path)
    assert str(raised.value).startswith(f"{tmp_path}: ")
    store = _open(tmp_path)
    _check_all(store)  # features do not depend on it
    store.append([ClipName("d" * 32, 0, 1)], [np.zeros((LAYERS, WIDTH), np.float16)])
    assert len(PooledStore.open(tmp_path)) == 7


def test_a_folder_that_is_no_store_is_named(tmp_path: Path) -> None:
    with pytest.raises(MarbleError, match=r"readable about\.json"):
        PooledStore.open(tmp_path / "nowhere")
