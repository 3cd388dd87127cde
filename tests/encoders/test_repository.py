"""Checkpoints on the hub, and code that they bring: run only where it is asked for."""

from __future__ import annotations

import json
import shutil
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import save_file

from marble_eval.encoders.loaded import LoadedEncoder
from marble_eval.encoders.transformer import load_transformer
from marble_eval.errors import MissingError, SpecError
from tests.encoders.checkpoints import waveform
from tests.encoders.test_released import record

COMMIT = "0123456789abcdef0123456789abcdef01234567"
HUB = "somebody/a-network"
MODEL = """\
from pathlib import Path

import torch
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

Path({ran!r}).touch()


class ToyConfig(PretrainedConfig):
    model_type = "toy"


class Toy(PreTrainedModel):
    config_class = ToyConfig
    main_input_name = "input_values"

    def __init__(self, config):
        super().__init__(config)
        self.scale = torch.nn.Parameter(torch.ones(4))
        self.post_init()

    def _init_weights(self, module):
        pass

    def forward(self, input_values, output_hidden_states=False, **others):
        frames = input_values.unfold(1, 40, 20)[..., :4] * self.scale
        return BaseModelOutput(last_hidden_state=2 * frames, hidden_states=(frames, 2 * frames))
"""
AUTO_MAP = {"AutoConfig": "modeling_toy.ToyConfig", "AutoModel": "modeling_toy.Toy"}


def load(path: Path | str, **options: Any) -> LoadedEncoder:
    defaults: dict[str, Any] = {
        "name": None,
        "path": str(path),
        "revision": None,
        "precision": "float32",
        "normalise": None,
        "sample_rate": None,
        "random": None,
        "trust_remote_code": False,
        "device": "cpu",
    }
    return load_transformer(**{**defaults, **options})


