"""The HEAR adapter against a module on disk whose functions are called directly."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from marble_eval.encoders import Encoder
from marble_eval.encoders.hear import load_hear
from marble_eval.encoders.loaded import LoadedEncoder
from marble_eval.errors import MissingError, SpecError
from tests.encoders.hear_modules import write_module

Write = Callable[..., str]
_NUMBERS = itertools.count()


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a module of a name that no other test has."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return lambda *changes: write_module(tmp_path, f"hear_trial_{next(_NUMBERS)}", *changes)


def _load(module: str, **options: Any) -> LoadedEncoder:
    return load_hear(
        **{"name": None, "module": module, "weights": None, "device": "cpu", **options}
    )


def _noise(clips: int, samples: int) -> torch.Tensor:
    return 0.1 * torch.randn(clips, samples, generator=torch.Generator().manual_seed(0))


def test_the_layers_are_what_the_functions_return(write: Write) -> None:
    name = write()
    encoder, audio = _load(name), _noise(2, 8000)
    states = encoder.hidden_states(audio)
    module = import_module(name)
    model = module.load_model().eval()
    with torch.no_grad():
        embeddings, _ = module.get_timestamp_embeddings(audio, model)
        scenes = module.get_scene_embeddings(audio, model)
    assert states.shape == (2, 2, 41, 9)
    assert torch.equal(states[:, 0, :, :6], embeddings)
    assert (states[:, 0, :, 6:] == 0).all()  # columns behind the layer's width
    assert torch.equal(states[:, 1], scenes[:, None].expand(-1, 41, -1))


def test_it_is_an_encoder(write: Write) -> None:
    name = write()
    encoder = _load(name)
    assert isinstance(encoder, Encoder)
    assert encoder.name == name
    assert list(encoder.layers) == ["timestamp", "scene"]
    assert (encoder.sample_rate, encoder.width, encoder.minimum_samples) == (16000, 9, 200)
    assert encoder.parameters == (201 + 1) * 6 + (6 + 1) * 9
    assert encoder.hidden_states(_noise(1, 200)).shape[2] == 2


def test_the_frame_rate_is_that_of_the_timestamps(write: Write) -> None:
    assert _load(write()).frame_rate == 80.0  # a hop of 200 at 16 kHz: 12.5 ms
    # 44.1 kHz: a hop of 4.535 ms, in the single precision of the timestamps.
    other = _load(write(("sample_rate = 16000", "sample_rate = 44100")))
    assert other.frame_rate == pytest.approx(220.5, rel=1e-6)


def test_timestamps_of_whole_milliseconds_are_taken(write: Write) -> None:
    rounded = _load(
        write(("    return model.dropout", "    times = times.round()\n    return model.dropout"))
    )
    assert rounded.frame_rate == pytest.approx(80, rel=1e-3)
    assert rounded.hidden_states(_noise(1, 3000)).shape[2] == 16


def test_weights_are_handed_to_load_model(write: Write, tmp_path: Path) -> None:
    name = write()
    state = import_module(name).load_model().state_dict()
    state["linear.bias"] += 1
    torch.save(state, tmp_path / "weights.pt")
    own, given = _load(name), _load(name, weights=str(tmp_path / "weights.pt"))
    audio = _noise(1, 4000)
    difference = given.hidden_states(audio)[:, 0, :, :6] - own.hidden_states(audio)[:, 0, :, :6]
    torch.testing.assert_close(difference, torch.ones_like(difference))
    assert given.fingerprint() != own.fingerprint()
    assert given.revision != own.revision


def test_a_line_of_its_source_changes_the_fingerprint(write: Write) -> None:
    first, same, other = write(), write(), write(("1e-4", "1e-5"))
    assert _load(first).fingerprint() == _load(same, name="another").fingerprint()
    assert _load(first).fingerprint() != _load(other).fingerprint()
    assert _load(same).revision == _load(other).revision  # the weights are the same


def test_every_file_of_a_package_is_in_the_fingerprint(write: Write, tmp_path: Path) -> None:
    package = tmp_path / "hear_trial_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (tmp_path / f"{write()}.py").rename(package / "inner.py")
    before = _load("hear_trial_package.inner").fingerprint()
    (package / "other.py").write_text("LEVEL = 1\n")
    assert _load("hear_trial_package.inner").fingerprint() != before


def test_random_state_is_given_back(write: Write) -> None:
    draws = "    torch.rand(1), __import__('numpy').random.rand()\n    return model.scene"
    name = write(("    return model.scene", draws))
    before, numpy_before = torch.get_rng_state(), repr(np.random.get_state())
    _load(name).hidden_states(_noise(1, 3000))
    assert torch.equal(torch.get_rng_state(), before)
    assert repr(np.random.get_state()) == numpy_before


def test_a_module_that_draws_gives_the_same_numbers_again(write: Write) -> None:
    encoder = _load(write(("+ 1e-4)", "+ 1e-4) + torch.randn(1)")))
    audio = _noise(1, 3000)
    assert torch.equal(encoder.hidden_states(audio), encoder.hidden_states(audio))


def test_a_module_that_changes_its_input_changes_a_copy(write: Write) -> None:
    encoder = _load(write(("    padded =", "    audio.mul_(0)\n    padded =")))
    audio = _noise(1, 3000)
    kept = audio.clone()
    encoder.hidden_states(audio)
    assert torch.equal(audio, kept)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("def get_scene_embeddings", "def scenes"), "Missing: get_scene_embeddings"),
        (("    return model\n", "    return 5\n"), "must return a torch.nn.Module. Got int"),
        (("sample_rate = 16000", "rate = 16000"), "'sample_rate' must be a positive integer"),
        (
            ("    return model\n", "    model.scene_embedding_size = 9.0\n    return model\n"),
            r"9\.0",
        ),
        (("(spectra)), times.expand(len(audio), -1)", "(spectra))"), "embeddings and timestamps"),
        (("times.expand(len(audio), -1)", "times"), r"shape \(1, 321\) of the embeddings"),
        (("* (1000 *", "** 1.1 * (1000 *"), "must rise by equal steps"),
        (("times.expand", "times.flip(0).expand"), "must rise by equal steps"),
        (("model.linear(spectra)", "spectra"), r"of shape \(1, timestamps, 6\). Got \(1, 321, 201"),
        ((".mean(dim=1))", ")"), r"of shape \(1, 9\). Got \(1, 321, 9\)"),
        (("return model.scene(", "return list("), "must return a tensor of float32. Got list"),
    ],
)
def test_what_breaks_the_api_is_refused_by_its_rule(
    write: Write, change: tuple[str, str], message: str
) -> None:
    name = write(change)
    with pytest.raises(SpecError, match=message) as caught:
        _load(name)
    assert name in str(caught.value)
    assert "https://hearbenchmark.com/hear-api.html" in str(caught.value)


def test_another_step_in_another_clip_is_refused(write: Write) -> None:
    slower = "torch.arange(frames.shape[1]) * (1 if audio.shape[1] > 60000 else 2)"
    encoder = _load(write(("torch.arange(frames.shape[1])", slower)))
    with pytest.raises(SpecError, match=r"the step of other clips, 12\.5 ms\. Got 25 ms"):
        encoder.hidden_states(_noise(1, 8000))


@pytest.mark.parametrize("module", [None, "", ".relative", 5])
def test_no_module_is_refused_with_what_to_write(module: Any) -> None:
    with pytest.raises(SpecError, match=r"encoder\.module=hearbaseline\.naive"):
        _load(module)


def test_a_module_that_is_not_there_is_missing() -> None:
    with pytest.raises(
        MissingError, match=r"hear_nowhere: must be a module .* Install its package"
    ):
        _load("hear_nowhere")


def test_weights_that_are_not_there_are_missing(write: Write, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"weights\.pt: must be the weights of hear_trial"):
        _load(write(), weights=str(tmp_path / "weights.pt"))


def test_importing_the_adapter_imports_no_module() -> None:
    assert "hearbaseline" not in sys.modules
