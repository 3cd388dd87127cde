"""The network against official hidden states, transformers and hand-worked cases."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import HubertConfig, HubertModel

from marble_eval.encoders.mert import load_mert
from marble_eval.encoders.networks.hubert import Hubert, convolve
from marble_eval.encoders.networks.hubert_shape import HubertShape, weight_sizes
from marble_eval.errors import SpecError
from marble_eval.spec.mapping import from_mapping

DATA = Path(__file__).parents[1] / "data" / "mert"
CASES = ["mert-v1-95m-like", "mert-v1-330m-like", "mert-v0-cqt-like", "mert-deepnorm-like"]
TINY: dict[str, Any] = {
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "conv_dim": (8, 8, 12, 12, 12, 12, 16),
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}


def _random_model(**options: Any) -> Any:
    """A tiny network of transformers whose norms and biases matter."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model: Any = HubertModel(HubertConfig(**{**TINY, **options})).requires_grad_(False)
        for parameter in model.parameters():
            parameter.data.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


def _same_network(model: Any) -> Hubert:
    config = {**model.config.to_dict(), "sample_rate": 24000}
    names = [field.name for field in dataclasses.fields(HubertShape) if field.name in config]
    shape = from_mapping(HubertShape, {name: config[name] for name in names}, "test")
    weights = {
        name.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): weight
        for name, weight in model.state_dict().items()
        if name != "masked_spec_embed"
    }
    assert {name: tuple(weight.shape) for name, weight in weights.items()} == weight_sizes(shape)
    return Hubert(shape, weights)


def _noise(clips: int, samples: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(clips, samples, generator=torch.Generator().manual_seed(seed))


def _outputs(model: Any, audio: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    outputs = model(audio, output_hidden_states=True)
    return torch.stack(outputs.hidden_states, dim=1), outputs.last_hidden_state


@pytest.mark.parametrize("case", CASES)
def test_hidden_states_are_the_official_ones(case: str) -> None:
    encoder = load_mert(
        name=case,
        path=str(DATA / case),
        hub=None,
        revision=None,
        precision="float32",
        normalise=True,
        random=None,
        device="cpu",
    )
    official = np.load(DATA / case / "io.npz")

    states = encoder.hidden_states(torch.from_numpy(official["normalised"]))

    assert states.shape == official["hidden_states"].shape
    difference = np.abs(states.numpy() - official["hidden_states"])
    assert difference.max() < 1e-5


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"feat_extract_norm": "layer", "conv_bias": True},
        {"conv_bias": True, "feat_proj_layer_norm": False},
        {"num_conv_pos_embeddings": 9, "hidden_act": "gelu_new"},
        {"feat_extract_activation": "relu", "hidden_act": "silu", "layer_norm_eps": 1e-2},
    ],
)
def test_post_norm_network_agrees_with_transformers(options: dict[str, Any]) -> None:
    model = _random_model(**options)
    audio = _noise(2, 6000)

    states = _same_network(model).hidden_states(audio)

    expected, _ = _outputs(model, audio)
    torch.testing.assert_close(states, expected, rtol=0, atol=1e-5)


def test_pre_norm_network_ends_with_the_norm_that_transformers_leaves_out() -> None:
    model = _random_model(do_stable_layer_norm=True, feat_extract_norm="layer")
    audio = _noise(2, 6000)

    states = _same_network(model).hidden_states(audio)

    expected, last = _outputs(model, audio)
    torch.testing.assert_close(states[:, :-1], expected[:, :-1], rtol=0, atol=1e-5)
    torch.testing.assert_close(states[:, -1], last, rtol=0, atol=1e-5)


def test_digital_silence_agrees_with_transformers() -> None:
    model = _random_model()
    silence = torch.zeros(1, 4000)

    states = _same_network(model).hidden_states(silence)

    torch.testing.assert_close(states, _outputs(model, silence)[0], rtol=0, atol=1e-5)


