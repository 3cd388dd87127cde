"""What every encoder must be: the shipped ones here, and whatever somebody brings.

Each config is held against the function it names. Encoders that need no weights are run
as they ship (a MERT with random weights in its small size), those that do from tiny
checkpoints in `tests/data/mert`.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from marble_eval.encoders import Encoder, facts_of, normalises
from marble_eval.registry import check_encoder, load_encoder
from marble_eval.registry.configuration import config_names, read_config
from marble_eval.spec import EncoderCard, from_mapping
from tests.encoders.encodec_checkpoints import TINY_STEREO, save_encodec
from tests.encoders.hear_modules import write_module

CONFIGS = config_names("encoder")
CHECKPOINTS = Path(__file__).parent / "data" / "mert"

#: How a config is made in little; a config without weights that is not here runs as it ships.
LITTLE: dict[str, dict[str, Any]] = {
    "hf": {"path": str(CHECKPOINTS.parent / "hubert" / "hubert-like")},
    "mert-random": {"size": "small"},
    "mert-v1-95m": {"path": str(CHECKPOINTS / "mert-v1-95m-like"), "name": "tiny"},
    "mert-v1-330m": {"path": str(CHECKPOINTS / "mert-v1-330m-like"), "name": "tiny"},
    "muq": {"path": str(CHECKPOINTS.parent / "muq" / "muq-25hz-like"), "name": "tiny"},
    "musicnn-msd": {"random": 1},
    "musicnn-mtt": {"random": 0},
}
#: What is written when it is needed (`_written`).
WRITTEN = ("encodec-24khz", "encodec-48khz", "hear")
RUNNABLE = [
    name
    for name in CONFIGS
    if name in (*LITTLE, *WRITTEN) or not read_config("encoder", name).get("hub")
]


@pytest.fixture(scope="module", autouse=True)
def _written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Make checkpoints of EnCodec, and a module that follows the HEAR API."""
    folder = tmp_path_factory.mktemp("little")
    for name, options in (("encodec-24khz", {}), ("encodec-48khz", TINY_STEREO)):
        save_encodec(folder / name, **options)
        LITTLE[name] = {"path": str(folder / name), "name": "tiny"}
    LITTLE["hear"] = {"module": write_module(folder, "hear_little")}
    sys.path.append(str(folder))
    yield
    sys.path.remove(str(folder))


def load(name: str, /, **options: Any) -> Encoder:
    return load_encoder(name, device="cpu", **{**LITTLE.get(name, {}), **options})


@pytest.fixture(scope="module", params=RUNNABLE)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def encoder(name: str) -> Encoder:
    return load(name)


def noise(encoder: Encoder, seconds: float = 2.0, batch: int = 3) -> torch.Tensor:
    """Return reproducible clips, with all that a clip may hold: level, silence, full scale."""
    rng = np.random.default_rng(5)
    samples = round(seconds * encoder.sample_rate)
    clips = 0.1 * rng.standard_normal((batch, samples))
    clips[1] *= np.linspace(0.0, 1.0, samples)
    clips[-1] = np.sign(np.sin(np.arange(samples) * 0.05))
    return torch.from_numpy(clips.astype(np.float32))


# --- configs ---


@pytest.mark.parametrize("config", CONFIGS)
def test_a_config_gives_every_argument_of_its_function(config: str) -> None:
    values = read_config("encoder", config)
    values.pop("card")
    module, _, function = str(values.pop("target")).partition(":")
    parameters = inspect.signature(getattr(import_module(module), function)).parameters
    assert set(values) <= set(parameters)
    # The device comes from the engine, the card from its block; all else is written down.
    assert set(parameters) - {"device", "card"} == set(values)


@pytest.mark.parametrize("config", CONFIGS)
def test_a_card_states_licence_training_data_and_citation(config: str) -> None:
    values = read_config("encoder", config)["card"]
    assert all(values[each] for each in ("licence", "trained_on", "citation"))
    from_mapping(EncoderCard, values, config)


@pytest.mark.parametrize("config", CONFIGS)
def test_a_config_opens_with_what_it_is(config: str) -> None:
    path = Path(__file__).parents[1] / "configs" / "encoder" / f"{config}.yaml"
    assert path.read_text(encoding="utf-8").startswith("# ")


# --- the protocol ---


def test_some_encoders_run_without_weights() -> None:
    assert {"mel", "mert-random"} <= set(RUNNABLE)


def test_it_is_an_encoder(encoder: Encoder, name: str) -> None:
    assert isinstance(encoder, Encoder)
    check_encoder(encoder, name)
    assert encoder.name
    assert isinstance(encoder.sample_rate, int) and encoder.sample_rate > 0
    assert isinstance(encoder.frame_rate, float) and encoder.frame_rate > 0
    assert isinstance(encoder.width, int) and encoder.width > 0
    assert len(set(encoder.layers)) == len(encoder.layers) > 0
    assert all(isinstance(each, str) and each for each in encoder.layers)
    for protocol in config_names("protocol"):
        assert isinstance(normalises(encoder, protocol), bool)


def test_what_it_may_say_has_its_type(encoder: Encoder) -> None:
    facts = {"revision": str, "minimum_samples": int, "parameters": int}
    for fact, kind in facts.items():
        assert isinstance(getattr(encoder, fact, kind()), kind)


