"""The MusiCNN network against the original one in TensorFlow, and librosa's spectrogram."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import librosa
import numpy as np
import pytest
import torch

from marble_eval.encoders.networks.musicnn import LAYERS, Musicnn
from tests.encoders.musicnn_cases import FOLDER, FRAMES, clip, differences, seeded_weights

WIDTHS = (408, 153, 64, 64, 64, 753, 753, 200, 50)


@pytest.fixture(scope="module")
def network() -> Musicnn:
    return Musicnn(seeded_weights(), torch.device("cpu"))


@pytest.fixture(scope="module")
def states(network: Musicnn) -> torch.Tensor:
    return network.hidden_states(clip())


def _patch_of(network: Musicnn, log_mel: torch.Tensor) -> torch.Tensor:
    """Run one patch, and give its layers as one tensor, (layer, frame, width)."""
    layers = [layer[0] for layer in network._layers(log_mel[None])]
    return torch.stack(
        [torch.nn.functional.pad(layer, (0, 753 - layer.shape[1])) for layer in layers]
    )


# --- the spectrogram ---


@pytest.mark.parametrize("samples", [66000, 5000, 512])
def test_the_spectrogram_is_librosa_s(network: Musicnn, samples: int) -> None:
    audio = clip()[0, :samples].numpy()
    power = librosa.feature.melspectrogram(
        y=audio, sr=16000, n_fft=512, hop_length=256, n_mels=96, pad_mode="reflect"
    )

    log_mel = network.log_mel(torch.from_numpy(audio)[None])[0]

    np.testing.assert_allclose(log_mel, np.log10(10000 * power.T + 1), rtol=0, atol=3e-5)


def test_the_spectrogram_is_the_one_the_original_was_given(network: Musicnn) -> None:
    stored = np.load(FOLDER / "seeded.npz")["log_mel"]
    np.testing.assert_allclose(network.log_mel(clip())[0, FRAMES], stored, rtol=0, atol=3e-5)


def test_loud_audio_stays_finite_where_float16_does_not(network: Musicnn) -> None:
    loud = torch.sign(clip())
    log_mel = network.log_mel(loud)

    assert float(log_mel.max()) > np.log10(np.finfo(np.float16).max)
    assert torch.isfinite(log_mel).all()
    assert torch.isfinite(network.hidden_states(loud)).all()


# --- the layers ---


def test_every_layer_is_the_original_s(states: torch.Tensor) -> None:
    found = differences(states, "seeded")

    assert list(found) == list(LAYERS)
    assert max(found.values()) < 1e-5, found  # float32, summed in another order


def test_columns_behind_a_layer_s_width_are_zero(states: torch.Tensor) -> None:
    assert states.shape == (1, 9, 258, 753)
    for layer, width in enumerate(WIDTHS):
        assert (states[0, layer, :, width:] == 0).all()
        assert (states[0, layer, :, :width].abs().amax(dim=0) > 0).all()


# --- patches ---


def test_patches_follow_on_each_other_and_the_last_ends_with_the_clip(
    network: Musicnn, states: torch.Tensor
) -> None:
    log_mel = network.log_mel(clip())[0]  # 258 frames: patches from 0 and from 71
    first, last = _patch_of(network, log_mel[:187]), _patch_of(network, log_mel[71:])

    torch.testing.assert_close(states[0, :, :187], first, rtol=0, atol=1e-5)
    torch.testing.assert_close(states[0, :, 187:], last[:, 187 - 71 :], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("frames", "patches"), [(186, 1), (187, 1), (188, 2), (374, 2), (375, 3)])
def test_what_a_patch_has_once_stands_in_each_of_its_frames(
    network: Musicnn, frames: int, patches: int
) -> None:
    audio = clip().repeat(1, 2)[:, : 256 * (frames - 1)]

    states = network.hidden_states(audio)[0]

    assert states.shape[1] == frames
    for layer in (5, 6, 7, 8):
        changes = (states[layer, 1:] != states[layer, :-1]).any(dim=1)
        assert 1 + int(changes.sum()) == patches


def test_a_short_clip_is_heard_again_until_the_patch_is_full(network: Musicnn) -> None:
    audio = clip()[:, :8000]  # half a second: 32 frames
    log_mel = network.log_mel(audio)[0]

    states = network.hidden_states(audio)[0]

    whole = _patch_of(network, log_mel.repeat(6, 1)[:187])
    torch.testing.assert_close(states, whole[:, :32], rtol=0, atol=1e-5)


def test_clips_of_a_batch_get_their_own_patches(network: Musicnn) -> None:
    audio = torch.cat([clip(), 0.3 * clip().flip(1), clip().roll(9000, 1)])

    together = network.hidden_states(audio)

    apart = torch.cat([network.hidden_states(each[None]) for each in audio])
    torch.testing.assert_close(together, apart, rtol=1e-5, atol=1e-5)


def test_threads_do_not_disturb_each_other(network: Musicnn, states: torch.Tensor) -> None:
    with ThreadPoolExecutor(4) as pool:
        for each in pool.map(network.hidden_states, [clip()] * 8):
            torch.testing.assert_close(each, states, rtol=1e-5, atol=1e-5)