def test_a_quiet_clip_beside_an_offset_keeps_its_precision() -> None:
    # The variance over time comes from a second moment: a mean 1,000 times as large as the
    # signal would eat a naive one. The reference is transformers in double precision.
    model = _random_model()
    audio = 1.0 + 1e-3 * _noise(1, 4000)

    states = _same_network(model).hidden_states(audio)

    expected, _ = _outputs(model.double(), audio.double())
    torch.testing.assert_close(states.double(), expected, rtol=0, atol=2e-3)


def test_clips_do_not_depend_on_the_others_in_the_batch() -> None:
    network = _same_network(_random_model())
    audio = _noise(3, 9000) * torch.tensor([[1.0], [100.0], [0.01]])

    together = network.hidden_states(audio)

    alone = torch.cat([network.hidden_states(clip) for clip in audio.chunk(3)])
    torch.testing.assert_close(together, alone, rtol=0, atol=5e-6)


def test_threads_that_share_a_network_get_the_same_as_alone() -> None:
    network = _same_network(_random_model())
    clips = [_noise(1, 9000, seed) for seed in range(4)]
    found: dict[int, torch.Tensor] = {}

    def encode(at: int) -> None:
        torch.set_num_threads(1)
        for _ in range(3):
            found[at] = network.hidden_states(clips[at])

    threads = [threading.Thread(target=encode, args=(at,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for at, clip in enumerate(clips):
        torch.testing.assert_close(found[at], network.hidden_states(clip), rtol=0, atol=5e-6)


def test_minimum_samples_give_one_frame() -> None:
    network = _same_network(_random_model())
    # (((((1 - 1) * 2 + 2 - 1) * 2 + 2 - 1) * 2 + 3 ...: 2, 4, 9, 19, 39, 79, 400
    assert network.shape.minimum_samples == 400

    assert network.hidden_states(_noise(1, 400)).shape == (1, 3, 1, 24)


@pytest.mark.parametrize("samples", [0, 399, 400, 719, 720, 24000, 720000])
def test_frames_are_those_of_torchs_convolutions(samples: int) -> None:
    shape = _same_network(_random_model()).shape
    signal = torch.zeros(1, 1, samples)
    for kernel, stride in zip(shape.conv_kernel, shape.conv_stride, strict=True):
        if signal.shape[2] < kernel:
            signal = signal[:, :, :0]
            break
        signal = torch.nn.functional.max_pool1d(signal, kernel, stride)

    assert shape.frames(samples) == signal.shape[2]


def test_hidden_states_may_be_trained_on() -> None:
    states = _same_network(_random_model()).hidden_states(_noise(1, 4000))
    weight = torch.ones(24, requires_grad=True)

    (gradient,) = torch.autograd.grad((states * weight).sum(), weight)

    torch.testing.assert_close(gradient, states.sum(dim=(0, 1, 2)), rtol=1e-4, atol=1e-4)


def test_convolution_agrees_with_conv1d() -> None:
    x, weight, bias = _noise(2, 300).view(2, 50, 6), _noise(8, 9).view(8, 3, 3), _noise(1, 8)[0]

    convolved = convolve(x, weight, bias, stride=2, padding=1, groups=2)

    expected = torch.nn.functional.conv1d(
        x.transpose(1, 2), weight, bias, stride=2, padding=1, groups=2
    )
    torch.testing.assert_close(convolved, expected.transpose(1, 2), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_attention_heads": 5}, "'num_attention_heads' must divide 'hidden_size'"),
        ({"conv_stride": [5, 2]}, "must have the same length"),
        ({"deepnorm": True, "do_stable_layer_norm": True}, "'deepnorm' must not stand beside"),
        ({"feature_extractor_cqt": True}, "must go with convolutions of 50 frames a second"),
        ({"hidden_act": "gelo"}, "Did you mean 'gelu'"),
    ],
)
def test_shapes_that_cannot_be_are_refused(changes: dict[str, Any], message: str) -> None:
    shape = dataclasses.asdict(_same_network(_random_model()).shape)

    with pytest.raises(SpecError, match=message):
        from_mapping(HubertShape, {**shape, **changes}, "config.json")


def test_cqt_and_shape_must_agree() -> None:
    network = _same_network(_random_model())

    with pytest.raises(ValueError, match="cqt must be given where, and only where"):
        Hubert(network.shape, {}, cqt=lambda audio: audio)
