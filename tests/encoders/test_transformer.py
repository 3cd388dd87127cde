"""Checkpoints of every family against transformers called directly, and what is refused."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from marble_eval.encoders.loaded import LoadedEncoder
from marble_eval.encoders.transformer import load_transformer
from marble_eval.errors import MissingError, SpecError
from marble_eval.spec import EncoderCard
from tests.encoders.checkpoints import FAMILIES, LARGE, ast, clap, waveform, whisper

WAVEFORM = [
    *("hubert", "hubert-large", "wav2vec2", "wav2vec2-large", "wavlm", "wavlm-large"),
    *("data2vec", "unispeech", "unispeech-sat", "wav2vec2-conformer", "sew", "sew-d"),
]


def load(path: Path | str | None, **options: Any) -> LoadedEncoder:
    defaults: dict[str, Any] = {
        "name": None,
        "path": None if path is None else str(path),
        "revision": None,
        "precision": "float32",
        "normalise": None,
        "sample_rate": None,
        "random": None,
        "trust_remote_code": False,
        "device": "cpu",
    }
    return load_transformer(**{**defaults, **options})


def noise(clips: int, samples: int, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(clips, samples, generator=torch.Generator().manual_seed(seed))


def change_json(path: Path, **changes: Any) -> None:
    values = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({name: each for name, each in values.items() if each is not None}))


def outputs_of(model: Any, inputs: Any) -> tuple[list[torch.Tensor], torch.Tensor]:
    with torch.no_grad():
        outputs = model(**inputs, output_hidden_states=True)
    return list(outputs.hidden_states), outputs.last_hidden_state


# --- against transformers called directly ---


@pytest.mark.parametrize("family", WAVEFORM)
def test_networks_on_the_waveform_agree_with_transformers(family: str, tmp_path: Path) -> None:
    model = FAMILIES[family](tmp_path)
    model = getattr(model, "wav2vec2", model)  # without the heads of pre-training
    audio = noise(2, 3000)

    states = load(tmp_path).hidden_states(audio)

    listed, last = outputs_of(model, {"input_values": audio})
    assert states.dtype == torch.float32
    assert states.shape == (2, 3, *last.shape[1:])
    assert not torch.allclose(last[0], last[1], atol=1e-3)
    for layer, given in enumerate([*listed[:-1], last]):
        coarse = given.shape[1] != last.shape[1]  # SEW: one frame is two of the others
        expected = given[:, [min(at // 2, 73) for at in range(149)]] if coarse else given
        torch.testing.assert_close(states[:, layer], expected, rtol=0, atol=1e-5)


def test_ast_agrees_with_transformers_on_its_extractors_output(tmp_path: Path) -> None:
    model = ast(tmp_path)
    audio = noise(2, 10_000)
    extractor = transformers.ASTFeatureExtractor.from_pretrained(tmp_path)

    states = load(tmp_path).hidden_states(audio)

    listed, last = outputs_of(
        model, extractor(list(audio.numpy()), sampling_rate=16000, return_tensors="pt")
    )
    # 24 bands in 3 rows of patches, (64 - 8) / 4 + 1 = 15 columns, two tokens before them.
    assert last.shape[1] == 2 + 3 * 15
    # 1 + (10000 - 400) // 160 = 61 mel frames hold (61 - 8) // 4 + 1 = 14 columns.
    assert states.shape == (2, 3, 14, 24)
    for layer, expected in enumerate([*listed[:-1], last]):
        for frame in range(14):
            rows = [expected[:, 2 + 15 * row + frame] for row in range(3)]
            mean = (rows[0] + rows[1] + rows[2]) / 3
            torch.testing.assert_close(states[:, layer, frame], mean, rtol=0, atol=1e-5)
    assert not torch.allclose(listed[-1], last, atol=1e-2)  # the norm that ends the network


def test_whisper_agrees_with_transformers_on_its_extractors_output(tmp_path: Path) -> None:
    model = whisper(tmp_path)
    audio = noise(2, 20_000)  # 1.25 of 2 s
    extractor = transformers.WhisperFeatureExtractor.from_pretrained(tmp_path)
    mel = extractor(list(audio.numpy()), sampling_rate=16000, return_tensors="pt")

    states = load(tmp_path).hidden_states(audio)

    listed, last = outputs_of(model.get_encoder(), mel)
    assert last.shape[1] == 100  # frames of 2 s
    # 20000 / 320 = 62.5: 63 frames begin inside the clip.
    expected = torch.stack([*listed[:-1], last], dim=1)[:, :, :63]
    torch.testing.assert_close(states, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("fused", "tower"), [(False, False), (True, False), (False, True)])
def test_clap_agrees_with_transformers_on_its_extractors_output(
    fused: bool, tower: bool, tmp_path: Path
) -> None:
    model = clap(tmp_path, fused=fused, tower=tower)
    audio = noise(2, 4096)  # the whole window
    extractor = transformers.ClapFeatureExtractor.from_pretrained(tmp_path)
    mel = dict(extractor(list(audio.numpy()), sampling_rate=4096, return_tensors="pt"))
    mel = {"input_features": mel["input_features"].float(), "is_longer": torch.zeros(2, 1)}

    states = load(tmp_path).hidden_states(audio)

    listed, last = outputs_of(model.audio_model, mel)
    # An image of 32 x 32 holds 2 parts of 16 bands below each other, in patches of 4 x 4:
    # 4 rows of each part, 8 columns. One stage halves both and doubles the width.
    assert [tuple(each.shape) for each in listed] == [(2, 16, 8, 8), (2, 32, 4, 4), (2, 32, 4, 4)]
    assert states.shape == (2, 3, 16, 32)
    assert not states[:, 0, :, 16:].any()  # narrower layers end with zeros
    for frame in range(16):
        part, column = divmod(frame, 8)
        first = listed[0][:, :, 4 * part : 4 * part + 4, column].mean(dim=2)
        torch.testing.assert_close(states[:, 0, frame, :16], first, rtol=0, atol=1e-5)
        second = listed[1][:, :, 2 * part : 2 * part + 2, column // 2].mean(dim=2)
        torch.testing.assert_close(states[:, 1, frame], second, rtol=0, atol=1e-5)
        # transformers lays the parts one behind the other itself: (batch, 32, row, 8 frames)
        ended = last[:, :, :, frame // 2].mean(dim=2)
        torch.testing.assert_close(states[:, 2, frame], ended, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("family", "rate"),
    [
        ("wav2vec2-bert", 50.0),  # 10 ms, two at a time
        ("speech-to-text", 25.0),  # 10 ms, two convolutions that halve them
        ("moonshine", 16000 / 384),  # strides of 64, 3 and 2
    ],
)
def test_networks_with_an_extractor_are_measured_and_agree_with_transformers(
    family: str, rate: float, tmp_path: Path
) -> None:
    model = FAMILIES[family](tmp_path)
    audio = noise(2, 24_000)
    extractor: Any = transformers.AutoFeatureExtractor
    inputs = extractor.from_pretrained(tmp_path)(
        list(audio.numpy()), sampling_rate=16000, return_tensors="pt"
    )

    encoder = load(tmp_path)

    model = model.get_encoder() if model.config.is_encoder_decoder else model
    listed, last = outputs_of(model, inputs)
    expected = torch.stack([*listed[:-1], last], dim=1)
    torch.testing.assert_close(encoder.hidden_states(audio), expected, rtol=0, atol=1e-5)
    assert encoder.frame_rate == rate


# --- time ---


@pytest.mark.parametrize("family", ["ast", "whisper", "clap", "clap-fused"])
def test_a_change_at_the_end_leaves_the_first_frames_of_the_input_alone(
    family: str, tmp_path: Path
) -> None:
    FAMILIES[family](tmp_path)
    encoder = load(tmp_path)
    samples = round(0.64 * encoder.sample_rate)
    audio = noise(1, samples)
    other = audio.clone()
    other[:, samples // 2 :] = noise(1, samples - samples // 2, seed=1)

    first, second = (encoder.hidden_states(each)[0, 0] for each in (audio, other))

    moved = (first - second).abs().amax(dim=1) / first.abs().max()
    early = round(0.36 * len(moved))  # a window and a patch before the change
    late = round(0.64 * len(moved))
    assert moved[:early].max() < 1e-3
    assert moved[late:].min() > 1e-3


@pytest.mark.parametrize("family", ["ast", "whisper", "clap"])
def test_a_long_clip_is_cut_into_windows_and_every_frame_is_there(
    family: str, tmp_path: Path
) -> None:
    FAMILIES[family](tmp_path)
    encoder = load(tmp_path)
    hop = round(encoder.sample_rate / encoder.frame_rate)
    whole = {"ast": 15, "whisper": 100, "clap": 16}[family]  # frames of a window
    seen = {"ast": 400 + 63 * 160, "whisper": 32_000, "clap": 4096}[family]  # samples of a window
    extra = whole // 2
    samples = (whole + extra) * hop + (seen - whole * hop if family == "ast" else 0)
    audio = noise(1, samples)

    states = encoder.hidden_states(audio)

    assert states.shape[2] == whole + extra
    first = encoder.hidden_states(audio[:, :seen])
    last = encoder.hidden_states(audio[:, extra * hop : extra * hop + seen])
    assert first.shape[2] == last.shape[2] == whole
    torch.testing.assert_close(states[:, :, :whole], first, rtol=0, atol=1e-6)
    torch.testing.assert_close(states[:, :, whole:], last[:, :, -extra:], rtol=0, atol=1e-6)


def test_a_short_clip_of_clap_is_repeated_and_no_random_state_is_touched(tmp_path: Path) -> None:
    clap(tmp_path, fused=True)
    encoder = load(tmp_path)
    audio = noise(1, 1024)  # a quarter of the window
    before = np.random.get_state()[1].copy()  # type: ignore[index]

    states = encoder.hidden_states(audio)

    assert states.shape[2] == 4
    repeated = encoder.hidden_states(audio.repeat(1, 4))[:, :, :4]
    torch.testing.assert_close(states, repeated, rtol=0, atol=1e-6)
    long = [encoder.hidden_states(noise(1, 9000)) for _ in range(2)]
    assert torch.equal(*long)
    assert (np.random.get_state()[1] == before).all()  # type: ignore[index]


def test_threads_with_clips_of_other_lengths_share_a_network_that_caches_positions(
    tmp_path: Path,
) -> None:
    waveform(tmp_path, "Wav2Vec2Conformer", position_embeddings_type="rotary")
    encoder = load(tmp_path)
    clips = [noise(1, samples) for samples in (500, 900, 1300, 1700)]
    alone = [encoder.hidden_states(clip) for clip in clips]
    faults: list[str] = []

    def encode(at: int) -> None:
        torch.set_num_threads(1)
        for _ in range(40):
            try:
                torch.testing.assert_close(
                    encoder.hidden_states(clips[at]), alone[at], rtol=0, atol=1e-5
                )
            except (AssertionError, RuntimeError) as error:
                faults.append(str(error))

    threads = [threading.Thread(target=encode, args=(at,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert faults == []


# --- what a checkpoint says ---


def test_facts_are_those_of_the_checkpoint(tmp_path: Path) -> None:
    folder = tmp_path / "my-wav2vec2"
    model = waveform(folder, "Wav2Vec2", "ForPreTraining", do_normalize=False)
    encoder = load(folder)

    assert encoder.name == "my-wav2vec2"
    assert (encoder.sample_rate, encoder.frame_rate) == (1000, 50.0)
    assert list(encoder.layers) == ["0", "1", "2"]
    assert encoder.minimum_samples == 30  # (1 → 2 → 5 frames: (5 - 1) * 5 + 10)
    assert encoder.normalise is False
    assert load(folder, normalise=True).normalise is True
    assert encoder.card.licence == "cc-by-4.0"
    assert encoder.card.trained_on == "tones, noises"
    assert encoder.remote_code is None
    assert encoder.revision.startswith("local-")
    own = [name for name, _ in model.wav2vec2.named_parameters() if name != "masked_spec_embed"]
    sizes = dict(model.wav2vec2.named_parameters())
    assert encoder.parameters == sum(sizes[name].numel() for name in own)


@pytest.mark.parametrize(
    ("readme", "licence"),
    [
        ("---\nlicense: other\nlicense_name: coqui\n---\n", "coqui"),
        ("---\nlicense:\n- mit\n- apache-2.0\n---\n", "mit, apache-2.0"),
        ("---\ntags: [a, b]\n---\n", "not stated"),
        ("---\nlicense: [\n---\n", "not stated"),
        ("# No front matter\nlicense: mit\n", "not stated"),
    ],
)
def test_a_licence_is_read_or_not_stated(readme: str, licence: str, tmp_path: Path) -> None:
    waveform(tmp_path, "Hubert")
    (tmp_path / "README.md").write_text(readme)

    assert load(tmp_path).card.licence == licence
    assert load(tmp_path, card=EncoderCard(licence="MIT")).card.licence == "MIT"


def test_a_rate_that_is_not_stated_must_be_given(tmp_path: Path) -> None:
    waveform(tmp_path, "Data2VecAudio", num_conv_pos_embeddings=2, conv_pos_kernel_size=5)
    stated = load(tmp_path)
    with pytest.raises(SpecError, match="'sample_rate' must be null or what the checkpoint says"):
        load(tmp_path, sample_rate=24000)
    (tmp_path / "preprocessor_config.json").unlink()

    with pytest.raises(SpecError, match=r"give None\. Add encoder\.sample_rate=16000"):
        load(tmp_path)

    given = load(tmp_path, sample_rate=1000)
    assert given.sample_rate == stated.sample_rate == 1000
    assert given.normalise is True  # as transformers' extractor does by default


def test_an_extractor_that_contradicts_the_network_is_refused(tmp_path: Path) -> None:
    whisper(tmp_path)
    change_json(tmp_path / "preprocessor_config.json", chunk_length=3, n_samples=48000)

    with pytest.raises(SpecError, match=r"must agree on mel frames\. Got 200 and 300"):
        load(tmp_path)


# --- weights ---


@pytest.mark.parametrize("family", ["hubert", "wavlm"])
def test_shards_and_older_files_give_the_same_encoder(family: str, tmp_path: Path) -> None:
    model = FAMILIES[family](tmp_path / "whole")
    whole, audio = load(tmp_path / "whole"), noise(1, 2000)
    shutil.copytree(tmp_path / "whole", tmp_path / "old")
    weights = load_file(tmp_path / "old" / "model.safetensors")
    torch.save(weights, tmp_path / "old" / "pytorch_model.bin")
    (tmp_path / "old" / "model.safetensors").unlink()
    shutil.copytree(tmp_path / "whole", tmp_path / "shards")
    (tmp_path / "shards" / "model.safetensors").unlink()
    model.save_pretrained(tmp_path / "shards", max_shard_size="20KB")
    assert len(list((tmp_path / "shards").glob("*.safetensors"))) > 1

    for name in ("old", "shards"):
        other = load(tmp_path / name)
        assert other.fingerprint() == whole.fingerprint()
        assert torch.equal(other.hidden_states(audio), whole.hidden_states(audio))


def test_an_index_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    waveform(tmp_path, "Hubert")
    (tmp_path / "model.safetensors").rename(tmp_path.parent / "outside.safetensors")
    index = {"weight_map": {"a": "../outside.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))

    with pytest.raises(MissingError, match="must name files of weights beside it"):
        load(tmp_path)


class _Touch:
    """What a hostile pickle runs when it is unpacked."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("family", ["hubert", "wavlm", "whisper", "clap"])
