"""Batches: who shares one, how large one should be, and what comes out of the encoder."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from marble_eval.audio.pieces import FrameGrid
from marble_eval.errors import MarbleError
from marble_eval.features.clip_rules import ClipCuts, Cut, FrameCuts
from marble_eval.features.stores import ClipName, FrameStore, PooledStore
from marble_eval.features.workers.batches import (
    BatchSizes,
    Clip,
    Keep,
    bucketed,
    encode_batch,
    paying_size,
)
from marble_eval.registry.configuration import load_protocol
from marble_eval.spec import TaskRules

CPU = torch.device("cpu")
LAYERS, WIDTH = 3, 4
CUTS = ClipCuts(load_protocol("marble-v1").windowing(TaskRules()), False, 8000, 1)


class Scripted:
    """An encoder that does with a batch what it is told; counts its calls."""

    name = "scripted"
    sample_rate = 8000
    frame_rate = 80.0
    layers: Sequence[str] = ("input", "1", "2")
    width = WIDTH

    def __init__(self, act: Callable[[torch.Tensor], torch.Tensor] | None = None) -> None:
        self._act = act or _states
        self.batches: list[int] = []

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        self.batches.append(len(audio))
        return self._act(audio)

    def fingerprint(self) -> str:
        return "scripted"


def _states(audio: torch.Tensor) -> torch.Tensor:
    """Layer l of frame t: (l + 1) times the four samples of the frame."""
    frames = audio.reshape(len(audio), 1, -1, WIDTH)
    return frames * torch.arange(1, LAYERS + 1).reshape(1, LAYERS, 1, 1)


def _store(folder: Path, dtype: str = "float16", layers: int = LAYERS) -> PooledStore:
    return PooledStore(folder / "store", layers=layers, width=WIDTH, dtype=dtype)


def _batch(count: int, scale: float = 1.0) -> list[Clip]:
    rng = np.random.default_rng(0)
    return [
        Clip(
            ClipName("a" * 32, number, count),
            Path(f"track-{number}.wav"),
            Cut(scale * rng.standard_normal(20).astype(np.float32)),
        )
        for number in range(count)
    ]


def test_features_are_the_mean_over_frames_of_every_layer(tmp_path: Path) -> None:
    batch = _batch(3)
    features = encode_batch(Scripted(), batch, [Keep(CUTS, _store(tmp_path, "float32")).form], CPU)[
        0
    ]
    assert len(features) == 3
    for clip, found in zip(batch, features, strict=True):
        mean = clip.cut.audio.astype(np.float64).reshape(5, WIDTH).mean(axis=0)
        np.testing.assert_allclose(found, [mean, 2 * mean, 3 * mean], rtol=1e-6)


def test_float16_is_the_nearest_float16(tmp_path: Path) -> None:
    batch = _batch(3)
    whole = encode_batch(Scripted(), batch, [Keep(CUTS, _store(tmp_path, "float32")).form], CPU)[0]
    half = encode_batch(Scripted(), batch, [Keep(CUTS, _store(tmp_path)).form], CPU)[0]
    assert {each.dtype for each in half} == {np.dtype(np.float16)}
    np.testing.assert_array_equal(half, np.stack(whole).astype(np.float16))


@pytest.mark.parametrize(
    "complaint",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        MemoryError(),
    ],
)
def test_a_batch_too_large_for_the_memory_goes_through_in_halves(
    tmp_path: Path, complaint: Exception
) -> None:
    def small_memory(audio: torch.Tensor) -> torch.Tensor:
        if len(audio) > 2:
            raise complaint
        return _states(audio)

    encoder, batch = Scripted(small_memory), _batch(7)
    features = encode_batch(encoder, batch, [Keep(CUTS, _store(tmp_path)).form], CPU)[0]
    assert encoder.batches == [7, 3, 1, 2, 4, 2, 2]
    np.testing.assert_array_equal(
        features, encode_batch(Scripted(), batch, [Keep(CUTS, _store(tmp_path)).form], CPU)[0]
    )  # fmt: skip


def test_the_tensors_of_a_failed_call_are_gone_before_the_halves_begin(tmp_path: Path) -> None:
    alive: list[int] = []

    class Counted:
        def __init__(self) -> None:
            alive.append(1)

        def __del__(self) -> None:
            alive.pop()

    def small_memory(audio: torch.Tensor) -> torch.Tensor:
        assert not alive
        activations = Counted()  # held by this frame, and so by the error's traceback
        if len(audio) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        del activations
        return _states(audio)

    encode_batch(Scripted(small_memory), _batch(2), [Keep(CUTS, _store(tmp_path)).form], CPU)[0]


def test_a_clip_too_large_for_the_memory_names_a_way_out(tmp_path: Path) -> None:
    def no_memory(audio: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    encoder = Scripted(no_memory)
    with pytest.raises(MarbleError, match=r"track-0\.wav.*20 samples.*memory.*Take.*shorter"):
        encode_batch(encoder, _batch(2), [Keep(CUTS, _store(tmp_path)).form], CPU)[0]
    assert encoder.batches == [2, 1]


def test_other_runtime_errors_are_not_taken_for_a_lack_of_memory(tmp_path: Path) -> None:
    def broken(audio: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied (3x4 and 5x6)")

    encoder = Scripted(broken)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        encode_batch(encoder, _batch(4), [Keep(CUTS, _store(tmp_path)).form], CPU)[0]
    assert encoder.batches == [4]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_features_that_are_not_finite_name_file_and_layer(tmp_path: Path, value: float) -> None:
    def spoiled(audio: torch.Tensor) -> torch.Tensor:
        states = _states(audio)
        states[2, 1, 3, 0] = value
        return states

    with pytest.raises(
        MarbleError, match=r"track-2\.wav.*nan or inf in layer 1 of scripted.*weights"
    ):  # fmt: skip
        encode_batch(Scripted(spoiled), _batch(4), [Keep(CUTS, _store(tmp_path)).form], CPU)[0]


def test_values_beyond_float16_name_file_layer_and_the_way_out(tmp_path: Path) -> None:
    batch = _batch(2)
    batch[1].cut.audio[:] = 30000.0  # times 1, 2 and 3: the largest float16 is 65504
    with pytest.raises(
        MarbleError,
        match=r"track-1\.wav.*beyond float16 in layer 2 of scripted.*features\.dtype=float32",
    ):
        encode_batch(Scripted(), batch, [Keep(CUTS, _store(tmp_path)).form], CPU)[0]
    features = encode_batch(Scripted(), batch, [Keep(CUTS, _store(tmp_path, "float32")).form], CPU)[
        0
    ]
    assert features[1].max() == 90000.0


@pytest.mark.parametrize(
    ("kept", "named"), [((0, 1, 2), "layer 1"), ((1, 2), "layer 1"), ((2,), "layer 2")]
)
def test_values_beyond_float16_name_the_encoder_s_layer_where_some_are_kept(
    tmp_path: Path, kept: tuple[int, ...], named: str
) -> None:
    """Of frames only those layers are stored that are probed; a fault has the encoder's name."""
    batch = _batch(2)
    batch[1].cut.audio[7] = 40000.0  # times 2: beyond float16 from layer 1 on
    cuts = FrameCuts(CUTS.windowing, False, 1, FrameGrid(8000, 2000.0, 1), kept, 0.0)
    store = FrameStore(tmp_path, layers=len(kept), width=WIDTH, dtype="float16")
    with pytest.raises(MarbleError, match=rf"track-1\.wav.*beyond float16 in {named} of scripted"):
        encode_batch(Scripted(), batch, [Keep(cuts, store).form], CPU)[0]


