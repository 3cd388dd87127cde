"""EnCodec's layers against transformers' model called directly: encoder, codes, code books."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from marble_eval.encoders import Encoder
from marble_eval.encoders.encodec import load_encodec, read_encodec
from marble_eval.encoders.loaded import LoadedEncoder
from marble_eval.errors import MissingError, SpecError
from marble_eval.registry.configuration import read_config
from marble_eval.spec import EncoderCard
from tests.encoders.encodec_checkpoints import STEREO, TINY_STEREO, save_encodec, transformers

HOP = 20


def _load(folder: Path, **options: Any) -> LoadedEncoder:
    return load_encodec(
        **{
            **{"name": "EnCodec", "path": str(folder), "hub": None, "revision": None},
            **{"random": None, "device": "cpu"},
            **options,
        }
    )


def _noise(clips: int, samples: int) -> torch.Tensor:
    """Return clips whose level goes up and down."""
    noise = torch.randn(clips, samples, generator=torch.Generator().manual_seed(0))
    return 0.2 * noise * (1.2 + torch.sin(torch.arange(samples) / 700))


def _decoded(model: Any, codes: torch.Tensor, books: int) -> torch.Tensor:
    """Return transformers' own sum of code books, (batch, frame, width)."""
    sums: torch.Tensor = model.quantizer.decode(codes[:books])
    return sums.movedim(1, 2)