def test_a_pickle_that_runs_code_is_refused_and_does_not_run(family: str, tmp_path: Path) -> None:
    FAMILIES[family](tmp_path)
    weights: dict[str, Any] = dict(load_file(tmp_path / "model.safetensors"))
    (tmp_path / "model.safetensors").unlink()
    torch.save({**weights, "extra": _Touch(tmp_path / "ran")}, tmp_path / "pytorch_model.bin")

    with pytest.raises(MissingError):
        load(tmp_path)

    assert not (tmp_path / "ran").exists()
    torch.load(tmp_path / "pytorch_model.bin", weights_only=False)
    assert (tmp_path / "ran").exists()  # it would have


@pytest.mark.parametrize(
    ("family", "name"),
    [
        ("hubert", "encoder.layers.1.final_layer_norm.bias"),
        ("wav2vec2", "wav2vec2.encoder.layers.1.final_layer_norm.bias"),
        ("wavlm", "encoder.layers.1.final_layer_norm.bias"),
        ("whisper", "encoder.layers.1.final_layer_norm.bias"),
        ("clap", "audio_model.audio_encoder.norm.weight"),
    ],
)
def test_weights_must_be_all_there_and_no_more(family: str, name: str, tmp_path: Path) -> None:
    FAMILIES[family](tmp_path)
    file = tmp_path / "model.safetensors"
    weights = load_file(file)
    lost = weights.pop(name)
    save_file(weights, file, {"format": "pt"})
    with pytest.raises(MissingError, match=r"must hold every weight.*Missing: .*norm"):
        load(tmp_path)

    more = name.replace("layers.1", "layers.7").replace("encoder.norm", "encoder.layers.7.norm")
    save_file({**weights, name: lost, more: lost.clone()}, file, {"format": "pt"})
    with pytest.raises(SpecError, match=r"Unexpected: .*layers\.7"):
        load(tmp_path)