def test_layers_that_are_not_kept_may_hold_anything(tmp_path: Path) -> None:
    batch = _batch(1)
    batch[0].cut.audio[7] = 40000.0
    cuts = FrameCuts(CUTS.windowing, False, 1, FrameGrid(8000, 2000.0, 1), (0,), 0.0)
    store = FrameStore(tmp_path, layers=1, width=WIDTH, dtype="float16")
    (found,) = encode_batch(Scripted(), batch, [Keep(cuts, store).form], CPU)[0]
    np.testing.assert_array_equal(found[0], batch[0].cut.audio.reshape(5, WIDTH).astype(np.float16))


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda audio: _states(audio)[:, :2], r"3 layers of width 4.*\(2, 2, 5, 4\)"),
        (lambda audio: _states(audio)[..., :3], r"3 layers of width 4.*\(2, 3, 5, 3\)"),
        (lambda audio: _states(audio)[:1], r"each of 2 clips.*\(1, 3, 5, 4\)"),
        (lambda audio: _states(audio)[:, 0], r"\(batch, layer, frame, width\).*\(2, 5, 4\)"),
        (lambda audio: _states(audio)[:, :, :0], r"a frame or more.*\(2, 3, 0, 4\)"),
        (lambda audio: _states(audio).numpy(), r"return a tensor\. Got ndarray"),
        (lambda audio: (_states(audio),), r"return a tensor\. Got tuple"),
    ],
)
def test_an_encoder_that_is_not_what_it_declares_is_told_so(
    tmp_path: Path, act: Callable[[torch.Tensor], torch.Tensor], words: str
) -> None:
    with pytest.raises(MarbleError, match=words) as raised:
        encode_batch(Scripted(act), _batch(2), [Keep(CUTS, _store(tmp_path)).form], CPU)[0]
    assert str(raised.value).startswith("scripted")
    assert "track-0.wav" in str(raised.value)


