"""The file of one track's frames: its form, and what tells a whole one from any other."""

import errno
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marble_eval.features.stores.frame_file import (
    BLOCK,
    Footer,
    FrameWriter,
    frames_in,
    is_whole,
    read_footer,
    read_rows,
)

LAYERS, WIDTH = 3, 2
TYPE = np.dtype("<f2")
FRAME_BYTES = LAYERS * WIDTH * 2
LENGTHS = (1, 7, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 2 * BLOCK + 100)


def _frames(count: int, seed: int = 0) -> np.ndarray:
    draws = np.random.default_rng(seed).standard_normal((LAYERS, count, WIDTH))
    return draws.astype(np.float16)


def _written(path: Path, frames: np.ndarray, *, clip: int = 300) -> Footer:
    writer = FrameWriter(path, TYPE)
    for start in range(0, frames.shape[1], clip):
        writer.add(frames[:, start : start + clip])
    writer.finish()
    held = read_footer(path, FRAME_BYTES)
    assert held is not None
    return held


def _read(path: Path, held: Footer, layer: int, start: int, stop: int) -> np.ndarray:
    return read_rows(path, held, (LAYERS, WIDTH), TYPE, layer, start, stop)


@pytest.mark.parametrize("count", LENGTHS)
def test_any_frames_are_read_as_they_were_given(tmp_path: Path, count: int) -> None:
    frames, path = _frames(count), tmp_path / "a.frames"
    held = _written(path, frames)
    edges = {0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, count - 1, count}
    edges = {edge for edge in edges if 0 <= edge <= count}
    for start in edges:
        for stop in edges:
            if start <= stop:
                for layer in range(LAYERS):
                    found = _read(path, held, layer, start, stop)
                    np.testing.assert_array_equal(found, frames[layer, start:stop])


def test_numbers_lie_by_block_layer_and_frame(tmp_path: Path) -> None:
    frames = _frames(BLOCK + 40)
    held = _written(tmp_path / "a.frames", frames)
    numbers = np.fromfile(tmp_path / "a.frames", "<f2", count=LAYERS * (BLOCK + 40) * WIDTH)
    first, rest = np.split(numbers, [LAYERS * BLOCK * WIDTH])
    np.testing.assert_array_equal(first.reshape(LAYERS, BLOCK, WIDTH), frames[:, :BLOCK])
    np.testing.assert_array_equal(rest.reshape(LAYERS, 40, WIDTH), frames[:, BLOCK:])
    assert [frames_in(held, block) for block in (0, 1)] == [BLOCK, 40]
    assert (held.frames, held.clips) == (BLOCK + 40, 2)
    assert [len(each) for each in held.checksums] == [LAYERS, LAYERS]


def test_single_precision_is_kept(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).standard_normal((LAYERS, 700, WIDTH)).astype(np.float32)
    kind, path = np.dtype("<f4"), tmp_path / "a.frames"
    writer = FrameWriter(path, kind)
    writer.add(frames)
    writer.finish()
    held = read_footer(path, 2 * FRAME_BYTES)
    assert held is not None
    found = read_rows(path, held, (LAYERS, WIDTH), kind, 1, 500, 600)
    np.testing.assert_array_equal(found, frames[1, 500:600])


@pytest.mark.parametrize("clip", [1, 100, BLOCK, BLOCK + 1, 5000])
def test_numbers_do_not_depend_on_how_the_frames_came(tmp_path: Path, clip: int) -> None:
    frames = _frames(2 * BLOCK + 100)
    held = _written(tmp_path / "a.frames", frames)
    other = _written(tmp_path / "b.frames", frames, clip=clip)
    size = frames.nbytes
    assert (tmp_path / "a.frames").read_bytes()[:size] == (tmp_path / "b.frames").read_bytes()[
        :size
    ]
    assert held.checksums == other.checksums
    assert other.clips == -(-frames.shape[1] // clip)


def test_nothing_is_there_before_the_end(tmp_path: Path) -> None:
    path = tmp_path / "aa" / "a.frames"
    writer = FrameWriter(path, TYPE)
    writer.add(_frames(2 * BLOCK))
    assert read_footer(path, FRAME_BYTES) is None
    assert [each.suffix for each in path.parent.iterdir()] == [".part"]
    writer.drop()
    assert list(path.parent.iterdir()) == []
    writer.drop()  # once more does no harm


def test_two_writers_of_a_track_do_not_meet_and_the_last_one_stands(tmp_path: Path) -> None:
    """Two threads of one process, as two processes: the unfinished files have two names."""
    path, frames = tmp_path / "a.frames", _frames(BLOCK + 10)
    writers = [FrameWriter(path, TYPE)]
    thread = threading.Thread(target=lambda: writers.append(FrameWriter(path, TYPE)))
    thread.start()
    thread.join()
    for each in (frames[:, :300], frames[:, 300:]):
        for writer in writers:
            writer.add(each)
    contents = []
    for writer in writers:
        writer.finish()
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]
    assert [each.name for each in tmp_path.iterdir()] == ["a.frames"]