def test_heads_are_left_out_by_name(tmp_path: Path) -> None:
    waveform(tmp_path / "plain", "Hubert")
    waveform(tmp_path / "head", "Hubert", "ForCTC")

    names = {name.partition(".")[0] for name in load_file(tmp_path / "head/model.safetensors")}
    assert names == {"hubert", "lm_head"}
    plain, head = load(tmp_path / "plain"), load(tmp_path / "head")
    assert plain.parameters == head.parameters
    for kind in (ast, whisper):
        kind(tmp_path / f"{kind.__name__}-plain")
        kind(tmp_path / f"{kind.__name__}-head", "head")
        one, two = (load(tmp_path / f"{kind.__name__}-{each}") for each in ("plain", "head"))
        assert one.parameters == two.parameters


# --- options ---


@pytest.mark.parametrize("family", ["hubert", "wavlm", "ast", "whisper", "clap"])
def test_bfloat16_is_close_and_is_another_fingerprint(family: str, tmp_path: Path) -> None:
    FAMILIES[family](tmp_path)
    full, half = load(tmp_path), load(tmp_path, precision="bfloat16")
    audio = noise(2, 2 * full.sample_rate)

    exact, rough = full.hidden_states(audio), half.hidden_states(audio)

    assert rough.dtype == torch.float32
    error = (rough - exact).norm() / exact.norm()
    assert 1e-5 < error < 0.03
    assert half.fingerprint() != full.fingerprint()
    assert half.precision == "bfloat16"


