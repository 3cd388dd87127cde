"""Outputs at another frame rate, against numpy.interp and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from marble_eval.decoding.interpolation import interpolated


def _column(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)[:, np.newaxis]


def test_values_between_two_frames_lie_on_a_line() -> None:
    # 50 to 75 Hz: row i stands at frame 2 i / 3, so 0, 2/3, 4/3, and from 2 on the last value.
    rows = interpolated(_column(0.0, 3.0, 9.0), 50, 75)
    np.testing.assert_allclose(rows.ravel(), [0.0, 2.0, 5.0, 9.0, 9.0], rtol=1e-6)


@pytest.mark.parametrize(
    ("rate", "to_rate"),
    [(75.0, 100.0), (25.0, 100.0), (50.0, 100.0), (100.0, 25.0), (100.0, 75.0),
     (22050 / 512, 100.0), (15.625, 100.0), (100.0, 44100 / 1024)],
)  # fmt: skip
def test_every_row_is_numpy_s_interpolation(rate: float, to_rate: float) -> None:
    values = np.random.default_rng(1).normal(size=(401, 3)).astype(np.float32)
    rows = interpolated(values, rate, to_rate)
    asked, given = np.arange(len(rows)) / to_rate, np.arange(len(values)) / rate
    for output in range(3):
        expected = np.interp(asked, given, values[:, output])
        np.testing.assert_allclose(rows[:, output], expected, atol=1e-5)
    # The rows reach to the end of the last frame, and not behind it.
    assert asked[-1] < len(values) / rate <= (len(rows) + 1e-6) / to_rate


@pytest.mark.parametrize(
    ("frames", "rate", "rows"),
    [(2250, 75, 3000), (749, 25, 2996), (1, 75, 2), (1, 25, 4), (0, 75, 0), (3000, 100.1, 2998)],
)
def test_rows_cover_the_whole_track(frames: int, rate: float, rows: int) -> None:
    assert interpolated(np.zeros((frames, 2), np.float32), rate, 100).shape == (rows, 2)


def test_a_rounding_error_adds_no_row() -> None:
    for frames in range(1, 2000):  # 0.07 s are 7 rows, though 0.07 * 100 is more
        assert len(interpolated(np.zeros((frames, 1)), 1 / 0.07, 100)) == 7 * frames


def test_whole_places_have_exactly_their_frame_s_value() -> None:
    values = np.random.default_rng(2).normal(size=(300, 4)).astype(np.float32)
    np.testing.assert_array_equal(interpolated(values, 75, 100)[::4], values[::3])
    np.testing.assert_array_equal(interpolated(values, 100, 25), values[::4])


def test_the_same_rate_returns_the_same_values() -> None:
    values = np.random.default_rng(3).normal(size=(50, 2)).astype(np.float32)
    np.testing.assert_array_equal(interpolated(values, 75, 75.0), values)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_precision_is_kept_and_the_input_too(dtype: type[np.floating]) -> None:
    values = np.arange(10, dtype=dtype).reshape(5, 2)
    assert interpolated(values, 25, 100).dtype == dtype
    np.testing.assert_array_equal(values, np.arange(10).reshape(5, 2))


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        (np.zeros(5), r"shape \(frame, output\). Got float64 \(5,\)"),
        (np.zeros((1, 5, 2)), r"shape \(frame, output\). Got float64 \(1, 5, 2\)"),
        (np.zeros((5, 2), np.int64), r"must be floats of shape .* Got int64"),
        (_column(0.0, float("nan")), "values must be finite"),
        (_column(0.0, float("inf")), "values must be finite"),
    ],
)
def test_other_values_are_refused(values: np.ndarray, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        interpolated(values, 75, 100)


@pytest.mark.parametrize("rate", [0, -75.0, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match=r"^rate must be positive and finite"):
        interpolated(np.zeros((5, 2)), rate, 100)
    with pytest.raises(ValueError, match="to_rate must be positive and finite"):
        interpolated(np.zeros((5, 2)), 100, rate)