def test_hidden_states_have_their_axes(encoder: Encoder) -> None:
    states = encoder.hidden_states(noise(encoder))
    assert states.shape[0] == 3
    assert states.shape[1] == len(encoder.layers)
    assert states.shape[3] == encoder.width
    assert states.is_floating_point()
    assert not states.requires_grad


@pytest.mark.parametrize("seconds", [0.5, 1.0, 3.0])
def test_frames_come_at_the_frame_rate(encoder: Encoder, seconds: float) -> None:
    frames = encoder.hidden_states(noise(encoder, seconds)).shape[2]
    assert frames == pytest.approx(seconds * encoder.frame_rate, abs=2)


def test_the_same_audio_gives_the_same_numbers(encoder: Encoder, name: str) -> None:
    audio = noise(encoder)
    first = encoder.hidden_states(audio)
    assert torch.equal(encoder.hidden_states(audio), first)
    assert torch.equal(load(name).hidden_states(audio), first)


def test_a_batch_is_its_clips_one_by_one(encoder: Encoder) -> None:
    audio = noise(encoder)
    together = encoder.hidden_states(audio)
    apart = torch.cat([encoder.hidden_states(clip[None]) for clip in audio])
    scale = together.abs().amax(dim=(0, 2, 3), keepdim=True)
    assert float(((together - apart) / scale).abs().max()) < 1e-5


def test_clips_do_not_hear_each_other(encoder: Encoder) -> None:
    audio = noise(encoder)
    other = audio.clone()
    other[1:] = 0.5
    torch.testing.assert_close(
        encoder.hidden_states(audio)[0], encoder.hidden_states(other)[0], rtol=1e-5, atol=1e-5
    )


def test_different_clips_give_different_numbers_in_every_layer(encoder: Encoder) -> None:
    means = encoder.hidden_states(noise(encoder)).mean(dim=2)
    for layer in range(means.shape[1]):
        assert not torch.allclose(means[0, layer], means[2, layer], rtol=1e-3)


def test_nothing_becomes_nan(encoder: Encoder) -> None:
    samples = encoder.sample_rate
    clips = torch.zeros(5, samples)
    clips[1, samples // 2] = 1.0
    clips[2] = 1.0
    clips[3] = torch.sign(noise(encoder, 1.0)[0])
    clips[4] = 1e-8
    assert torch.isfinite(encoder.hidden_states(clips)).all()
    for clip in clips:
        assert torch.isfinite(encoder.hidden_states(clip[None])).all()


def test_its_shortest_input_gives_a_frame(encoder: Encoder) -> None:
    shortest = getattr(encoder, "minimum_samples", 1)
    audio = noise(encoder)[:, :shortest].contiguous()
    assert encoder.hidden_states(audio).shape[2] >= 1


@pytest.mark.parametrize("audio", [torch.zeros(24000), torch.zeros(1, 24000, dtype=torch.int16)])
def test_audio_of_another_form_is_refused(encoder: Encoder, audio: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"audio must be float32 of shape \(batch, samples\)"):
        encoder.hidden_states(audio)


def test_a_clip_too_short_is_refused(encoder: Encoder) -> None:
    shortest = facts_of(encoder).minimum_samples
    with pytest.raises(ValueError, match=f"at least {shortest} samples. Got {shortest - 1}"):
        encoder.hidden_states(torch.zeros(1, shortest - 1))


def test_it_leaves_its_input_and_the_random_state_alone(encoder: Encoder, name: str) -> None:
    audio = noise(encoder)
    before, kept = torch.get_rng_state(), audio.clone()
    numpy_before = repr(np.random.get_state())
    encoder.hidden_states(audio)
    load(name)
    assert torch.equal(audio, kept)
    assert torch.equal(torch.get_rng_state(), before)
    assert repr(np.random.get_state()) == numpy_before


# --- fingerprints ---


def test_the_fingerprint_stays(encoder: Encoder, name: str) -> None:
    first = encoder.fingerprint()
    encoder.hidden_states(noise(encoder, 0.5))
    assert encoder.fingerprint() == first == load(name).fingerprint()
    assert first and isinstance(first, str)


def test_a_name_is_no_part_of_the_fingerprint(encoder: Encoder, name: str) -> None:
    other = load(name, name="another name")
    assert other.name.startswith("another name")  # a random twin's ends in its seed
    assert other.fingerprint() == encoder.fingerprint()


def test_every_option_that_changes_the_numbers_changes_the_fingerprint(
    encoder: Encoder, name: str
) -> None:
    """Numbers are raised by one, precisions lowered; the sizes of random networks are left out."""
    options = {**read_config("encoder", name), **LITTLE.get(name, {})}
    changes: dict[str, Any] = {
        option: value + 1
        for option, value in options.items()
        if isinstance(value, int) and not isinstance(value, bool)
    }
    if options.get("random", 0) is None:
        changes["random"] = 7
    if "precision" in options:
        changes["precision"] = "bfloat16"
    if name == "hear":
        folder = Path(str(sys.modules["hear_little"].__file__)).parent
        changes["module"] = write_module(folder, "hear_other", ("HOP = 400, 200", "HOP = 400, 160"))
    assert changes
    prints = {encoder.fingerprint()}
    for option, value in changes.items():
        prints.add(load(name, **{option: value}).fingerprint())
    assert len(prints) == len(changes) + 1