@pytest.mark.parametrize("family", ["hubert", "wav2vec2-large", "wavlm", "ast", "whisper", "clap"])
def test_random_weights_are_transformers_own_and_those_of_the_seed(
    family: str, tmp_path: Path
) -> None:
    FAMILIES[family](tmp_path)
    (tmp_path / "model.safetensors").unlink()
    before = torch.random.get_rng_state()

    encoder = load(tmp_path, random=3, name="mine")

    assert torch.equal(torch.random.get_rng_state(), before)
    assert encoder.name == "mine (random 3)"
    assert encoder.revision == "seed-3"
    assert encoder.card.licence == "none (random weights)"
    assert encoder.card.trained_on == "nothing"
    assert load(tmp_path, random=3).fingerprint() == encoder.fingerprint()
    assert load(tmp_path, random=4).fingerprint() != encoder.fingerprint()
    config = transformers.AutoConfig.from_pretrained(tmp_path)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        maker: Any = transformers.AutoModel
        drawn = maker.from_config(config).eval()
    drawn = drawn.encoder if family == "whisper" else getattr(drawn, "audio_model", drawn)
    unused = [each.numel() for name, each in drawn.state_dict().items() if "masked" in name]
    total = sum(each.numel() for each in drawn.state_dict().values())
    assert encoder.parameters in (total, total - sum(unused))
    if family in WAVEFORM:
        audio = noise(1, 2000)
        listed, last = outputs_of(drawn, {"input_values": audio})
        expected = torch.stack([*listed[:-1], last], dim=1)
        torch.testing.assert_close(encoder.hidden_states(audio), expected, rtol=0, atol=1e-5)


