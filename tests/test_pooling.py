import numpy as np
import pytest
import torch

from marble_eval.pooling import clip_means


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