@pytest.fixture(autouse=True)
def _modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep code that transformers copies before it runs it to this test."""
    monkeypatch.setattr(
        "transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules")
    )
    monkeypatch.setattr(sys, "path", [*sys.path])


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """A network of its own code, which leaves a file when it is imported."""
    folder = tmp_path / "toy"
    waveform(folder, "Hubert", do_normalize=False)
    (folder / "modeling_toy.py").write_text(MODEL.format(ran=str(tmp_path / "ran")))
    (folder / "config.json").write_text(json.dumps({"model_type": "toy", "auto_map": AUTO_MAP}))
    save_file({"scale": torch.full((4,), 3.0)}, folder / "model.safetensors", {"format": "pt"})
    return folder


class Hub:
    """A hub of one repository: it copies what is asked for, and keeps the questions."""

    def __init__(self, content: Path, cache: Path) -> None:
        self.content, self.cache = content, cache
        self.asked: list[tuple[str, str | None]] = []

    def __call__(self, hub: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        if hub != HUB:
            raise ConnectionError("no route to host")
        self.asked.append((hub, revision))
        target = self.cache / COMMIT
        target.mkdir(parents=True, exist_ok=True)
        for file in self.content.iterdir():
            if any(fnmatch(file.name, pattern) for pattern in allow_patterns):
                shutil.copy(file, target)
        return str(target)


@pytest.fixture
def hub(toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    made = Hub(toy, tmp_path / "cache")
    monkeypatch.setattr("huggingface_hub.snapshot_download", made)
    return made


# --- the hub ---


def test_a_name_on_the_hub_is_fetched_at_one_commit(hub: Hub, tmp_path: Path) -> None:
    shutil.rmtree(hub.content)
    waveform(hub.content, "Wav2Vec2", "ForPreTraining")
    (hub.content / "pytorch_model.bin").write_bytes(b"an older copy of the same")
    (hub.content / "tf_model.h5").write_bytes(b"of another library")

    encoder = load(HUB)

    assert encoder.name == "a-network"
    assert encoder.revision == COMMIT
    assert encoder.card.licence == "cc-by-4.0"
    # The newest is asked for once; weights come from the commit that was found.
    assert hub.asked == [(HUB, None), (HUB, COMMIT)]
    assert sorted(each.name for each in (hub.cache / COMMIT).iterdir()) == [
        *("README.md", "config.json", "model.safetensors", "preprocessor_config.json")
    ]
    assert encoder.fingerprint() == load(hub.content).fingerprint()


def test_older_weights_and_shards_are_fetched_where_there_are_no_others(hub: Hub) -> None:
    shutil.rmtree(hub.content)
    model = waveform(hub.content, "WavLM")
    whole = load(HUB)
    (hub.content / "model.safetensors").unlink()
    shutil.rmtree(hub.cache)
    model.save_pretrained(hub.content, max_shard_size="20KB")
    sharded = load(HUB)
    assert len(list((hub.cache / COMMIT).glob("model-*.safetensors"))) > 1
    for file in hub.content.glob("model*"):
        file.unlink()
    shutil.rmtree(hub.cache)
    torch.save(model.state_dict(), hub.content / "pytorch_model.bin")
    old = load(HUB)

    assert whole.fingerprint() == sharded.fingerprint() == old.fingerprint()


def test_a_random_twin_fetches_no_weights(hub: Hub) -> None:
    shutil.rmtree(hub.content)
    waveform(hub.content, "Hubert")

    assert load(HUB, random=0).revision == "seed-0"
    assert not (hub.cache / COMMIT / "model.safetensors").exists()


def test_what_cannot_be_fetched_says_what_to_do(hub: Hub) -> None:
    with pytest.raises(MissingError) as caught:
        load("nobody/nothing", revision="abc")

    message = str(caught.value)
    assert "Got ConnectionError: no route to host" in message
    assert "There is no folder 'nobody/nothing' here either." in message
    assert "hf download nobody/nothing --revision abc --local-dir DIR" in message
    assert "encoder=hf encoder.path=DIR" in message


# --- code ---


def test_code_is_not_run_unless_it_is_trusted(toy: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"modeling_toy.Toy.*encoder.trust_remote_code=true"):
        load(toy)

    assert not (tmp_path / "ran").exists()


def test_trusted_code_of_a_folder_is_run_and_recorded_by_its_digest(
    toy: Path, tmp_path: Path
) -> None:
    encoder = load(toy, trust_remote_code=True)

    assert (tmp_path / "ran").exists()
    assert encoder.remote_code is not None
    origin, _, digest = encoder.remote_code.partition("@")
    assert (origin, len(digest)) == ("toy", 12)
    audio = torch.arange(2000.0)[None] / 2000
    states = encoder.hidden_states(audio)
    assert encoder.frame_rate == 50.0  # a hop of 20 at 1 kHz, as measured
    assert (len(encoder.layers), encoder.width) == (2, 4)
    frames = 3.0 * torch.stack([audio[0, at : at + 4] for at in range(0, 1961, 20)])
    torch.testing.assert_close(states[0], torch.stack([frames, 2 * frames]), rtol=0, atol=1e-6)

    (toy / "modeling_toy.py").write_text((toy / "modeling_toy.py").read_text() + "# more\n")
    record(toy)  # proves config and weights, and nothing of the code
    other = load(toy, trust_remote_code=True)
    assert other.revision == COMMIT
    assert other.remote_code != encoder.remote_code
    assert other.fingerprint() != encoder.fingerprint()


COMPUTED = {
    "inverse frequencies": "1.0 / 10000 ** (torch.arange(0, 16, 4) / 16)",
    "mel bank": "torch.from_numpy(__import__('librosa').filters.mel(sr=1000, n_fft=64, n_mels=4))",
}


@pytest.mark.parametrize("formula", COMPUTED.values(), ids=COMPUTED)
def test_buffers_that_no_checkpoint_holds_are_those_that_the_code_computes(
    toy: Path, formula: str
) -> None:
    code = (toy / "modeling_toy.py").read_text()
    code = code.replace(
        "        self.post_init()",
        f"        self.register_buffer('bank', {formula}, persistent=False)\n"
        "        self.register_buffer('gain', self.bank / self.bank.sum(), persistent=False)\n"
        f"        self.post_init()",
    )
    weighted = "* self.scale * self.bank.reshape(4, -1).sum(1)"
    (toy / "modeling_toy.py").write_text(code.replace("* self.scale", weighted))
    expected: torch.Tensor = eval(formula)  # of the two above

    encoder = load(toy, trust_remote_code=True)

    audio = torch.arange(2000.0)[None] / 2000
    frames = torch.stack([audio[0, at : at + 4] for at in range(0, 1961, 20)])
    frames = 3.0 * frames * expected.reshape(4, -1).sum(1)
    torch.testing.assert_close(encoder.hidden_states(audio)[0, 0], frames, rtol=1e-6, atol=0)
    if transformers.__version__.startswith("5."):
        assert "2 buffers" in encoder.remarks[0] and "bank, gain" in encoder.remarks[0]
    again = load(toy, trust_remote_code=True)
    assert again.fingerprint() == encoder.fingerprint()


def test_a_computed_buffer_is_in_the_fingerprint(toy: Path, tmp_path: Path) -> None:
    """The same code computes another buffer where the environment it reads is another."""
    code = (toy / "modeling_toy.py").read_text()
    code = code.replace(
        "        self.post_init()",
        f"        filled = float(Path({str(tmp_path / 'number')!r}).read_text())\n"
        f"        self.register_buffer('bank', torch.full((4,), filled), persistent=False)\n"
        f"        self.post_init()",
    )
    (toy / "modeling_toy.py").write_text(code)
    prints = set()
    for number in ("1.0", "2.0"):
        (tmp_path / "number").write_text(number)
        prints.add(load(toy, trust_remote_code=True).fingerprint())
    assert len(prints) == 2


@pytest.mark.parametrize("revision", [None, "main", COMMIT[:12]])
def test_code_of_the_hub_needs_a_commit(hub: Hub, revision: str | None, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="must be a commit of 40 hexadecimal digits"):
        load(HUB, trust_remote_code=True, revision=revision)

    assert hub.asked == []
    assert not (tmp_path / "ran").exists()


def test_code_of_the_hub_is_recorded_by_its_commit(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=f"trust_remote_code=true encoder.revision={COMMIT}"):
        load(HUB)
    assert not (hub.cache / COMMIT / "modeling_toy.py").exists()
    assert not (tmp_path / "ran").exists()

    encoder = load(HUB, trust_remote_code=True, revision=COMMIT)

    assert encoder.remote_code == f"{HUB}@{COMMIT}"
    assert encoder.revision == COMMIT


def test_code_that_lies_in_another_repository_is_refused(toy: Path, tmp_path: Path) -> None:
    elsewhere = {name: f"others/code--{each}" for name, each in AUTO_MAP.items()}
    config = {"model_type": "toy", "auto_map": elsewhere}
    (toy / "config.json").write_text(json.dumps(config))

    with pytest.raises(SpecError, match="must lie beside its weights"):
        load(toy, trust_remote_code=True)

    assert not (tmp_path / "ran").exists()


def test_a_network_that_transformers_has_does_without_its_own_code(
    toy: Path, tmp_path: Path
) -> None:
    shutil.rmtree(toy)
    waveform(toy, "WavLM")
    config = json.loads((toy / "config.json").read_text())
    (toy / "config.json").write_text(json.dumps({**config, "auto_map": AUTO_MAP}))
    (toy / "modeling_toy.py").write_text(MODEL.format(ran=str(tmp_path / "ran")))

    assert load(toy).remote_code is None
    assert not (tmp_path / "ran").exists()