def test_a_file_cut_short_anywhere_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.frames"
    _written(path, _frames(20), clip=20)
    content = path.read_bytes()
    for size in (*range(0, len(content) - 20, 9), *range(len(content) - 20, len(content))):
        path.write_bytes(content[:size])
        assert read_footer(path, FRAME_BYTES) is None, size
    path.write_bytes(content)
    assert read_footer(path, FRAME_BYTES) is not None


def test_a_file_with_more_or_other_bytes_at_its_end_is_none(tmp_path: Path) -> None:
    path, frames = tmp_path / "a.frames", _frames(BLOCK + 3)
    _written(path, frames)
    content = path.read_bytes()
    for more in (b"\0", b"{}", content[-8:], content):
        path.write_bytes(content + more)
        assert read_footer(path, FRAME_BYTES) is None
    for at in range(frames.nbytes, len(content)):
        changed = bytearray(content)
        changed[at] ^= 1 << (at % 8)
        path.write_bytes(changed)
        assert read_footer(path, FRAME_BYTES) is None, at


def test_a_file_of_another_shape_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.frames"
    _written(path, _frames(40))
    assert read_footer(path, FRAME_BYTES + 2) is None
    assert read_footer(tmp_path / "absent.frames", FRAME_BYTES) is None
    assert read_footer(tmp_path, FRAME_BYTES) is None


def test_a_file_that_must_not_be_read_is_not_taken_for_a_damaged_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*arguments: Any, **options: Any) -> Any:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    path = tmp_path / "a.frames"
    _written(path, _frames(40))
    monkeypatch.setattr(Path, "open", forbidden)
    with pytest.raises(PermissionError):
        read_footer(path, FRAME_BYTES)


def test_a_flipped_bit_anywhere_in_the_numbers_is_found(tmp_path: Path) -> None:
    path, frames = tmp_path / "a.frames", _frames(2 * BLOCK + 3)
    held = _written(path, frames)
    assert is_whole(path, held, FRAME_BYTES)
    content = path.read_bytes()
    layer = BLOCK * WIDTH * 2  # bytes of a layer in a full block
    borders = [at * layer for at in range(2 * LAYERS + 1)] + [frames.nbytes]
    places = {place for border in borders for place in (border - 1, border)}
    places |= set(np.random.default_rng(0).integers(0, frames.nbytes, 50).tolist())
    for at in sorted(place for place in places if 0 <= place < frames.nbytes):
        changed = bytearray(content)
        changed[at] ^= 1 << (at % 8)
        path.write_bytes(changed)
        assert read_footer(path, FRAME_BYTES) == held
        assert not is_whole(path, held, FRAME_BYTES), at


def test_a_file_that_shrank_or_went_since_it_was_looked_at_is_not_read(tmp_path: Path) -> None:
    path, frames = tmp_path / "a.frames", _frames(2 * BLOCK)
    held = _written(path, frames)
    os.truncate(path, frames.nbytes - 1)
    assert not is_whole(path, held, FRAME_BYTES)
    _read(path, held, 0, 0, 2 * BLOCK)  # another layer's byte
    with pytest.raises(OSError, match="shorter than it was"):
        _read(path, held, LAYERS - 1, BLOCK, 2 * BLOCK)
    path.unlink()
    assert not is_whole(path, held, FRAME_BYTES)
    with pytest.raises(FileNotFoundError):
        _read(path, held, 0, 0, 1)


def test_a_file_under_another_track_s_name_is_not_taken(tmp_path: Path) -> None:
    writer = FrameWriter(tmp_path / "aa.frames", TYPE)
    writer.add(np.ones((2, 5, 3)))
    writer.finish()
    held = read_footer(writer.path, 2 * 3 * TYPE.itemsize)
    assert held is not None and held.audio == "aa"
    moved = writer.path.rename(tmp_path / "bb.frames")
    assert read_footer(moved, 2 * 3 * TYPE.itemsize) is None
