"""Seconds and samples: exact values, halves, and what is refused."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest

from marble_eval.units import samples_to_seconds, seconds_to_samples


@pytest.mark.parametrize("sample_rate", [16000, 22050, 24000, 44100, 48000])
def test_seconds_become_the_nearest_sample_of_exact_arithmetic(sample_rate: int) -> None:
    for thousandths in range(0, 31000, 7):
        exact = Decimal(thousandths) * sample_rate / 1000
        nearest = int(exact.to_integral_value(ROUND_HALF_UP))
        assert seconds_to_samples(thousandths / 1000, sample_rate) == nearest


def test_halves_round_up_whatever_the_parity() -> None:
    # Python's round() takes them to the even neighbour: 0, 2, 2.
    assert [seconds_to_samples(half, 1) for half in (0.5, 1.5, 2.5)] == [1, 2, 3]


def test_nothing_is_nothing() -> None:
    assert seconds_to_samples(0.0, 24000) == 0
    assert samples_to_seconds(0, 24000) == 0.0


@pytest.mark.parametrize("sample_rate", [16000, 22050, 24000, 44100, 48000])
def test_samples_survive_the_way_to_seconds_and_back(sample_rate: int) -> None:
    for samples in (1, 17, 661794, 3 * 3600 * sample_rate + 1):
        seconds = samples_to_seconds(samples, sample_rate)
        assert seconds == float(Fraction(samples, sample_rate))
        assert seconds_to_samples(seconds, sample_rate) == samples


@pytest.mark.parametrize("seconds", [-0.001, float("nan"), float("inf"), float("-inf")])
def test_a_duration_that_is_none_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match=f"seconds must be finite and not negative. Got {seconds}"):
        seconds_to_samples(seconds, 24000)


@pytest.mark.parametrize("sample_rate", [0, -24000])
def test_a_rate_that_is_none_is_refused(sample_rate: int) -> None:
    with pytest.raises(ValueError, match=f"sample_rate must be positive. Got {sample_rate}"):
        seconds_to_samples(1.0, sample_rate)
    with pytest.raises(ValueError, match=f"sample_rate must be positive. Got {sample_rate}"):
        samples_to_seconds(1, sample_rate)
