"""MuQ and MusicFM: the package's own hidden states, and checkpoints that do not fit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from marble_eval.encoders import Encoder
from marble_eval.encoders.loaded import LoadedEncoder
from marble_eval.encoders.muq import load_muq, load_musicfm, read_conformer
from marble_eval.encoders.networks.conformer import Conformer
from marble_eval.errors import MissingError, SpecError
from marble_eval.spec import EncoderCard

DATA = Path(__file__).parents[1] / "data" / "muq"
LIKE = DATA / "muq-25hz-like"
CARD = EncoderCard(licence="cc-by-nc-4.0", trained_on="Million Song Dataset")


def load(path: Path | None, **options: Any) -> LoadedEncoder:
    defaults: dict[str, Any] = {
        "name": "MuQ",
        "path": None if path is None else str(path),
        "hub": "OpenMuQ/MuQ-large-msd-iter",
        "revision": None,
        "precision": "float32",
        "random": None,
        "card": CARD,
        "device": "cpu",
    }
    return load_muq(**{**defaults, **options})


def noise(clips: int, samples: int) -> torch.Tensor:
    return 0.1 * torch.randn(clips, samples, generator=torch.Generator().manual_seed(0))


def change_config(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


def change_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors")


@pytest.mark.parametrize(("case", "rate"), [("muq-25hz-like", 25.0), ("muq-50hz-like", 50.0)])
def test_hidden_states_are_those_of_the_package(case: str, rate: float) -> None:
    encoder = load(DATA / case)
    official = np.load(DATA / case / "io.npz")

    states = encoder.hidden_states(torch.from_numpy(official["audio"]))

    assert encoder.frame_rate == rate
    assert states.shape == official["hidden_states"].shape
    assert np.abs(states.numpy() - official["hidden_states"]).max() < 1e-5


def test_a_checkpoint_is_an_encoder() -> None:
    encoder = load(LIKE)

    assert isinstance(encoder, Encoder)
    assert (encoder.sample_rate, encoder.width) == (24000, 16)
    assert list(encoder.layers) == ["0", "1", "2"]
    assert (encoder.name, encoder.card.licence) == ("muq-25hz-like", "not stated")
    assert encoder.normalise is False
    assert encoder.revision.startswith("local-")
    assert load(LIKE, name="other").fingerprint() == encoder.fingerprint()
    assert load(LIKE, precision="bfloat16").fingerprint() != encoder.fingerprint()
    assert load(DATA / "muq-50hz-like").fingerprint() != encoder.fingerprint()


def test_the_released_network_has_about_300_million_weights() -> None:
    # "~300M" in the package's README; 12 layers of width 1024 and two convolutions of 512 channels.
    statistics = {"stat": {"melspec_2048_mean": 6.77, "melspec_2048_std": 18.42}}
    with torch.device("meta"):
        network = Conformer(read_conformer(statistics, "test"))
    count = sum(weight.numel() for weight in network.parameters())
    assert count == 316_343_296


def test_the_shortest_clip_and_one_sample_less() -> None:
    encoder = load(LIKE)
    assert encoder.hidden_states(noise(1, 1025)).shape == (1, 3, 1, 16)
    with pytest.raises(ValueError, match=r"at least 1025 samples\. Got 1024"):
        encoder.hidden_states(noise(1, 1024))
    with pytest.raises(ValueError, match="audio must be float32"):
        encoder.hidden_states(noise(1, 2000).double())


def test_a_clip_does_not_depend_on_its_batch_and_silence_is_finite() -> None:
    encoder = load(LIKE)
    audio = torch.cat([noise(2, 12000), torch.zeros(1, 12000)])
    together = encoder.hidden_states(audio)
    apart = torch.cat([encoder.hidden_states(clip) for clip in audio.chunk(3)])
    torch.testing.assert_close(together, apart, rtol=0, atol=1e-5)
    assert torch.isfinite(together).all()
    assert together.shape[2] == 13  # 12000 / 240 = 50 → 25 → 13


def test_bfloat16_is_close() -> None:
    audio = noise(2, 24000)
    exact = load(LIKE).hidden_states(audio)
    rough = load(LIKE, precision="bfloat16").hidden_states(audio)
    assert rough.dtype == torch.float32
    assert 1e-5 < (rough - exact).norm() / exact.norm() < 0.03


def test_random_weights_are_those_of_the_seed(tmp_path: Path) -> None:
    shutil.copy(LIKE / "config.json", tmp_path)
    before = torch.random.get_rng_state()

    encoder = load(tmp_path, random=5, name="mine")

    assert torch.equal(torch.random.get_rng_state(), before)
    assert (encoder.name, encoder.revision) == ("mine (random 5)", "seed-5")
    assert encoder.card.trained_on == "nothing"
    assert load(tmp_path, random=5).fingerprint() == encoder.fingerprint()
    assert load(tmp_path, random=6).fingerprint() != encoder.fingerprint()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            lambda weights: weights.pop("model.conformer.layer_norm.bias"),
            MissingError,
            r"Missing: conformer\.layer_norm\.bias",
        ),
        (
            lambda weights: weights.update({"model.conformer.more": torch.zeros(2)}),
            SpecError,
            r"Unexpected: conformer\.more",
        ),
        (
            lambda weights: weights.update({"model.conv.linear.bias": torch.zeros(2)}),
            SpecError,
            r"conv\.linear\.bias \(2,\) torch\.float32 instead of \(16,\)",
        ),
    ],
)
def test_every_weight_is_accounted_for(
    change: Callable[[dict[str, torch.Tensor]], None],
    error: type[Exception],
    message: str,
    tmp_path: Path,
) -> None:
    folder = Path(shutil.copytree(LIKE, tmp_path / "checkpoint"))
    change_weights(folder, change)
    with pytest.raises(error, match=message):
        load(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"w2v2_config": {"hidden_act": "gelu"}}, "'hidden_act' of the conformer must be 'swish'"),
        ({"label_rate": 75}, "'label_rate' must be 25 or 50"),
        ({"stat": {}}, "melspec_2048_mean"),
        ({"encoder_dim": 15}, "'heads' must divide 'width'"),
    ],
)
def test_another_network_is_refused(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(LIKE, tmp_path / "checkpoint"))
    change_config(folder, **changes)
    with pytest.raises(SpecError, match=message):
        load(folder)


def test_what_is_not_here_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(hub: str, **options: Any) -> str:
        raise ConnectionError("no route to host")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    with pytest.raises(MissingError, match=r"hf download OpenMuQ/MuQ-large-msd-iter config\.json"):
        load(None)


# --- MusicFM ---


def load_fm(path: Path, **options: Any) -> LoadedEncoder:
    defaults: dict[str, Any] = {
        "name": "MusicFM-MSD",
        "path": str(path),
        "hub": "minzwon/MusicFM",
        "revision": None,
        "variant": "msd",
        "precision": "float32",
        "random": None,
        "device": "cpu",
    }
    return load_musicfm(**{**defaults, **options})


@pytest.fixture
def musicfm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A MusicFM in little: the sizes of the tiny MuQ stand for those its files do not tell."""
    weights = load_file(LIKE / "model.safetensors")
    config = json.loads((LIKE / "config.json").read_text())
    content = {"state_dict": weights, "epoch": 3, "hyper_parameters": {"lr": 0.1}}
    torch.save(content, tmp_path / "pretrained_msd.pt")
    (tmp_path / "msd_stats.json").write_text(json.dumps({**config["stat"], "cqt_mean": 0.5}))
    monkeypatch.setattr(
        "marble_eval.encoders.muq.read_conformer",
        lambda given, subject: read_conformer({**config, "stat": given["stat"]}, subject),
    )
    return tmp_path


def test_musicfm_is_the_same_network_from_other_files(musicfm: Path) -> None:
    audio = noise(1, 6000)
    encoder, like = load_fm(musicfm), load(LIKE)
    assert torch.equal(encoder.hidden_states(audio), like.hidden_states(audio))
    assert encoder.fingerprint() == like.fingerprint()

    changed = {"melspec_2048_mean": 0.0, "melspec_2048_std": 1.0}
    (musicfm / "msd_stats.json").write_text(json.dumps(changed))
    assert load_fm(musicfm).fingerprint() != encoder.fingerprint()


class _Touch:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_musicfm_that_would_run_code_is_refused(musicfm: Path) -> None:
    torch.save({"state_dict": {"a": _Touch(musicfm / "ran")}}, musicfm / "pretrained_msd.pt")
    with pytest.raises(MissingError, match="must be a whole file of tensors and nothing else"):
        load_fm(musicfm)
    assert not (musicfm / "ran").exists()


def test_an_unknown_variant_of_musicfm_is_refused(musicfm: Path) -> None:
    with pytest.raises(SpecError, match="'variant' must be msd or fma"):
        load_fm(musicfm, variant="msd2")
