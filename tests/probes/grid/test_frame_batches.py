"""An epoch over frames: every window once, in parts whose shares make up the batch's mean."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from marble_eval.data.annotations.chord_files import Chords
from marble_eval.probes.grid import frame_batches
from marble_eval.probes.grid.frame_batches import Part, parts_of_epoch, read_ahead
from marble_eval.probes.grid.frame_split import FrameSplit
from marble_eval.probes.losses import LOSSES
from tests.probes.grid.conftest import frame_task, frames_split

BATCH = 4  # windows, as in the rules of the splits


def parts_of(split: FrameSplit, order: list[int], layers: tuple[int, ...] = (0, 2)) -> list[Part]:
    loss = LOSSES[split.source.task.kind.loss]
    return list(parts_of_epoch(split, split.windows(), order, layers, loss))


def batches_of(parts: list[Part]) -> list[list[Part]]:
    """Put the parts of a batch together again."""
    batches: list[list[Part]] = [[]]
    for each in parts:
        batches[-1].append(each)
        if each.is_last:
            batches.append([])
    assert batches.pop() == [], "the epoch ends in the middle of a batch"
    return batches


@pytest.mark.parametrize("rows", [10_000, 45, 1], ids=["whole", "small parts", "a window each"])
@pytest.mark.parametrize("kind", ["beat", "chord"])
def test_the_windows_come_in_order_with_their_features_and_targets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, rows: int
) -> None:
    monkeypatch.setattr(frame_batches, "ROWS", rows)
    split = frames_split(tmp_path, frame_task(kind))
    windows = split.windows()
    order = np.random.default_rng(5).permutation(len(windows)).tolist()
    batches = batches_of(parts_of(split, order))
    assert len(batches) == -(-len(windows) // BATCH)
    for number, batch in enumerate(batches):
        of_batch = [windows[at] for at in order[number * BATCH : (number + 1) * BATCH]]
        goals = np.concatenate([split.targets(each) for each in of_batch])
        known = np.isfinite(goals)
        there = known.any(axis=1)  # of the others there is nothing to learn
        for layer in (0, 2):
            read = torch.cat([split.read(each.track, layer, *each[1:]) for each in of_batch])
            given = torch.cat([each.features[layer] for each in batch])
            assert torch.equal(given, read[torch.from_numpy(there)])
        given = torch.cat([each.goals for each in batch])
        np.testing.assert_array_equal(given.numpy(), np.nan_to_num(goals[there]))
        assert all(set(each.features) == {0, 2} for each in batch)
        if rows == 1:
            assert len(batch) == len(of_batch)


@pytest.mark.parametrize("rows", [10_000, 45, 1], ids=["whole", "small parts", "a window each"])
@pytest.mark.parametrize("kind", ["beat", "chord"])
def test_shares_make_a_part_s_mean_its_part_of_the_batch_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, rows: int
) -> None:
    """Numbers of their own in every cell: their mean over the known cells of a batch."""
    monkeypatch.setattr(frame_batches, "ROWS", rows)
    split = frames_split(tmp_path, frame_task(kind))
    parts = parts_of(split, list(range(len(split.windows()))))
    of_rows = LOSSES[split.source.task.kind.loss].is_of_rows
    for number, batch in enumerate(batches_of(parts)):
        windows = split.windows()[number * BATCH : (number + 1) * BATCH]
        goals = np.concatenate([split.targets(each) for each in windows])
        known = np.isfinite(goals)
        values = np.random.default_rng(number).random(goals.shape)
        terms = known.any(axis=1).sum() if of_rows else known.sum()
        expected = np.where(known, values, 0).sum() / terms
        there = iter(np.split(values[known.any(axis=1)], np.cumsum([len(p.goals) for p in batch])))
        found = 0.0
        for part in batch:
            cells = torch.from_numpy(next(there))
            divisor = len(cells) if of_rows else cells.numel()
            found += float((cells / max(1, divisor) * part.share).sum())
        assert found == pytest.approx(expected, rel=1e-6)


def test_parts_have_as_many_rows_as_are_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Windows of 20 frames and a rest of 10, then 27: four to a batch, at most 45 frames a part.
    monkeypatch.setattr(frame_batches, "ROWS", 45)
    split = frames_split(tmp_path, frame_task("beat"), lengths=(90, 47))
    parts = parts_of(split, list(range(len(split.windows()))))
    assert [len(each.goals) for each in parts] == [40, 40, 30, 27]
    assert [each.is_last for each in parts] == [False, True, False, True]
    assert [each.share for each in parts[:2]] == [0.5, 0.5]


def silent(frames: int) -> Chords:
    return Chords(np.array([[0.0, frames / 20.0]]), ("X",))


def sounding(frames: int) -> Chords:
    return Chords(np.array([[0.0, frames / 20.0]]), ("C:maj",))


def test_a_batch_without_any_target_is_left_out(tmp_path: Path) -> None:
    """Two tracks of four windows each: of the first no chord is known."""
    task = frame_task("chord")
    split = frames_split(tmp_path, task, lengths=(80, 80), annotations=[silent(80), sounding(80)])
    (part,) = parts_of(split, list(range(8)))
    assert part.is_last and part.share == 1.0 and len(part.goals) == 80
    np.testing.assert_array_equal(part.features[2].numpy(), split.read(1, 2, 0, 80).numpy())
    # Drawn the other way: half of each batch is unknown, and the mean is over the rest.
    batches = batches_of(parts_of(split, [0, 4, 1, 5, 2, 6, 3, 7]))
    assert [[len(each.goals) for each in batch] for batch in batches] == [[40], [40]]
    assert [each.share for batch in batches for each in batch] == [1.0, 1.0]


def test_nothing_is_left_of_an_epoch_without_any_target(tmp_path: Path) -> None:
    split = frames_split(
        tmp_path, frame_task("chord"), lengths=(30, 30), annotations=[silent(30)] * 2
    )
    assert parts_of(split, [0, 1, 2, 3]) == []


def test_a_part_without_any_target_still_ends_its_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame_batches, "ROWS", 40)
    split = frames_split(
        tmp_path, frame_task("chord"), lengths=(40, 40), annotations=[sounding(40), silent(40)]
    )
    parts = parts_of(split, [0, 1, 2, 3])
    assert [(len(each.goals), each.share, each.is_last) for each in parts] == [
        (40, 1.0, False),
        (0, 0.0, True),
    ]


def test_half_precision_is_handed_on(tmp_path: Path) -> None:
    """Features stay as small as they are stored until they are used."""
    for dtype, kind in (("float16", torch.float16), ("float32", torch.float32)):
        split = frames_split(tmp_path / dtype, frame_task("beat"), dtype=dtype)
        for part in parts_of(split, [3, 0, 1]):
            assert {each.dtype for each in part.features.values()} == {kind}
            assert part.goals.dtype == torch.float32


def test_the_next_item_is_made_while_the_last_is_used() -> None:
    made: list[int] = []
    released = threading.Event()

    def items() -> Iterator[int]:
        for number in range(4):
            made.append(number)
            if number == 1:
                released.set()
            yield number

    reader = read_ahead(items())
    assert next(reader) == 0
    assert released.wait(10), "the second item is not made before it is asked for"
    time.sleep(0.05)
    assert made == [0, 1], "more than one item is made ahead"
    assert list(reader) == [1, 2, 3]
    assert not [each for each in threading.enumerate() if each.name.startswith("frames")]


def test_an_error_while_reading_comes_out_where_the_items_are_used() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    reader = read_ahead(items())
    assert next(reader) == 1
    with pytest.raises(OSError, match="the disk is gone"):
        next(reader)


def test_a_reader_that_is_given_up_leaves_no_thread() -> None:
    reader = read_ahead(iter(range(1000)))
    assert next(reader) == 0
    reader.close()
    assert not [each for each in threading.enumerate() if each.name.startswith("frames")]
