import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import scipy.signal

from marble_eval.audio.resampling import resample, resampler_version
from marble_eval.spec.protocol import Resampler

CASES = sorted((Path(__file__).parents[1] / "data" / "resample").glob("*.npz"))
METHODS: list[Resampler] = ["torchaudio-sinc", "soxr-hq"]
RATES = [
    (22050, 24000),
    (44100, 24000),
    (48000, 24000),
    (44100, 16000),
    (11025, 24000),
    (8000, 24000),
    (96000, 24000),
    (16000, 44100),
    (44056, 24000),  # an early digital recorder's rate: 5507 to 3000
]


def noise(samples: int) -> npt.NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal(samples).astype(np.float32)


def sines(sample_rate: int, *, hertz: list[float], seconds: float = 0.5) -> npt.NDArray[np.float32]:
    moments = np.arange(round(seconds * sample_rate)) / sample_rate
    tones = np.stack([np.sin(2 * np.pi * f * moments + f) for f in hertz])
    return np.asarray(tones.sum(axis=0), np.float32)


def test_all_six_stored_cases_are_there() -> None:
    assert len(CASES) == 6


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_sinc_is_torchaudios_default(path: Path) -> None:
    case = np.load(path)
    got = resample(
        case["audio"], int(case["sample_rate"]), int(case["target_rate"]), "torchaudio-sinc"
    )
    assert got.dtype == np.float32
    assert got.shape == case["resampled"].shape
    np.testing.assert_allclose(got, case["resampled"], rtol=0, atol=1e-6)


def direct_sinc(
    audio: npt.NDArray[np.float32], from_rate: int, to_rate: int
) -> npt.NDArray[np.float64]:
    """The defining sum, output by output, in float64."""
    cutoff = 0.99 * min(from_rate, to_rate)
    samples = -(-len(audio) * to_rate // from_rate)
    resampled = np.zeros(samples)
    moments = np.arange(len(audio)) / from_rate
    for index in range(samples):
        crossings = (moments - index / to_rate) * cutoff
        window = np.where(np.abs(crossings) < 6, np.cos(np.pi * crossings / 12) ** 2, 0)
        resampled[index] = np.sum(audio * np.sinc(crossings) * window) * cutoff / from_rate
    return resampled


@pytest.mark.parametrize(("from_rate", "to_rate"), RATES)
@pytest.mark.parametrize("samples", [1, 2, 37, 1000])
def test_sinc_is_its_defining_sum(from_rate: int, to_rate: int, samples: int) -> None:
    audio = noise(samples)
    got = resample(audio, from_rate, to_rate, "torchaudio-sinc")
    # torchaudio's kernel is float32: the finer the ratio, the coarser its phases.
    tolerance = 2e-3 if from_rate == 44056 else 1e-4
    np.testing.assert_allclose(got, direct_sinc(audio, from_rate, to_rate), atol=tolerance)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("from_rate", "to_rate"), RATES)
def test_tones_in_the_band_are_kept(method: Resampler, from_rate: int, to_rate: int) -> None:
    top = 0.35 * min(from_rate, to_rate)
    tones = [100.0, 0.4 * top, top]
    got = resample(sines(from_rate, hertz=tones), from_rate, to_rate, method)
    expected = sines(to_rate, hertz=tones)
    middle = slice(len(expected) // 10, len(expected) - len(expected) // 10)
    error = got[middle] - expected[middle]
    assert np.sqrt(np.mean(error**2)) < 0.01


@pytest.mark.parametrize("method", METHODS)
def test_tones_above_the_new_band_are_removed(method: Resampler) -> None:
    got = resample(sines(44100, hertz=[16000, 18000, 20000]), 44100, 24000, method)
    assert np.sqrt(np.mean(got[1200:-1200] ** 2)) < 0.01


@pytest.mark.parametrize("method", METHODS)
def test_smooth_audio_agrees_with_scipys_polyphase_filter(method: Resampler) -> None:
    smooth = scipy.signal.sosfiltfilt(
        scipy.signal.butter(8, 6000, fs=44100, output="sos"), noise(44100)
    ).astype(np.float32)
    got = resample(smooth, 44100, 24000, method)
    expected = scipy.signal.resample_poly(smooth.astype(np.float64), 80, 147)
    error = got[2400:-2400] - expected[2400:-2400]
    assert np.mean(error**2) < 1e-4 * np.mean(expected**2)


@pytest.mark.parametrize(("from_rate", "to_rate"), RATES)
def test_length_is_rounded_up_by_sinc_and_to_nearest_by_soxr(from_rate: int, to_rate: int) -> None:
    for samples in [*range(2, 40), 661794]:
        exact = samples * to_rate / from_rate
        audio = np.ones(samples, np.float32)
        assert len(resample(audio, from_rate, to_rate, "torchaudio-sinc")) == int(np.ceil(exact))
        assert abs(len(resample(audio, from_rate, to_rate, "soxr-hq")) - exact) <= 0.5


@pytest.mark.parametrize("method", METHODS)
def test_equal_rates_give_the_same_array_back(method: Resampler) -> None:
    audio = noise(100)
    assert resample(audio, 24000, 24000, method) is audio


def test_sinc_does_not_depend_on_what_comes_much_later() -> None:
    long = noise(44100 * 20)
    start = resample(long[:44100], 44100, 24000, "torchaudio-sinc")
    whole = resample(long, 44100, 24000, "torchaudio-sinc")
    np.testing.assert_allclose(whole[:23900], start[:23900], atol=1e-6)


def test_sinc_is_linear_and_shifts_by_whole_periods() -> None:
    audio = noise(3000)
    once = resample(audio, 22050, 24000, "torchaudio-sinc")
    np.testing.assert_allclose(
        resample(2 * audio, 22050, 24000, "torchaudio-sinc"), 2 * once, atol=1e-6
    )
    late = resample(
        np.concatenate([np.zeros(147 * 3, np.float32), audio]), 22050, 24000, "torchaudio-sinc"
    )
    np.testing.assert_allclose(late[160 * 3 :][: len(once)], once, atol=1e-6)


@pytest.mark.parametrize("from_rate", [22050, 44100, 44099])
def test_half_a_minute_takes_a_fraction_of_a_second(from_rate: int) -> None:
    audio = noise(30 * from_rate)
    begun = time.process_time()
    resample(audio, from_rate, 24000, "torchaudio-sinc")
    assert time.process_time() - begun < 1.0  # a few ms; torchaudio's dense kernel: 4 GB at 44099


def test_the_audio_is_left_as_it_was() -> None:
    audio = noise(1000)
    before = audio.copy()
    for method in METHODS:
        resample(audio, 44100, 24000, method)
    np.testing.assert_array_equal(audio, before)


def test_versions_tell_the_resamplers_apart() -> None:
    versions = {resampler_version(method) for method in METHODS}
    assert len(versions) == 2
    assert all(version.endswith(("HQ", "version 1")) for version in versions)


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="one channel"):
        resample(np.zeros((2, 10), np.float32), 44100, 24000, "torchaudio-sinc")
    with pytest.raises(ValueError, match="one channel"):
        resample(np.zeros(0, np.float32), 44100, 24000, "soxr-hq")
    with pytest.raises(ValueError, match="positive"):
        resample(noise(10), 0, 24000, "torchaudio-sinc")
    with pytest.raises(ValueError, match="Got 'sox'"):
        resample(noise(10), 44100, 24000, "sox")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Got 'sox'"):
        resampler_version("sox")  # type: ignore[arg-type]