def test_what_moves_numbers_moves_the_fingerprint_and_what_does_not_does_not(
    tmp_path: Path,
) -> None:
    ast(tmp_path)
    before = load(tmp_path).fingerprint()
    change_json(tmp_path / "config.json", _name_or_path="elsewhere", id2label={"0": "a"})
    assert load(tmp_path, name="another").fingerprint() == before

    change_json(tmp_path / "preprocessor_config.json", mean=-4.0)
    assert load(tmp_path).fingerprint() != before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "float8"}, "'precision' must be known"),
        ({"normalise": "yes"}, "'normalise' must be true, false or null"),
        ({"device": "tpu0"}, "'device' must be auto, cpu, cuda"),
        ({"revision": "main"}, "'revision' must be null beside 'path'"),
    ],
)
def test_options_that_cannot_be_are_refused(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    waveform(tmp_path, "Hubert")
    with pytest.raises(SpecError, match=message):
        load(tmp_path, **options)


# --- what is refused ---


def _bert(folder: Path) -> None:
    config = transformers.BertConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, vocab_size=9
    )
    transformers.BertModel(config).save_pretrained(folder)


def _codec(folder: Path) -> None:
    config = transformers.DacConfig(
        encoder_hidden_size=8, downsampling_ratios=[2, 2], decoder_hidden_size=16, n_codebooks=2
    )
    transformers.DacModel(config).save_pretrained(folder)
    transformers.DacFeatureExtractor(sampling_rate=1000, hop_length=4).save_pretrained(folder)