@pytest.fixture(scope="module")
def mono(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("mono")
    return folder, save_encodec(folder)


@pytest.fixture(scope="module")
def stereo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("stereo")
    return folder, save_encodec(folder, **TINY_STEREO)


# --- one pass, and pieces ---


# Of 10 s are the pieces; 10007 leaves less than a hop, and 20020 is a hop more than two.
@pytest.mark.parametrize("samples", [20, 21, 500, 1007, 10000, 10007, 20020, 25013])
def test_layers_of_the_mono_model_are_transformers_own(
    mono: tuple[Path, Any], samples: int
) -> None:
    folder, model = mono
    audio = _noise(2, samples)
    states = _load(folder).hidden_states(audio)
    with torch.inference_mode():
        continuous = model.encoder(audio.unsqueeze(1))
        codes = model.encode(audio.unsqueeze(1), bandwidth=1.6).audio_codes[0].transpose(0, 1)
        expected = [continuous.movedim(1, 2), *(_decoded(model, codes, n) for n in (1, 2, 4, 8))]
    assert states.shape == (2, 5, -(-samples // HOP), 12)
    for layer, each in enumerate(expected):
        torch.testing.assert_close(states[:, layer], each, rtol=0, atol=1e-5)
    assert (states[:, 0] - states[:, 1]).abs().max() > 0.01


def test_more_code_books_come_closer_to_the_encoders_output(mono: tuple[Path, Any]) -> None:
    states = _load(mono[0]).hidden_states(_noise(1, 3000))[0]
    distances = [(layer - states[0]).square().mean().item() for layer in states[1:]]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 0.8 * distances[0]


def test_a_network_that_does_not_stream_takes_one_pass(tmp_path: Path) -> None:
    model = save_encodec(tmp_path, use_causal_conv=False)
    audio = _noise(1, 12000)
    with torch.inference_mode():
        expected = model.encoder(audio.unsqueeze(1)).movedim(1, 2)
    torch.testing.assert_close(_load(tmp_path).hidden_states(audio)[:, 0], expected)


@pytest.mark.parametrize("pad_mode", ["constant", "replicate"])
def test_other_paddings_stream_as_well(tmp_path: Path, pad_mode: str) -> None:
    model = save_encodec(tmp_path, pad_mode=pad_mode)
    audio = _noise(1, 20011)
    with torch.inference_mode():
        expected = model.encoder(audio.unsqueeze(1)).movedim(1, 2)
    states = _load(tmp_path).hidden_states(audio)
    torch.testing.assert_close(states[:, 0], expected, rtol=0, atol=1e-5)


# --- chunks ---


# Chunks of 2000 samples every 1980; 3980 is where the second ends, so that a third adds none.
@pytest.mark.parametrize("samples", [20, 1000, 2000, 2001, 3980, 6000, 11913])
def test_layers_of_the_stereo_model_are_those_of_its_chunks(
    stereo: tuple[Path, Any], samples: int
) -> None:
    folder, model = stereo
    audio = _noise(2, samples)
    states = _load(folder).hidden_states(audio)
    both = audio.unsqueeze(1).repeat(1, 2, 1)
    encoded = model.encode(both, bandwidth=1.6)
    frames: list[torch.Tensor] = []
    for chunk, at in enumerate(range(0, samples, 1980)):
        part = both[..., at : at + 2000]
        scale = part.mean(dim=1).square().mean(dim=1).sqrt() + 1e-8
        torch.testing.assert_close(encoded.audio_scales[chunk][:, 0], scale)
        with torch.inference_mode():
            continuous = model.encoder(part / scale[:, None, None])
        count = continuous.shape[2]  # the last chunk's codes are padded with zeros
        codes = encoded.audio_codes[chunk].transpose(0, 1)[..., :count]
        sums = [_decoded(model, codes, books) for books in (1, 2, 4)]
        layers = torch.stack([continuous.movedim(1, 2), *sums], dim=1)
        # 99 frames from one chunk to the next: its first frame has been there already.
        frames.append(layers[:, :, len(frames) and sum(f.shape[2] for f in frames) - 99 * chunk :])
    torch.testing.assert_close(states, torch.cat(frames, dim=2), rtol=0, atol=1e-5)
    assert states.shape[2] == -(-samples // HOP)


def test_frames_of_chunks_say_nothing_of_their_level(stereo: tuple[Path, Any]) -> None:
    encoder, audio = _load(stereo[0]), _noise(1, 4000)
    torch.testing.assert_close(
        encoder.hidden_states(audio)[:, 0],
        encoder.hidden_states(0.01 * audio)[:, 0],
        rtol=0,
        atol=1e-4,
    )


@pytest.mark.parametrize("seconds", [0.5, 1.0, 1.01, 2.0, 3.0, 30.0])
def test_frames_stay_on_their_grid_where_the_stride_is_half_a_frame_off(
    tmp_path: Path, seconds: float
) -> None:
    # As at 48 kHz: 1 s is 150 frames, the stride 148.5; here of 16 samples at 2.4 kHz.
    options = {"sampling_rate": 2400, "upsampling_ratios": [4, 2, 2]}
    save_encodec(tmp_path, **{**TINY_STEREO, **options})
    encoder = _load(tmp_path)
    assert encoder.frame_rate == 150
    audio = _noise(1, round(seconds * 2400))
    states = encoder.hidden_states(audio)
    assert states.shape[2] == pytest.approx(150 * seconds, abs=1)
    assert torch.isfinite(states).all()


# --- full size ---


@pytest.mark.parametrize(("options", "books"), [({}, 32), (STEREO, 16)], ids=["24kHz", "48kHz"])
def test_full_size_is_what_the_card_says_and_transformers_gives(
    tmp_path: Path, options: dict[str, Any], books: int
) -> None:
    config = transformers.EncodecConfig(**options)
    config.save_pretrained(tmp_path)
    model, _ = read_encodec(tmp_path, 0)
    encoder = _load(tmp_path, random=0)
    card = read_config("encoder", f"encodec-{config.sampling_rate // 1000}khz")["card"]
    assert encoder.layers[-1] == f"rvq{books}"
    assert (encoder.parameters, len(encoder.layers)) == (card["parameters"], card["layers"])
    assert (encoder.width, encoder.sample_rate) == (card["width"], card["sample_rate"])
    assert encoder.frame_rate == card["frame_rate"]
    audio = _noise(1, config.sampling_rate // 4)
    states = encoder.hidden_states(audio)
    sound = audio.unsqueeze(1).expand(-1, config.audio_channels, -1)
    codes = model.encode(sound, bandwidth=24.0).audio_codes[0].transpose(0, 1)
    assert len(codes) == books
    for layer, name in enumerate(encoder.layers[1:], start=1):
        expected = _decoded(model, codes, int(name.removeprefix("rvq")))
        torch.testing.assert_close(states[:, layer], expected, rtol=0, atol=1e-5)
    distances = [(layer - states[:, 0]).square().mean().item() for layer in states[0, 1:]]
    assert distances == sorted(distances, reverse=True)


# --- random twins, weights, contract ---


def test_a_random_twin_needs_no_weights_and_has_code_books(mono: tuple[Path, Any]) -> None:
    folder = mono[0]
    card = EncoderCard(licence="MIT", trained_on="music", overlap={"MTG": "all"})
    twin = _load(folder, random=7, card=card)
    assert (twin.name, twin.revision) == ("EnCodec (random 7)", "seed-7")
    assert (twin.card.licence, twin.card.trained_on) == ("none (random weights)", "nothing")
    states = twin.hidden_states(_noise(1, 3000))[0]
    distances = [(layer - states[0]).square().mean().item() for layer in states[1:]]
    assert distances[-1] < distances[0] < states[0].square().mean()
    assert twin.fingerprint() == _load(folder, random=7).fingerprint()
    assert len({_load(folder, random=seed).fingerprint() for seed in (7, 8)} | {""}) == 3


def test_random_state_stays(mono: tuple[Path, Any]) -> None:
    before = torch.get_rng_state()
    _load(mono[0], random=7).hidden_states(_noise(1, 3000))
    _load(mono[0])
    assert torch.equal(torch.get_rng_state(), before)


def test_it_is_an_encoder(mono: tuple[Path, Any]) -> None:
    encoder = _load(mono[0])
    assert isinstance(encoder, Encoder)
    assert list(encoder.layers) == ["continuous", "rvq1", "rvq2", "rvq4", "rvq8"]
    assert (encoder.sample_rate, encoder.frame_rate) == (1000, 50.0)
    assert (encoder.width, encoder.minimum_samples, encoder.normalise) == (12, 20, False)
    assert str(encoder.revision).startswith("local-")


def test_threads_do_not_disturb_each_other(mono: tuple[Path, Any]) -> None:
    encoder, clips = _load(mono[0]), _noise(4, 21000)
    expected = [encoder.hidden_states(clip[None]) for clip in clips]
    found: dict[int, torch.Tensor] = {}

    def encode(at: int) -> None:
        found[at] = encoder.hidden_states(clips[at : at + 1])

    threads = [threading.Thread(target=encode, args=(at,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for at, each in enumerate(expected):
        torch.testing.assert_close(found[at], each, rtol=0, atol=1e-6)


def test_released_files_name_weight_norm_as_older_torch_did(
    mono: tuple[Path, Any], tmp_path: Path
) -> None:
    for file in ("config.json", "preprocessor_config.json"):
        (tmp_path / file).write_bytes((mono[0] / file).read_bytes())
    old = {}
    for name, weight in mono[1].state_dict().items():
        gain = name.replace("parametrizations.weight.original0", "weight_g")
        old[gain.replace("parametrizations.weight.original1", "weight_v")] = weight
    assert "encoder.layers.0.conv.weight_g" in old
    torch.save(old, tmp_path / "pytorch_model.bin")
    assert _load(tmp_path).fingerprint() == _load(mono[0]).fingerprint()


def _copied(source: Path, folder: Path, **config: Any) -> dict[str, torch.Tensor]:
    """Copy a checkpoint with changes to its config, and return its weights."""
    content = json.loads((source / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**content, **config}))
    state = load_file(source / "model.safetensors")
    save_file(state, folder / "model.safetensors")
    return state


def test_the_decoder_may_be_absent_and_moves_nothing(
    mono: tuple[Path, Any], tmp_path: Path
) -> None:
    state = _copied(mono[0], tmp_path)
    encoder_only = {name: each for name, each in state.items() if not name.startswith("decoder.")}
    save_file(encoder_only, tmp_path / "model.safetensors")
    assert _load(tmp_path).fingerprint() == _load(mono[0]).fingerprint()


@pytest.mark.parametrize(
    "name", ["encoder.layers.0.conv.bias", "quantizer.layers.3.codebook.embed"]
)
def test_one_weight_changes_the_fingerprint(
    mono: tuple[Path, Any], tmp_path: Path, name: str
) -> None:
    state = _copied(mono[0], tmp_path)
    state[name].view(-1)[0] += 1e-3
    save_file(state, tmp_path / "model.safetensors")
    assert _load(tmp_path).fingerprint() != _load(mono[0]).fingerprint()


@pytest.mark.parametrize(
    "config",
    [{"pad_mode": "constant"}, {"normalize": True}, {"use_causal_conv": False}],
    ids=lambda config: next(iter(config)),
)
def test_a_config_that_moves_numbers_changes_the_fingerprint(
    mono: tuple[Path, Any], tmp_path: Path, config: dict[str, Any]
) -> None:
    _copied(mono[0], tmp_path, **config)
    assert _load(tmp_path).fingerprint() != _load(mono[0]).fingerprint()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"chunk_length_s": 1.0}, "'overlap' must be given beside 'chunk_length_s'"),
        ({"codebook_dim": 5}, "'codebook_dim' must be 'hidden_size', which is 12. Got 5"),
        ({"audio_channels": 3}, "'audio_channels' must be 1 or 2. Got 3"),
        ({"norm_type": "batch_norm"}, "must describe an EnCodec"),
        ({"codebook_size": 17}, "must describe an EnCodec"),
        ({"sampling_rate": "fast"}, "must describe an EnCodec"),
        ({"hidden_size": 14, "codebook_dim": 14}, "must hold weights that fit the config"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(
    mono: tuple[Path, Any], tmp_path: Path, config: dict[str, Any], message: str
) -> None:
    _copied(mono[0], tmp_path, **config)
    with pytest.raises(SpecError, match=message):
        _load(tmp_path)


def test_another_rate_beside_the_config_is_refused(mono: tuple[Path, Any], tmp_path: Path) -> None:
    _copied(mono[0], tmp_path)
    (tmp_path / "preprocessor_config.json").write_text('{"sampling_rate": 999}')
    with pytest.raises(SpecError, match=r"must agree on the sample rate\. Got 1000 and 999"):
        _load(tmp_path)


def test_a_weight_without_a_place_is_refused(mono: tuple[Path, Any], tmp_path: Path) -> None:
    state = _copied(mono[0], tmp_path)
    save_file({**state, "adapter.weight": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(SpecError, match=r"Unexpected: adapter\.weight"):
        _load(tmp_path)


def test_what_is_missing_comes_with_how_to_get_it(mono: tuple[Path, Any], tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"hf download facebook/encodec_48khz config\.json"):
        _load(tmp_path / "nowhere", hub="facebook/encodec_48khz")
    state = _copied(mono[0], tmp_path)
    del state["quantizer.layers.3.codebook.embed"]
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(MissingError, match=r"Missing: quantizer\.layers\.3\.codebook\.embed"):
        _load(tmp_path)


def test_another_kind_of_network_is_refused(mono: tuple[Path, Any], tmp_path: Path) -> None:
    _copied(mono[0], tmp_path, model_type="hubert")
    with pytest.raises(MissingError, match=r"'model_type' must be encodec\. Got 'hubert'"):
        _load(tmp_path)
