"""Checkpoints: what is read, what is refused, and what a message says of it."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file
from transformers import HubertConfig, HubertModel

from marble_eval.encoders import Encoder, normalises
from marble_eval.encoders.loaded import LoadedEncoder
from marble_eval.encoders.mert import load_mert, random_mert
from marble_eval.errors import MissingError, SpecError
from marble_eval.spec import EncoderCard

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data" / "mert"
CONFIGS = ROOT / "configs" / "encoder"
REMEDY = (
    "hf download m-a-p/MERT-v1-95M config.json preprocessor_config.json pytorch_model.bin "
    "--local-dir DIR\n  marble-eval run ... encoder=mert-v1-95m encoder.path=DIR"
)


def _load(path: Path | str | None, **options: Any) -> LoadedEncoder:
    defaults: dict[str, Any] = {
        "name": "MERT-v1-95M",
        "path": None if path is None else str(path),
        "hub": "m-a-p/MERT-v1-95M",
        "revision": None,
        "precision": "float32",
        "normalise": True,
        "random": None,
        "card": EncoderCard(licence="cc-by-nc-4.0"),
        "device": "cpu",
    }
    return load_mert(**{**defaults, **options})


def _copy(tmp_path: Path, case: str = "mert-v1-95m-like") -> Path:
    return Path(shutil.copytree(DATA / case, tmp_path / "checkpoint"))


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    weights: dict[str, torch.Tensor] = torch.load(folder / "pytorch_model.bin", weights_only=True)
    return weights


def _change_config(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    kept = {name: value for name, value in {**config, **changes}.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(kept))


def _noise(clips: int, samples: int) -> torch.Tensor:
    return torch.randn(clips, samples, generator=torch.Generator().manual_seed(0))


def test_a_checkpoint_is_an_encoder() -> None:
    encoder = _load(DATA / "mert-v1-95m-like", normalise={"marble-v1": False, "marble-v2": True})

    assert isinstance(encoder, Encoder)
    assert encoder.name == "mert-v1-95m-like"  # its weights are not proven to be the released
    assert encoder.sample_rate == 24000
    assert encoder.frame_rate == 75.0
    assert list(encoder.layers) == ["0", "1", "2", "3"]
    assert encoder.width == 32
    assert encoder.minimum_samples == 400
    assert encoder.card.licence == "not stated"
    assert encoder.device == torch.device("cpu")
    assert not normalises(encoder, "marble-v1")
    assert normalises(encoder, "marble-v2")
    stored = _weights(DATA / "mert-v1-95m-like")
    assert encoder.parameters == sum(each.numel() for each in stored.values()) - 32  # mask


def test_safetensors_and_the_newer_weight_norm_give_the_same_encoder(tmp_path: Path) -> None:
    folder = _copy(tmp_path)
    original, audio = _load(folder), _noise(1, 4000)
    weights = _weights(folder)
    stem = "encoder.pos_conv_embed.conv"
    weights[f"{stem}.parametrizations.weight.original0"] = weights.pop(f"{stem}.weight_g")
    weights[f"{stem}.parametrizations.weight.original1"] = weights.pop(f"{stem}.weight_v")
    save_file(weights, folder / "model.safetensors")
    (folder / "pytorch_model.bin").unlink()

    encoder = _load(folder)

    assert encoder.fingerprint() == original.fingerprint()
    assert encoder.revision == original.revision
    assert torch.equal(encoder.hidden_states(audio), original.hidden_states(audio))


def test_one_changed_weight_is_another_fingerprint_and_revision(tmp_path: Path) -> None:
    folder = _copy(tmp_path)
    before = _load(folder)
    weights = _weights(folder)
    weights["encoder.layers.1.attention.k_proj.bias"][3] += 1e-6
    torch.save(weights, folder / "pytorch_model.bin")

    after = _load(folder)

    assert after.fingerprint() != before.fingerprint()
    assert after.revision != before.revision
    assert after.revision.startswith("local-")
    assert len(after.revision) == len("local-") + 12


def test_config_and_precision_are_in_the_fingerprint_and_the_name_is_not(tmp_path: Path) -> None:
    folder = _copy(tmp_path)
    plain = _load(folder)

    assert (
        _load(folder, name="other", card=EncoderCard(licence="mit")).fingerprint()
        == plain.fingerprint()
    )
    assert _load(folder, precision="bfloat16").fingerprint() != plain.fingerprint()
    _change_config(folder, deepnorm=True)
    assert _load(folder).fingerprint() != plain.fingerprint()


def test_names_left_out_of_the_config_have_their_defaults(tmp_path: Path) -> None:
    folder = _copy(tmp_path)
    whole = _load(folder)
    left_out = ["layer_norm_eps", "hidden_act", "conv_bias", "deepnorm", "feature_extractor_cqt"]
    left_out += ["attention_relax", "feat_proj_layer_norm", "sample_rate"]
    _change_config(folder, **dict.fromkeys(left_out))

    encoder = _load(folder)  # the sample rate stands in preprocessor_config.json, too

    assert encoder.sample_rate == 24000
    assert encoder.fingerprint() == whole.fingerprint()


@pytest.mark.parametrize(("precision", "tolerance"), [("bfloat16", 0.02), ("float16", 0.003)])
def test_smaller_precisions_come_close_and_return_float32(precision: str, tolerance: float) -> None:
    official = np.load(DATA / "mert-v1-330m-like" / "io.npz")

    states = _load(DATA / "mert-v1-330m-like", precision=precision).hidden_states(
        torch.from_numpy(official["normalised"])
    )

    assert states.dtype == torch.float32
    difference = states.numpy() - official["hidden_states"]
    relative = np.linalg.norm(difference) / np.linalg.norm(official["hidden_states"])
    assert 0 < relative < tolerance


def test_derived_and_training_weights_are_passed_over(tmp_path: Path) -> None:
    folder = _copy(tmp_path, "mert-v0-cqt-like")
    before = _load(folder)
    weights = _weights(folder)
    weights["feature_extractor_cqt.cqt_kernels_real"] = torch.zeros(84, 1, 16)
    del weights["masked_spec_embed"]
    torch.save(weights, folder / "pytorch_model.bin")

    assert _load(folder).fingerprint() == before.fingerprint()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            lambda weights: weights.pop("encoder.layers.2.layer_norm.bias"),
            MissingError,
            r"Missing: encoder\.layers\.2\.layer_norm\.bias\.",
        ),
        (
            lambda weights: weights.update(lm_head=torch.zeros(2)),
            SpecError,
            r"Unexpected: lm_head\.",
        ),
        (
            lambda weights: weights.update({"encoder.layer_norm.bias": torch.zeros(31)}),
            SpecError,
            r"encoder\.layer_norm\.bias \(31,\) torch\.float32 instead of \(32,\)",
        ),
        (
            lambda weights: weights.update({"encoder.layer_norm.bias": torch.zeros(32).int()}),
            SpecError,
            r"encoder\.layer_norm\.bias \(32,\) torch\.int32",
        ),
        (lambda weights: weights.clear(), MissingError, r"conv_layers.* and 6[0-9] more"),
    ],
)
def test_every_weight_is_accounted_for(
    tmp_path: Path,
    change: Callable[[dict[str, torch.Tensor]], object],
    error: type[Exception],
    message: str,
) -> None:
    folder = _copy(tmp_path)
    weights = _weights(folder)
    change(weights)
    torch.save(weights, folder / "pytorch_model.bin")

    with pytest.raises(error, match=message) as caught:
        _load(folder)

    assert str(caught.value).startswith(str(folder / "pytorch_model.bin"))


def test_a_prefix_is_not_stripped_in_silence(tmp_path: Path) -> None:
    folder = _copy(tmp_path)
    weights = {f"mert_model.{name}": weight for name, weight in _weights(folder).items()}
    torch.save(weights, folder / "pytorch_model.bin")

    with pytest.raises(MissingError, match=r"Missing: feature_extractor\.conv_layers\.0"):
        _load(folder)


def _truncate(folder: Path) -> None:
    whole = (folder / "pytorch_model.bin").read_bytes()
    (folder / "pytorch_model.bin").write_bytes(whole[: len(whole) // 2])


def _half_safetensors(folder: Path) -> None:
    save_file(_weights(folder), folder / "model.safetensors")
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])


def _code(folder: Path) -> None:
    torch.save({"weights": os.getcwd}, folder / "pytorch_model.bin")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (shutil.rmtree, "must be the folder of a checkpoint"),
        (lambda folder: (folder / "config.json").unlink(), "must be a JSON file"),
        (lambda folder: (folder / "config.json").write_text('{"model_'), "must be a JSON file"),
        (lambda folder: (folder / "config.json").write_text("[]"), "must hold names and values"),
        (lambda folder: _change_config(folder, model_type="wav2vec2"), "Got 'wav2vec2'"),
        (lambda folder: (folder / "pytorch_model.bin").unlink(), "in one piece"),
        (lambda folder: (folder / "pytorch_model.bin").write_bytes(b""), "a whole file of tensors"),
        (_truncate, "a whole file of tensors"),
        (_half_safetensors, "a whole file of tensors"),
        (_code, "a whole file of tensors"),
        (
            lambda folder: torch.save({"step": 3}, folder / "pytorch_model.bin"),
            "must hold tensors by name",
        ),
    ],
)
def test_a_damaged_checkpoint_names_itself_and_the_commands_that_get_it(
    tmp_path: Path, damage: Callable[[Path], object], message: str
) -> None:
    folder = _copy(tmp_path)
    damage(folder)

    with pytest.raises(MissingError, match=message) as caught:
        _load(folder)

    assert caught.value.exit_code == 3
    assert str(caught.value).startswith(str(folder))
    assert str(caught.value).endswith(REMEDY)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_act": "quick_gelu"}, "'hidden_act' must be one of gelu"),
        ({"feat_extract_activation": "tanh"}, "'feat_extract_activation' must be one of gelu"),
        ({"feat_extract_norm": "batch"}, "'feat_extract_norm' must be one of group, layer"),
        ({"conv_pos_batch_norm": True}, "'conv_pos_batch_norm' must be left out. Got True"),
        ({"adapter_attn_dim": 16}, "'adapter_attn_dim' must be left out. Got 16"),
        ({"hidden_size": "32"}, "'hidden_size' must be of type int"),
        ({"sample_rate": 16000}, "must agree on the sample rate. Got 16000 and 24000"),
    ],
)
def test_a_config_for_another_network_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    folder = _copy(tmp_path)
    _change_config(folder, **changes)

    with pytest.raises(SpecError, match=message) as caught:
        _load(folder)

    assert str(caught.value).startswith(str(folder))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "bfloat"}, r"'precision' must be known\. .*Did you mean 'bfloat16'"),
        ({"device": "gpu"}, "'device' must be auto, cpu, cuda or cuda:N. Got 'gpu'"),
        ({"normalise": "yes"}, "'normalise' must be true, false"),
        ({"normalise": {"quick": 1}}, "'normalise' must be true, false"),
        ({"revision": "main"}, "'revision' must be null beside 'path'"),
        ({"path": None, "hub": None}, "'path' or 'hub' must be given"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        _load(**{"path": DATA / "mert-v1-95m-like", **options})


OFFLINE = """
import socket, sys

