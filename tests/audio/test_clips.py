import dataclasses
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from transformers import Wav2Vec2FeatureExtractor

from marble_eval.audio.clips import (
    ClipBounds,
    clip_bounds,
    clip_count,
    normalise,
    prepare,
    windowing_fingerprint,
)
from marble_eval.audio.reading import UnusableAudio, inspect, read
from marble_eval.audio.resampling import resample, resampler_version
from marble_eval.spec import Windowing

RATE = 24000


def windowing(**changes: Any) -> Windowing:
    whole = Windowing(
        channels="mean",
        resampler="torchaudio-sinc",
        normalise="track",
        crop_seconds=None,
        clip_seconds=30.0,
        hop_seconds=None,
        tail="keep",
        tail_seconds=1.0,
    )
    return dataclasses.replace(whole, **changes)


def noise(path: Path, seconds: float, sample_rate: int = RATE) -> Path:
    """Noise with a mean of 0.1 and a swell, so that no two clips are alike."""
    samples = round(seconds * sample_rate)
    loudness = np.linspace(0.01, 0.1, samples)
    audio = 0.1 + loudness * np.random.default_rng(0).standard_normal(samples)
    soundfile.write(path, audio, sample_rate, subtype="FLOAT")
    return path


def lengths(seconds: float, rules: Windowing) -> list[float]:
    bounds = clip_bounds(round(seconds * RATE), RATE, rules)
    return [round(each.length / RATE, 3) for each in bounds]


def of_transformers(audio: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    make: Any = Wav2Vec2FeatureExtractor  # has no types
    extractor = make(sampling_rate=RATE, do_normalize=True)
    values = extractor(audio, sampling_rate=RATE, return_tensors="np")["input_values"]
    return np.asarray(values[0], np.float32)


def prepared(path: Path, rules: Windowing, **changes: Any) -> list[npt.NDArray[np.float32]]:
    options: dict[str, Any] = {"sample_rate": RATE, "normalise": False, "minimum_samples": 400}
    return prepare(path, windowing=rules, **(options | changes))


def test_hand_worked_cuts() -> None:
    assert lengths(30.0, windowing()) == [30]
    assert lengths(30.013, windowing()) == [30]  # GTZAN under v1: 13 ms dropped
    assert lengths(30.013, windowing(clip_seconds=30.2, tail="pad", tail_seconds=24.16)) == [30.2]
    assert lengths(70.5, windowing()) == [30, 30, 10.5]
    assert lengths(60.5, windowing()) == [30, 30]
    assert lengths(61.0, windowing()) == [30, 30, 1]  # exactly tail_seconds stays
    assert lengths(29.0, windowing(tail="pad", tail_seconds=24.0)) == [30]
    assert lengths(53.9, windowing(tail="pad", tail_seconds=24.0)) == [30]
    assert lengths(54.0, windowing(tail="pad", tail_seconds=24.0)) == [30, 30]
    assert lengths(59.9, windowing(tail="drop")) == [30]
    assert lengths(1234.5, windowing(clip_seconds=None)) == [1234.5]
    assert lengths(45.0, windowing(clip_seconds=5.0)) == [5] * 9


def test_the_first_clip_of_a_short_track_stays() -> None:
    assert clip_bounds(240, RATE, windowing()) == (ClipBounds(0, 240, 240),)
    assert clip_bounds(240, RATE, windowing(tail="drop")) == (ClipBounds(0, 240, 240),)
    padded = windowing(tail="pad", tail_seconds=24.0)
    assert clip_bounds(240, RATE, padded) == (ClipBounds(0, 240, 720000),)


def test_overlapping_clips_have_one_tail_and_none_for_audio_already_reached() -> None:
    rules = windowing(clip_seconds=10.0, hop_seconds=5.0)
    starts = [each.start / RATE for each in clip_bounds(23 * RATE, RATE, rules)]
    assert starts == [0, 5, 10, 15]  # 15 to 23 is the tail; 20 to 23 lies inside it
    starts = [each.start / RATE for each in clip_bounds(20 * RATE, RATE, rules)]
    assert starts == [0, 5, 10]  # 15 to 20 lies inside 10 to 20


def test_spaced_clips_leave_gaps() -> None:
    rules = windowing(clip_seconds=2.0, hop_seconds=5.0)
    bounds = clip_bounds(round(11.5 * RATE), RATE, rules)
    assert [(each.start / RATE, each.stop / RATE) for each in bounds] == [
        (0, 2),
        (5, 7),
        (10, 11.5),
    ]
    assert len(clip_bounds(4 * RATE, RATE, rules)) == 1  # the next would start at 5


@pytest.mark.parametrize("tail", ["keep", "pad", "drop"])
@pytest.mark.parametrize("hop", [None, 0.3, 1.7])
def test_every_length_is_covered_in_order_and_never_empty(tail: str, hop: float | None) -> None:
    rate, clip, tail_samples = 10, 10, 4
    rules = windowing(clip_seconds=1.0, hop_seconds=hop, tail=tail, tail_seconds=0.4)
    step = clip if hop is None else round(hop * rate)
    for samples in range(1, 120):
        bounds = clip_bounds(samples, rate, rules)
        assert [each.start for each in bounds] == [index * step for index in range(len(bounds))]
        assert all(0 < each.stop - each.start <= each.length <= clip for each in bounds)
        assert all(each.stop <= samples for each in bounds)
        assert all(each.stop - each.start == clip for each in bounds[:-1])
        lost = samples - bounds[-1].stop
        following = len(bounds) * step
        if tail == "drop":
            assert following + clip > samples
        else:
            assert lost == 0 or samples - following < tail_samples
        if tail == "pad":
            assert {each.length for each in bounds} == {clip}
        else:
            assert all(each.length == each.stop - each.start for each in bounds)


def test_cuts_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="samples must be at least 1"):
        clip_bounds(0, RATE, windowing())
    with pytest.raises(ValueError, match="'clip_seconds' must be at least one sample"):
        clip_bounds(10, 10, windowing(clip_seconds=0.01))
    with pytest.raises(ValueError, match="'hop_seconds' must be at least one sample"):
        clip_bounds(10, 10, windowing(hop_seconds=0.01))


