import numpy as np
import pytest
import torch

from marble_eval.features.pooling import clip_means, kept_frames


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_clip_is_the_mean_of_its_frames_in_double_precision(dtype: torch.dtype) -> None:
    # 2250 frames are 30 s of MERT; a sum in 16 bits would be far off.
    states = (100 + torch.randn(2, 3, 2250, 8, generator=torch.Generator().manual_seed(0))).to(
        dtype
    )
    exact = states.double().numpy().mean(axis=2)
    pooled = clip_means(states)
    assert pooled.dtype == torch.float32
    np.testing.assert_allclose(pooled.numpy(), exact, rtol=2e-6)


def test_clips_and_layers_are_kept_apart() -> None:
    states = torch.tensor([[[[1.0, 10.0], [3.0, 30.0]], [[5.0, 0.0], [7.0, 0.0]]]])
    assert clip_means(states).tolist() == [[[2.0, 20.0], [6.0, 0.0]]]


def test_one_frame_is_its_own_mean() -> None:
    states = torch.randn(2, 3, 1, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(clip_means(states), states[:, :, 0])


def test_what_is_not_finite_stays_so() -> None:
    states = torch.ones(1, 2, 3, 1)
    states[0, 1, 2, 0] = float("nan")
    assert torch.isfinite(clip_means(states)).flatten().tolist() == [True, False]


@pytest.mark.parametrize("shape", [(2, 3, 4), (1, 2, 3, 4, 5), (2, 3, 0, 4)])
def test_other_axes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(batch, layer, frame, width\).*Got \(") as raised:
        clip_means(torch.zeros(shape))
    assert str(shape) in str(raised.value)


def _kept(
    states: np.ndarray, layers: list[int], heard_from: int, first: int, count: int | None, step: int
) -> np.ndarray:
    """Average frame by frame, by their numbers in the track."""
    there = {heard_from + at: states[:, at] for at in range(states.shape[1])}
    last = heard_from + states.shape[1] - 1
    if count is None:
        count = max(1, last // step + 1 - first)
    found = []
    for number in range(first, first + count):
        begin = number * step - step // 2
        near = [there[at] for at in range(begin, begin + step) if at in there]
        found.append(np.mean(near, axis=0) if near else there[last])
    return np.stack(found, axis=1)[layers]


@pytest.mark.parametrize("step", [1, 2, 3, 4, 7])
@pytest.mark.parametrize(
    ("frames", "heard_from", "first", "count"),
    [
        (12, 0, 0, None),  # a track in one
        (1, 0, 0, None),
        (14, 0, 0, 2),  # the first piece, with context behind it
        (30, 28, 5, 2),  # context on both sides
        (30, 28, 5, None),  # the last piece
        (6, 14, 2, 2),  # too few: the last frame is held
    ],
)
def test_kept_frames_are_means_of_those_around_them(
    step: int, frames: int, heard_from: int, first: int, count: int | None
) -> None:
    if first * step < heard_from:
        first = heard_from // step + 1
    states = np.random.default_rng(step).standard_normal((4, frames, 3)).astype(np.float32)
    for layers in ([0, 1, 2, 3], [3], [2, 0]):
        found = kept_frames(
            torch.from_numpy(states),
            layers,
            heard_from=heard_from,
            first=first,
            count=count,
            step=step,
        )
        expected = _kept(states, layers, heard_from, first, count, step)
        assert found.dtype == torch.float32
        assert found.shape == expected.shape
        np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-6)


def test_every_frame_by_itself_is_kept_as_it_is() -> None:
    states = torch.randn(2, 9, 3, generator=torch.Generator().manual_seed(0))
    kept = kept_frames(states, [1], heard_from=4, first=6, count=5, step=1)
    assert torch.equal(kept, states[1:, 2:7])


def test_kept_frames_stand_where_their_numbers_say() -> None:
    """Means of an odd number are centred: a ramp keeps its place, its two ends apart."""
    ramp = torch.arange(30.0).reshape(1, 30, 1)
    for step in (1, 3, 5):
        kept = kept_frames(ramp, [0], heard_from=0, first=0, count=None, step=step).flatten()
        assert kept[1:-1].tolist() == [step * at for at in range(1, len(kept) - 1)]


def test_frames_that_are_not_finite_stay_so() -> None:
    states = torch.zeros(1, 6, 1)
    states[0, 4, 0] = float("inf")
    kept = kept_frames(states, [0], heard_from=0, first=0, count=None, step=3)
    assert not torch.isfinite(kept).all()
    assert torch.isfinite(kept[0, 0])
