"""Pieces of a track: they divide its frames, and hear what is around them."""

import itertools

import pytest

from marble_eval.audio.pieces import FrameGrid, Piece, pieces_of

MERT = FrameGrid(sample_rate=24000, frame_rate=75.0, step=1)
THIRDS = FrameGrid(sample_rate=24000, frame_rate=75.0, step=3)
HOP = 320
# 22,050 samples of 30.7 frames a second: no frame but the first stands on a whole sample.
UNEVEN = FrameGrid(sample_rate=22050, frame_rate=30.7, step=2)


def _cut(
    samples: int, grid: FrameGrid, clip: float | None, *, context: float = 0.0, tail: float = 1.0
) -> tuple[Piece, ...]:
    return pieces_of(
        samples, grid, clip_seconds=clip, context_seconds=context, tail_seconds=tail
    )  # fmt: skip


def test_three_pieces_of_thirty_seconds_by_hand() -> None:
    # 75 s: 30, 30 and 15 s; 2 s of context are 150 frames or 48,000 samples.
    assert _cut(75 * 24000, MERT, 30.0, context=2.0) == (
        Piece(0, 32 * 24000, 0, 0, 2250),
        Piece(28 * 24000, 62 * 24000, 28 * 75, 2250, 2250),
        Piece(58 * 24000, 75 * 24000, 58 * 75, 4500, None),
    )


def test_at_a_third_of_the_rate_the_same_audio_is_heard() -> None:
    thirds = _cut(75 * 24000, THIRDS, 30.0, context=2.0)
    assert [(each.first, each.kept) for each in thirds] == [(0, 750), (750, 750), (1500, None)]
    whole = _cut(75 * 24000, MERT, 30.0, context=2.0)
    assert [each[:3] for each in thirds] == [each[:3] for each in whole]


def test_without_a_length_the_track_is_one_piece() -> None:
    assert _cut(12345, MERT, None, context=2.0) == (Piece(0, 12345, 0, 0, None),)


@pytest.mark.parametrize(
    ("rest", "pieces"),
    [(-HOP, 2), (-1, 2), (0, 2), (1, 2), (HOP, 2), (23999, 2), (24000, 3), (24001, 3)],
)
def test_a_rest_that_is_shorter_than_the_tail_joins_the_piece_before(
    rest: int, pieces: int
) -> None:
    samples = 20 * 24000 + rest
    found = _cut(samples, MERT, 10.0, tail=1.0)
    assert len(found) == pieces
    assert found[-1].stop == samples
    assert found[-1].kept is None


def test_a_track_shorter_than_a_tail_is_a_piece() -> None:
    assert _cut(5, MERT, 10.0) == (Piece(0, 5, 0, 0, None),)


@pytest.mark.parametrize("grid", [MERT, THIRDS, UNEVEN], ids=["whole", "thirds", "uneven"])
@pytest.mark.parametrize(
    ("clip", "context", "tail"),
    [(1.0, 0.0, 1.0), (1.0, 0.3, 0.0), (0.5, 1.2, 0.25), (0.7, 0.01, 0.1), (0.123, 0.05, 5.0)],
)
def test_pieces_divide_the_frames_and_hear_the_context(
    grid: FrameGrid, clip: float, context: float, tail: float
) -> None:
    rate = grid.sample_rate
    every = round(clip * grid.rate)
    for samples in (1, rate // 3, rate, 3 * rate - 1, 3 * rate, 3 * rate + 1, round(4.321 * rate)):
        found = _cut(samples, grid, clip, context=context, tail=tail)
        assert [each.first for each in found] == [every * at for at in range(len(found))]
        assert [each.kept for each in found] == [every] * (len(found) - 1) + [None]
        assert (found[0].start, found[-1].stop) == (0, samples)
        for each in found:
            assert each.start == round(each.heard_from * rate / grid.frame_rate) < each.stop
            # Before the first frame that is kept, and behind the last.
            begin = each.first * grid.step * rate / grid.frame_rate
            assert each.start <= max(0, begin - context * rate) + 1
        for each, later in itertools.pairwise(found):
            end = later.first * grid.step * rate / grid.frame_rate
            assert each.stop >= min(samples, end + context * rate) - 1
            assert each.stop <= samples


def test_a_mean_of_frames_hears_all_of_them_where_there_is_context() -> None:
    # The first mean of a piece begins a frame before it: any context covers it.
    for each in _cut(240000, THIRDS, 1.0, context=0.001)[1:]:
        assert each.heard_from == each.first * 3 - 1


def test_rates_are_those_of_the_frames_that_are_kept() -> None:
    assert (MERT.rate, THIRDS.rate, UNEVEN.rate) == (75.0, 25.0, 15.35)
    assert [MERT.sample_of(frame) for frame in (0, 1, 75)] == [0, 320, 24000]
    assert UNEVEN.sample_of(3) == 2155  # 2154.7


def test_what_cannot_be_cut_is_refused() -> None:
    with pytest.raises(ValueError, match=r"samples must be at least 1\. Got 0"):
        _cut(0, MERT, 1.0)
    with pytest.raises(ValueError, match=r"at least one frame at 25 Hz\. Got 0\.01"):
        _cut(24000, THIRDS, 0.01)