@pytest.mark.parametrize(
    ("seconds", "rules", "expected"),
    [
        (45.0, windowing(crop_seconds=30.0, clip_seconds=5.0), 6),
        (30.0133, windowing(clip_seconds=30.2, tail="pad", tail_seconds=24.16), 1),
        (70.5, windowing(), 3),
        (60.5, windowing(), 2),
        (0.5, windowing(), 1),
        (600.0, windowing(clip_seconds=None), 1),
    ],
)
def test_forecast_is_what_preparing_gives(
    tmp_path: Path, seconds: float, rules: Windowing, expected: int
) -> None:
    path = noise(tmp_path / "a.wav", seconds, 8000)
    assert clip_count(inspect(path).seconds, rules) == expected
    assert len(prepared(path, rules)) == expected


def test_forecast_of_no_duration_is_refused() -> None:
    for seconds in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="must be"):
            clip_count(seconds, windowing())


@pytest.mark.parametrize("scale", [1e-4, 0.1, 1.0])
@pytest.mark.parametrize("samples", [1, 400, 720000])
def test_normalising_is_that_of_transformers(scale: float, samples: int) -> None:
    values = np.random.default_rng(0).standard_normal(samples)
    audio = (scale * (1 + values)).astype(np.float32)
    got = normalise(audio)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, of_transformers(audio), atol=1e-6)


def test_normalised_audio_has_zero_mean_and_unit_variance_and_silence_stays() -> None:
    audio = np.random.default_rng(0).uniform(0, 1, 10000).astype(np.float32)
    assert abs(normalise(audio).mean(dtype=np.float64)) < 1e-6
    assert normalise(audio).var(dtype=np.float64) == pytest.approx(1, abs=1e-5)
    assert not normalise(np.zeros(100, np.float32)).any()
    with pytest.raises(ValueError, match="must have samples"):
        normalise(np.zeros(0, np.float32))


def test_crop_comes_before_resampling_and_normalising_before_cutting(tmp_path: Path) -> None:
    path = noise(tmp_path / "a.wav", 12.0, 22050)
    rules = windowing(crop_seconds=10.0, clip_seconds=4.0)
    clips = prepared(path, rules, normalise=True)
    source, _ = soundfile.read(path, dtype="float32")
    whole = of_transformers(resample(source[:220500], 22050, RATE, "torchaudio-sinc"))
    assert [len(clip) for clip in clips] == [96000, 96000, 48000]
    np.testing.assert_allclose(np.concatenate(clips), whole, atol=1e-6)
    assert abs(clips[0].std() - clips[2].std()) > 0.1  # the swell is still there


def test_scope_clip_normalises_each_clip_with_its_padding(tmp_path: Path) -> None:
    path = noise(tmp_path / "a.wav", 10.0)
    rules = windowing(normalise="clip", clip_seconds=4.0, tail="pad", tail_seconds=1.0)
    clips = prepared(path, rules, normalise=True)
    source, _ = soundfile.read(path, dtype="float32")
    padded = np.concatenate([source, np.zeros(2 * RATE, np.float32)])
    for index, clip in enumerate(clips):
        np.testing.assert_allclose(
            clip, of_transformers(padded[index * 96000 : (index + 1) * 96000]), atol=1e-6
        )
    assert clips[2][-1] != 0  # the zeros were normalised too