def _mert(folder: Path) -> None:
    data = Path(__file__).parents[1] / "data" / "mert" / "mert-v1-95m-like"
    shutil.copytree(data, folder, dirs_exist_ok=True)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_bert, r"takes audio and lists its hidden states\. Got 'model_type' 'bert'.*wavlm"),
        (_codec, "DacModel must run on audio alone and list hidden states"),
        (_mert, "Use encoder=mert-v1-95m encoder.path="),
    ],
)
def test_what_is_no_such_network_is_refused(
    make: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    make(tmp_path)
    with pytest.raises(SpecError, match=message):
        load(tmp_path)


def test_an_unknown_type_names_those_that_are_known(tmp_path: Path) -> None:
    waveform(tmp_path, "Hubert", **LARGE)
    change_json(tmp_path / "config.json", model_type="hubbert")
    with pytest.raises(SpecError, match=r"Got 'hubbert'\. Known: .*hubert.*whisper"):
        load(tmp_path)


def test_nothing_and_nowhere_say_what_to_do() -> None:
    with pytest.raises(SpecError, match="'path' must name a folder, or OWNER/NAME on the hub"):
        load(None)
    with pytest.raises(MissingError, match="must be the folder of a checkpoint, or OWNER/NAME"):
        load("no/such/folder")


@pytest.mark.parametrize("family", ["Hubert", "WavLM"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 3\n", "git-lfs"),
        (b"\n<!DOCTYPE html><html>404</html>", "web page"),
        (b"\x80\x04cbuiltins\neval\n.", "Nothing was run"),
    ],
)
@pytest.mark.parametrize("file", ["pytorch_model.bin", "model.safetensors"])
def test_what_is_no_weights_is_called_what_it_is(
    family: str, content: bytes, said: str, file: str, tmp_path: Path
) -> None:
    waveform(tmp_path, family)
    folder = tmp_path
    (folder / "model.safetensors").unlink()
    (folder / file).write_bytes(content)
    with pytest.raises(MissingError) as caught:
        load(folder)
    assert "weights_only" not in str(caught.value)
    assert said in str(caught.value) or (file, said) == ("model.safetensors", "Nothing was run")


@pytest.mark.parametrize("family", ["Hubert", "WavLM"])
@pytest.mark.parametrize("kind", ["sparse", "meta"])
def test_tensors_without_plain_numbers_are_refused(family: str, kind: str, tmp_path: Path) -> None:
    waveform(tmp_path, family)
    folder = tmp_path
    state = dict(load_file(folder / "model.safetensors"))
    (folder / "model.safetensors").unlink()
    name = "encoder.layers.0.feed_forward.output_dense.weight"
    state[name] = state[name].to_sparse() if kind == "sparse" else state[name].to("meta")
    torch.save(state, folder / "pytorch_model.bin")
    with pytest.raises(MissingError, match=f"{name}', a {kind} tensor"):
        load(folder)


@pytest.mark.parametrize("family", ["Hubert", "WavLM"])
@pytest.mark.parametrize("random", [None, 0])
@pytest.mark.parametrize(
    "changes",
    [
        {"conv_stride": [5, 0, 2]},
        {"conv_stride": 0},
        {"conv_kernel": [10, -3, 2]},
        {"num_hidden_layers": 10**9},
        {"hidden_size": 3 * 10**9},
    ],
)
def test_sizes_that_no_network_has_are_refused_at_once(
    family: str, random: int | None, changes: dict[str, Any], tmp_path: Path
) -> None:
    waveform(tmp_path, family)
    folder = tmp_path
    change_json(folder / "config.json", **changes)
    with pytest.raises(SpecError, match=next(iter(changes))):
        load(folder, random=random)


def test_a_file_in_place_of_the_folder_is_called_a_file(tmp_path: Path) -> None:
    waveform(tmp_path, "Hubert")
    folder = tmp_path
    with pytest.raises(MissingError, match="Got a file"):
        load(folder / "model.safetensors")