def refuse(*arguments, **options):
    raise SystemExit("a socket was opened")

socket.socket.connect = socket.socket.connect_ex = socket.create_connection = refuse
socket.getaddrinfo = refuse
from marble_eval.encoders.mert import load_mert
from marble_eval.errors import MissingError

def load(name):
    return load_mert(name=name, path=None, hub=f"m-a-p/{name}", revision=None,
                     precision="float32", normalise=True, random=None, device="cpu")

print(load("MERT-v1-95M").revision)
try:
    load("MERT-v1-330M")
except MissingError as error:
    print(error)
"""


def test_offline_the_hubs_cache_is_read_and_no_socket_is_opened(tmp_path: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "hub" / "models--m-a-p--MERT-v1-95M"
    shutil.copytree(DATA / "mert-v1-95m-like", repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        environment.pop(name, None)

    done = subprocess.run(
        [sys.executable, "-c", OFFLINE],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    revision, _, message = done.stdout.strip().partition("\n")
    assert revision == commit
    assert message.startswith("m-a-p/MERT-v1-330M: must be in the hub's cache")
    assert message.endswith(REMEDY.replace("95M", "330M").replace("95m", "330m"))


def test_a_pinned_revision_is_in_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def unreachable(hub: str, **options: Any) -> str:
        asked.update(options, hub=hub)
        raise ConnectionError("no route\nto host")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)

    with pytest.raises(MissingError, match="Got ConnectionError: no route to host") as caught:
        _load(None, revision="abc123")

    assert "--local-dir DIR --revision abc123\n" in str(caught.value)
    assert asked["hub"] == "m-a-p/MERT-v1-95M"
    assert asked["revision"] == "abc123"
    assert set(asked["allow_patterns"]) == {
        *("config.json", "preprocessor_config.json"),
        *("model.safetensors", "pytorch_model.bin"),
    }


def test_random_weights_are_those_of_transformers_and_of_the_seed() -> None:
    state = torch.random.get_rng_state()
    encoder = random_mert(size="small", seed=3, precision="float32", device="cpu")
    assert torch.equal(torch.random.get_rng_state(), state)
    audio = _noise(1, 8000)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model: Any = HubertModel(
            HubertConfig(
                conv_dim=[128] * 7,
                hidden_size=192,
                num_hidden_layers=4,
                num_attention_heads=4,
                intermediate_size=768,
            )
        )
    with torch.no_grad():
        outputs = model.eval()(audio, output_hidden_states=True)
    expected = torch.stack(outputs.hidden_states, dim=1)

    torch.testing.assert_close(encoder.hidden_states(audio), expected, rtol=0, atol=1e-5)
    again = random_mert(size="small", seed=3, precision="float32", device="cpu")
    other = random_mert(size="small", seed=4, precision="float32", device="cpu")
    assert again.fingerprint() == encoder.fingerprint() != other.fingerprint()
    assert encoder.name == "mert-random-small"
    assert encoder.revision == "seed-3"
    assert encoder.normalise is True


def test_random_95m_has_the_shape_of_mert_v1_95m() -> None:
    encoder = random_mert(size="95M", seed=0, precision="float32", device="cpu")

    assert encoder.name == "mert-random-95M"
    assert encoder.parameters == 94_370_944  # HuBERT base without its mask embedding
    assert len(encoder.layers) == 13
    assert encoder.width == 768
    assert encoder.frame_rate == 75.0
    assert encoder.hidden_states(_noise(1, 4800)).shape == (1, 13, 14, 768)


def test_random_330m_has_the_shape_of_mert_v1_330m(monkeypatch: pytest.MonkeyPatch) -> None:
    # The weights are never made: the network is caught where they would be placed.
    caught: dict[str, Any] = {}

    def catch(**options: Any) -> None:
        caught.update(options)

    monkeypatch.setattr("marble_eval.encoders.mert._made", catch)
    with torch.device("meta"):
        random_mert(size="330M", seed=0, precision="float32", device="cpu")

    assert caught["shape"].do_stable_layer_norm
    assert caught["shape"].num_hidden_layers == 24
    assert caught["shape"].hidden_size == 1024
    # Convolutions 4,200,448, projection 526,336, position 8,389,760, norm 2,048, and 24 layers
    # of 4 * (1024 + 1) * 1024 + 2 * 2048 + 2 * 1024 * 4096 + 4096 + 1024 = 12,596,224 each.
    assert sum(weight.numel() for weight in caught["weights"].values()) == 315_427_968


def test_a_size_that_is_not_there_is_refused() -> None:
    with pytest.raises(SpecError, match=r"Got '95m'\. Did you mean '95M'"):
        random_mert(size="95m", seed=0, precision="float32")


@pytest.mark.parametrize("file", [*sorted(CONFIGS.glob("mert-*.yaml")), CONFIGS / "mel.yaml"])
def test_configs_are_what_their_targets_take(file: Path) -> None:
    config = yaml.safe_load(file.read_text())
    module, function = config.pop("target").split(":")
    target = getattr(importlib.import_module(module), function)

    taken = inspect.signature(target).parameters

    assert set(config) == set(taken) - {"device"}
    if function == "load_mert":
        assert config["hub"].rpartition("/")[2].lower() == file.stem
        assert config["path"] is None
        assert config["revision"] is None


def test_only_the_330m_goes_without_normalising_and_only_in_the_first_protocol() -> None:
    for name in ("mert-v0", "mert-v0-public", "mert-v1-95m"):
        assert yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())["normalise"] is True
    large = yaml.safe_load((CONFIGS / "mert-v1-330m.yaml").read_text())
    assert large["normalise"] == {"marble-v1": False, "marble-v2": True, "quick": False}