def test_scope_track_pads_with_plain_zeros(tmp_path: Path) -> None:
    rules = windowing(clip_seconds=4.0, tail="pad")
    clips = prepared(noise(tmp_path / "a.wav", 6.0), rules, normalise=True)
    assert [len(clip) for clip in clips] == [96000, 96000]
    assert not clips[1][48000:].any()
    np.testing.assert_allclose(np.concatenate(clips)[:144000].mean(), 0, atol=1e-5)


@pytest.mark.parametrize("scope", ["track", "clip"])
def test_encoders_that_want_plain_audio_get_it(tmp_path: Path, scope: str) -> None:
    path = noise(tmp_path / "a.wav", 5.0)
    clips = prepared(path, windowing(clip_seconds=2.0, normalise=scope))
    assert all(clip.dtype == np.float32 for clip in clips)
    np.testing.assert_array_equal(np.concatenate(clips), read(path, "mean")[0])


def test_channel_rule_and_resampler_are_the_windowings(tmp_path: Path) -> None:
    audio = np.random.default_rng(0).uniform(-0.5, 0.5, (44100, 2))
    soundfile.write(tmp_path / "a.wav", audio, 44100, subtype="FLOAT")
    rules = windowing(channels="first", resampler="soxr-hq")
    (clip,) = prepared(tmp_path / "a.wav", rules)
    expected = resample(audio[:, 0].astype(np.float32), 44100, RATE, "soxr-hq")
    np.testing.assert_array_equal(clip, expected)


def test_no_audio_is_lost_when_every_rest_is_kept(tmp_path: Path) -> None:
    for sample_rate in (8000, 22050, 44100, 96000):
        path = noise(tmp_path / "a.wav", 3.217, sample_rate)
        clips = prepared(path, windowing(clip_seconds=0.5, tail_seconds=0.1))
        samples = inspect(path).samples
        assert sum(map(len, clips)) == -(-samples * RATE // sample_rate)


def test_a_track_shorter_than_the_encoders_input_is_refused(tmp_path: Path) -> None:
    path = noise(tmp_path / "a.wav", 0.01)
    with pytest.raises(UnusableAudio) as caught:
        prepared(path, windowing())
    assert caught.value.reason == "too short: 0.01 s, 0.01667 s needed"
    assert len(prepared(path, windowing(), minimum_samples=240)[0]) == 240
    (padded,) = prepared(path, windowing(tail="pad"))  # long enough once padded
    assert len(padded) == 720000


def test_a_tail_shorter_than_the_encoders_input_is_refused_not_dropped(tmp_path: Path) -> None:
    path = noise(tmp_path / "a.wav", 2.01)
    with pytest.raises(UnusableAudio) as caught:
        prepared(path, windowing(clip_seconds=1.0, tail_seconds=0.0))
    assert caught.value.reason == "too short: last clip of 0.01 s, 0.01667 s needed"
    assert len(prepared(path, windowing(clip_seconds=1.0, tail_seconds=0.5))) == 2


def test_a_cut_file_never_becomes_fewer_clips(tmp_path: Path) -> None:
    path = noise(tmp_path / "a.wav", 70.0, 8000)
    path.write_bytes(path.read_bytes()[:-8000])
    with pytest.raises(UnusableAudio, match="truncated: "):
        prepared(path, windowing(crop_seconds=30.0))


def test_an_mp3_becomes_clips_of_its_audible_length(tmp_path: Path) -> None:
    audio = np.random.default_rng(0).uniform(-0.1, 0.1, 8 * 44100)
    soundfile.write(tmp_path / "a.mp3", audio, 44100)
    clips = prepared(tmp_path / "a.mp3", windowing(clip_seconds=5.0))
    assert [len(clip) for clip in clips] == [5 * RATE, 3 * RATE]


def test_fingerprint_holds_every_field_and_the_resamplers_version() -> None:
    rules = windowing(crop_seconds=30.0)
    fingerprint = windowing_fingerprint(rules)
    assert json.loads(json.dumps(fingerprint)) == fingerprint
    assert fingerprint.pop("resampler_version") == resampler_version("torchaudio-sinc")
    assert Windowing(**fingerprint) == rules  # type: ignore[arg-type]
    assert windowing_fingerprint(windowing()) != windowing_fingerprint(rules)


def test_a_nan_in_the_file_reaches_no_clip(tmp_path: Path) -> None:
    path = noise(tmp_path / "a.wav", 2.0)
    data = path.read_bytes()
    path.write_bytes(data[:-4] + struct.pack("<f", float("nan")))
    with pytest.raises(UnusableAudio, match="not finite"):
        prepared(path, windowing())