def test_no_gradient_is_kept(tmp_path: Path) -> None:
    weight = torch.ones(1, requires_grad=True)

    def weighted(audio: torch.Tensor) -> torch.Tensor:
        assert torch.is_inference_mode_enabled()
        return _states(audio) * weight

    (found,) = encode_batch(
        Scripted(weighted), _batch(1), [Keep(CUTS, _store(tmp_path)).form], CPU
    )[0]
    assert found.shape == (3, 4)


# --- gathering clips ---------------------------------------------------------------------


class _Long(NamedTuple):
    number: int
    samples: int


def _clips(*lengths: int) -> list[_Long | None]:
    return [_Long(number, samples) for number, samples in enumerate(lengths)]


def _numbers(clips: list[_Long | None], size: int) -> list[list[int] | None]:
    found: list[list[int] | None] = []
    for batch in bucketed(clips, lambda _: size):
        found.append(None if batch is None else [clip.number for clip in batch])
    return found


def test_batches_of_one_keep_the_order() -> None:
    assert _numbers(_clips(5, 9, 5, 7), 1) == [[0], [1], [2], [3]]


def test_clips_of_a_length_meet_although_others_are_between() -> None:
    assert _numbers(_clips(5, 9, 5, 9, 5, 9), 3) == [[0, 2, 4], [1, 3, 5]]


def test_a_lone_clip_lets_two_batches_pass_and_no_more() -> None:
    # The third clip is alone in its length; with 4 others behind it, it goes.
    assert _numbers(_clips(9, 9, 5, 9, 9, 9, 9, 9, 9), 2) == [[0, 1], [3, 4], [5, 6], [2], [7, 8]]


@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_nothing_is_lost_and_no_batch_mixes_lengths(size: int) -> None:
    rng = np.random.default_rng(size)
    clips = _clips(*rng.choice([5, 7, 9, 11], 100, p=[0.7, 0.1, 0.1, 0.1]).tolist())
    seen, waited = [], 0
    for batch in bucketed(clips, lambda _: size):
        assert batch is not None
        assert len({clip.samples for clip in batch}) == 1
        assert len(batch) <= size
        seen += [clip.number for clip in batch]
        waited = max(waited, max(seen) - batch[0].number)
    assert sorted(seen) == list(range(100))
    assert waited <= 2 * size + 4  # one of each length may be due at once


def test_when_no_more_can_be_had_the_oldest_goes_first() -> None:
    clips = [*_clips(5, 9, 9), None, None, None, *_clips(7)]
    assert _numbers(clips, 4) == [[0], [1, 2], None, [0]]


def _pace(fixed_s: float, each_s: float, most: int = 10**9) -> Callable[[int], float | None]:
    """A device with a fixed cost for a call and one for a clip."""
    return lambda clips: clips / (fixed_s + clips * each_s) if clips <= most else None


@pytest.mark.parametrize(
    ("fixed_s", "each_s", "found"),
    [
        (0.0, 1.0, 1),  # nothing is gained
        # 8 clips in 9 + 8 = 17: 0.471; 16 in 25: 0.64; 32 in 41: 0.78; 64 in 73: 0.877
        (9.0, 1.0, 64),
        # 1 in 1.1, 2 in 2.1: + 4.8 %
        (0.1, 1.0, 1),
        # 1 in 1.3: 0.769; 2 in 2.3: 0.870; 4 in 4.3: 0.930; 8 in 8.3: 0.964, + 3.6 %
        (0.3, 1.0, 4),
    ],
)
def test_a_batch_is_doubled_while_that_gains_five_percent(
    fixed_s: float, each_s: float, found: int
) -> None:
    assert paying_size(_pace(fixed_s, each_s)) == found


@pytest.mark.parametrize(("most", "found"), [(0, 1), (1, 1), (5, 4), (8, 8), (63, 32)])
def test_a_batch_that_memory_does_not_hold_is_not_taken(most: int, found: int) -> None:
    assert paying_size(_pace(100.0, 1.0, most)) == found


def test_each_length_is_tried_once_and_only_if_enough_clips_came() -> None:
    tried: list[int] = []

    def measure(clips: int) -> float:
        tried.append(clips)
        return min(clips, 2)

    sizes = BatchSizes(0)
    sizes.settle(100, 3, measure)
    assert (tried, sizes.of(100)) == ([], 8)
    sizes.settle(100, 8, measure)
    sizes.settle(100, 8, measure)
    assert (tried, sizes.of(100), sizes.of(200)) == ([1, 2, 4], 2, 8)


def test_a_size_that_was_given_is_not_tried() -> None:
    sizes = BatchSizes(3)
    sizes.settle(100, 8, lambda clips: 1 / 0)
    assert sizes.of(100) == 3
