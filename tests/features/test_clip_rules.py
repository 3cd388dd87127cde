"""Cuts that do not show: a track in pieces, put together again, against one pass."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from marble_eval.audio import UnusableAudio
from marble_eval.audio.pieces import FrameGrid
from marble_eval.encoders import Encoder
from marble_eval.encoders.mert import random_mert
from marble_eval.encoders.spectra import load_mel
from marble_eval.errors import MarbleError
from marble_eval.features.clip_rules import Cut, FrameCuts
from marble_eval.features.extraction import Job, extract
from marble_eval.features.stores import ClipName, FrameStore
from marble_eval.features.workers.batches import Clip, Keep, encode_batch
from marble_eval.files.fingerprint import file_digest
from marble_eval.progress import Silence
from marble_eval.spec import EngineSpec, Windowing

RATE, HOP, WINDOW = 8000, 80, 240
CLIP, TAIL = 1.0, 0.25  # seconds: 100 frames of the scripted encoders, and a rest of 25
# Lengths, in samples, around multiples of the piece and around the tail behind one.
LENGTHS = sorted(
    {
        max(WINDOW, pieces * RATE + rest + edge)
        for pieces in (0, 1, 2, 3)
        for rest in (0, 2000)
        for edge in (-HOP, -1, 0, 1, HOP, 3 * HOP)
    }
)


class Convolved:
    """Two layers of a window every 10 ms; whole numbers, so that every sum is exact.

    Without padding it gives a frame or two less than the audio is long, as MERT's front
    end does; with, it is centred and gives one more, as spectrograms do.
    """

    sample_rate, frame_rate, width, minimum_samples = RATE, RATE / HOP, 3, WINDOW
    layers: Sequence[str] = ("sum", "rectified")

    def __init__(self, *, is_centred: bool) -> None:
        self.name = "centred" if is_centred else "unpadded"
        self._padding = WINDOW // 2 if is_centred else 0
        draws = torch.Generator().manual_seed(0)
        self._kernels = torch.randint(-3, 4, (self.width, WINDOW), generator=draws).float()

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        padded = torch.nn.functional.pad(audio * 256, (self._padding, self._padding))
        sums = padded.unfold(1, WINDOW, HOP) @ self._kernels.T
        return torch.stack([sums, 2 * sums.relu()], dim=1)

    def fingerprint(self) -> str:
        return self.name


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Keep small products from waiting for a busy neighbour's cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _write(path: Path, samples: int, *, rate: int = RATE, seed: int = 0) -> Path:
    """Write noise of few bits, whose sums under small whole numbers are exact."""
    rng = np.random.default_rng(seed)
    soundfile.write(path, rng.integers(-64, 65, samples) / 256, rate, subtype="PCM_16")
    return path


def _cuts(
    encoder: Encoder,
    clip_seconds: float | None = CLIP,
    *,
    step: int = 1,
    context: float = 0.0,
    tail: float = TAIL,
    normalised: bool = False,
    **changes: Any,
) -> FrameCuts:
    windowing = Windowing(
        channels="mean",
        resampler="torchaudio-sinc",
        normalise=changes.get("normalise", "track"),
        crop_seconds=changes.get("crop_seconds"),
        clip_seconds=clip_seconds,
        hop_seconds=None,
        tail="keep",
        tail_seconds=tail,
    )
    grid = FrameGrid(encoder.sample_rate, encoder.frame_rate, step)
    layers = tuple(range(len(encoder.layers)))
    return FrameCuts(
        windowing, normalised, getattr(encoder, "minimum_samples", 1), grid, layers, context
    )


def _stitched(encoder: Encoder, cuts: FrameCuts, path: Path) -> np.ndarray:
    """Encode a track piece by piece, and put the frames beside one another."""
    found = []
    with torch.inference_mode():
        for cut in cuts.cut(path):
            states = encoder.hidden_states(torch.from_numpy(cut.audio)[None])
            found += cuts.pooled(states, [cut])
    return np.concatenate(found, axis=1)


def _in_one_pass(encoder: Encoder, path: Path, step: int = 1) -> np.ndarray:
    """Encode a track whole, and average its frames around every step-th."""
    audio, _ = soundfile.read(path, dtype="float32")
    with torch.inference_mode():
        states = encoder.hidden_states(torch.from_numpy(audio)[None])[0].double().numpy()
    centres = range(0, states.shape[1], step)
    near = [states[:, max(0, at - step // 2) : at - step // 2 + step] for at in centres]
    return np.stack([each.mean(axis=1) for each in near], axis=1).astype(np.float32)


@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize("is_centred", [False, True])
def test_a_local_encoder_s_cuts_do_not_show(tmp_path: Path, is_centred: bool, step: int) -> None:
    """Exactly the same numbers, whatever the length, with as much context as it hears."""
    encoder = Convolved(is_centred=is_centred)
    # A window reaches 3 hops; a mean of three frames one more on each side.
    cuts = _cuts(encoder, step=step, context=5 * HOP / RATE)
    for samples in LENGTHS:
        path = _write(tmp_path / "track.wav", samples, seed=samples)
        whole = _in_one_pass(encoder, path, step)
        np.testing.assert_array_equal(_stitched(encoder, cuts, path), whole)
        frames = samples // HOP + 1 if is_centred else (samples - WINDOW) // HOP + 1
        assert whole.shape[1] == -(-frames // step)


def test_without_context_the_cuts_of_the_same_encoder_show(tmp_path: Path) -> None:
    encoder = Convolved(is_centred=True)
    path = _write(tmp_path / "track.wav", 3 * RATE)
    differs = (_stitched(encoder, _cuts(encoder), path) != _in_one_pass(encoder, path)).any((0, 2))
    # The frames whose window, 120 samples on both sides, reaches over a cut.
    assert np.flatnonzero(differs).tolist() == [99, 100, 101, 199, 200, 201]


@pytest.mark.parametrize("step", [1, 3])
def test_every_frame_is_there_once_and_in_its_place(tmp_path: Path, step: int) -> None:
    class Positions(Convolved):
        """A frame is the number of its first sample."""

        def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
            starts = audio[:, : audio.shape[1] // HOP * HOP : HOP]
            return starts[:, None, :, None].expand(-1, 2, -1, 3)

    encoder = Positions(is_centred=False)
    for samples in (RATE + 2000, 3 * RATE, round(4.4 * RATE)):
        path = tmp_path / "ramp.wav"
        soundfile.write(path, np.arange(samples) / 2**20, RATE, subtype="FLOAT")
        for context in (0.0, 0.02, 0.5, 2.0):
            found = _stitched(encoder, _cuts(encoder, step=step, context=context), path)
            places = found[0, :, 0] * 2**20 / HOP
            expected = np.arange(0, samples // HOP, step)
            assert len(places) == len(expected)
            # Without context a mean at a cut lacks the frames before it.
            wrong = np.flatnonzero(np.abs(places - expected) > 0.51)
            assert wrong.tolist() == []


@pytest.mark.parametrize("step", [1, 3])
def test_log_mel_in_pieces_is_log_mel_in_one_pass(tmp_path: Path, step: int) -> None:
    encoder = load_mel(name="mel", sample_rate=RATE, n_fft=512, hop_length=HOP, n_mels=16)
    cuts = _cuts(encoder, step=step, context=512 / RATE + 0.02)
    bare = _cuts(encoder, step=step)
    for samples in (2 * RATE - 1, 2 * RATE, 2 * RATE + 1999, 2 * RATE + 2001, round(3.3 * RATE)):
        path = _write(tmp_path / "track.wav", samples, seed=samples)
        # Bands alone: their deviation over the clip, in the other half, is not local.
        whole = _in_one_pass(encoder, path, step)[..., :16]
        found = _stitched(encoder, cuts, path)[..., :16]
        np.testing.assert_allclose(found, whole, rtol=0, atol=1e-4)  # decibels
        assert np.abs(_stitched(encoder, bare, path)[..., :16] - whole).max() > 1


def test_frames_of_mert_beside_a_cut_are_as_near_to_one_pass_as_any_with_context(
    tmp_path: Path,
) -> None:
    """Attention and a norm over time hear everything; what is left must be even."""
    encoder = random_mert(size="small", seed=0, precision="float32", device="cpu")
    path = tmp_path / "noise.wav"
    noise = 0.1 * np.random.default_rng(0).standard_normal(18 * 24000)
    soundfile.write(path, noise, 24000)
    whole = _stitched(encoder, _cuts(encoder, None, normalised=True), path)
    scale = np.sqrt((whole**2).sum(axis=2)).mean(axis=1)
    beside = np.concatenate([np.arange(cut - 10, cut + 10) for cut in (450, 900)])
    middle = np.arange(675 - 110, 675 + 110)
    ratios = {}
    # The convolution over positions reaches 64 frames, 0.85 s.
    for context in (0.0, 1.5):
        cuts = _cuts(encoder, 6.0, context=context, normalised=True)
        found = _stitched(encoder, cuts, path)
        assert found.shape == whole.shape == (5, 18 * 75 - 1, 192)
        distance = np.sqrt(((found - whole) ** 2).sum(axis=2)) / scale[:, None]
        assert distance[:, middle].mean() < 0.02
        ratios[context] = distance[:, beside].mean(axis=1) / distance[:, middle].mean(axis=1)
    assert ratios[0.0].min() > 10  # measured: 21 to 23
    assert ratios[1.5].max() < 1.5  # measured: 1.11 to 1.13


def test_a_track_is_normalised_before_it_is_cut_or_each_piece_as_it_is_heard(
    tmp_path: Path,
) -> None:
    encoder = Convolved(is_centred=True)
    path = _write(tmp_path / "track.wav", 2 * RATE)
    audio, _ = soundfile.read(path, dtype="float64")
    audio[RATE:] *= 0.25
    soundfile.write(path, audio, RATE, subtype="DOUBLE")
    first, second = _cuts(encoder, normalised=True, context=0.1).cut(path)
    np.testing.assert_allclose(first.audio[: len(audio)], (audio / audio.std())[:8800], atol=1e-2)
    assert np.std(second.audio[800:]) < 0.5
    pieces = _cuts(encoder, normalised=True, normalise="clip", context=0.1).cut(path)
    assert [round(float(each.audio.std()), 3) for each in pieces] == [1.0, 1.0]
    assert [len(each.audio) for each in pieces] == [8800, 8800]
    plain = _cuts(encoder, context=0.1).cut(path)
    np.testing.assert_array_equal(plain[0].audio, audio[:8800].astype(np.float32))


def test_only_the_cropped_part_is_cut(tmp_path: Path) -> None:
    encoder = Convolved(is_centred=True)
    path = _write(tmp_path / "track.wav", 4 * RATE)
    cuts = _cuts(encoder, crop_seconds=1.5)
    assert [len(each.audio) for each in cuts.cut(path)] == [RATE, RATE // 2]


def test_lengths_and_rows_are_told_from_the_length_alone(tmp_path: Path) -> None:
    for is_centred, step in ((False, 1), (True, 1), (False, 3), (True, 3)):
        encoder = Convolved(is_centred=is_centred)
        cuts = _cuts(encoder, step=step, context=0.1)
        for samples in LENGTHS[2::5]:
            path = _write(tmp_path / "track.wav", samples)
            assert [len(each.audio) for each in cuts.cut(path)] == cuts.lengths(samples)
            frames = _stitched(encoder, cuts, path).shape[1]
            assert abs(frames - cuts.rows(samples)) <= 3  # the window, in hops


def test_a_rest_that_the_encoder_cannot_take_joins_the_piece_before(tmp_path: Path) -> None:
    encoder = Convolved(is_centred=False)
    for rest, pieces in ((1, 2), (WINDOW - 1, 2), (WINDOW, 3), (WINDOW + HOP, 3)):
        path = _write(tmp_path / "track.wav", 2 * RATE + rest)
        cuts = _cuts(encoder, tail=0.0)
        assert len(cuts.cut(path)) == pieces
        frames = _stitched(encoder, cuts, path).shape[1]
        assert frames == _in_one_pass(encoder, path).shape[1]


def test_a_track_that_the_encoder_cannot_take_is_unusable(tmp_path: Path) -> None:
    path = _write(tmp_path / "short.wav", WINDOW - 1)
    with pytest.raises(UnusableAudio, match=r"too short: 0\.03 s, 0\.03 s needed"):
        _cuts(Convolved(is_centred=False)).cut(path)


# --- through the extraction ------------------------------------------------------------


def test_what_is_stored_is_one_pass_cut_or_not(tmp_path: Path) -> None:
    encoder = Convolved(is_centred=True)
    paths = [
        _write(tmp_path / f"{at}.wav", samples, seed=at) for at, samples in enumerate(LENGTHS[::4])
    ]
    jobs = [Job(file_digest(path), path) for path in paths]
    store = FrameStore(tmp_path / "store", layers=2, width=3, dtype="float32")
    cuts = _cuts(encoder, context=0.05)
    extract(
        jobs,
        encoder,
        store,
        cuts,
        expected_clips=1,
        engine=EngineSpec("cpu", 2, 3, 2, 0, 0, None, None, None),
        progress=Silence(),
    )
    for job in jobs:
        whole = _in_one_pass(encoder, job.path)
        assert store.rows(job.audio) == whole.shape[1]
        for layer in (0, 1):
            found = store.read_layer(job.audio, layer, 0, whole.shape[1])
            np.testing.assert_array_equal(found, whole[layer])


@pytest.mark.parametrize("declared", [50.0, 86.1328125, 107.0])
def test_an_encoder_with_another_frame_rate_than_it_declares_is_refused(
    tmp_path: Path, declared: float
) -> None:
    encoder = Convolved(is_centred=True)
    encoder.frame_rate = declared  # it gives 100
    store = FrameStore(tmp_path / "store", layers=2, width=3, dtype="float32")
    audio = np.zeros(2 * RATE, np.float32)
    batch = [Clip(ClipName("a" * 32, 0, 1), Path("track.wav"), Cut(audio))]
    with pytest.raises(
        MarbleError,
        match=rf"centred, track\.wav: .*must give {declared:g} frames a second, as it declares: "
        rf"{2 * declared:.0f} for 16000 samples\. Got 201\.",
    ):
        encode_batch(encoder, batch, [Keep(_cuts(encoder, None), store).form], torch.device("cpu"))[
            0
        ]


@pytest.mark.parametrize("frames", [197, 198, 201, 203])
def test_a_few_frames_more_or_less_are_the_borders_of_an_encoder(frames: int) -> None:
    encoder = Convolved(is_centred=True)
    (kept,) = _cuts(encoder, None).pooled(
        torch.zeros(1, 2, frames, 3), [Cut(np.zeros(2 * RATE, np.float32))]
    )
    assert kept.shape == (2, frames, 3)


def test_states_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(batch, layer, frame, width\)"):
        _cuts(Convolved(is_centred=True)).pooled(
            torch.zeros(2, 100, 3), [Cut(np.zeros(RATE, np.float32))]
        )
