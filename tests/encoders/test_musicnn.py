"""MusiCNN as an encoder: what it says of itself, what it refuses, and the released weights.

The last need the archive that holds them, which MARBLE_EVAL_MUSICNN names.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from marble_eval.encoders import Encoder
from marble_eval.encoders.musicnn import load_musicnn, random_weights
from marble_eval.errors import MissingError, SpecError
from marble_eval.spec import EncoderCard
from tests.encoders.musicnn_cases import clip, differences
from tests.encoders.tensor_bundles import bundle

ARCHIVE = os.environ.get("MARBLE_EVAL_MUSICNN")
OPTIONS: dict[str, Any] = {
    "name": "MusiCNN-MTT",
    "path": None,
    "variant": "MTT_musicnn",
    "random": 0,
    "card": EncoderCard(licence="ISC", trained_on="MTT", overlap={"MTT": "all"}),
    "device": "cpu",
}


def _folder(tmp_path: Path, seed: int) -> str:
    arrays = {name: weight.numpy() for name, weight in random_weights(seed).items()}
    (tmp_path / "MTT_musicnn").mkdir(exist_ok=True)
    for file, content in zip((".index", ".data-00000-of-00001"), bundle(arrays), strict=True):
        (tmp_path / "MTT_musicnn" / file).write_bytes(content)
    return str(tmp_path)


# --- what it is ---


def test_it_is_an_encoder_of_nine_layers() -> None:
    encoder = load_musicnn(**OPTIONS)

    assert isinstance(encoder, Encoder)
    assert encoder.layers[0] == "timbral"
    assert encoder.layers[-1] == "logits"
    assert (len(encoder.layers), encoder.width) == (9, 753)
    assert encoder.frame_rate == 62.5
    assert encoder.parameters == 787159
    assert encoder.normalise is False


def test_random_weights_are_named_and_licensed_as_such() -> None:
    encoder = load_musicnn(**{**OPTIONS, "random": 7})

    assert encoder.name == "MusiCNN-MTT (random 7)"
    assert encoder.revision == "seed-7"
    assert encoder.card.licence == "none (random weights)"
    assert encoder.card.trained_on == "nothing"
    assert encoder.card.overlap == {}


def test_weights_of_one_s_own_are_read_and_named_by_their_digest(tmp_path: Path) -> None:
    encoder = load_musicnn(**{**OPTIONS, "random": None, "path": _folder(tmp_path, 0)})

    assert encoder.name == tmp_path.name
    assert encoder.card.licence == "not stated"
    assert encoder.revision.startswith("local-")
    # The seed's weights, by way of a file: the same network, so the same fingerprint.
    drawn = load_musicnn(**OPTIONS)
    assert encoder.fingerprint() == drawn.fingerprint()
    assert torch.equal(encoder.hidden_states(clip()), drawn.hidden_states(clip()))


def test_one_changed_weight_changes_the_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    before, weights = load_musicnn(**OPTIONS).fingerprint(), random_weights(0)
    weights["dense_1/bias"][3] += 1e-6
    monkeypatch.setattr("marble_eval.encoders.musicnn.random_weights", lambda seed: weights)
    assert load_musicnn(**OPTIONS).fingerprint() != before


def test_the_fingerprint_changes_with_librosa(monkeypatch: pytest.MonkeyPatch) -> None:
    before = load_musicnn(**OPTIONS).fingerprint()
    monkeypatch.setattr("marble_eval.encoders.musicnn.version", lambda package: "99.0")

    assert load_musicnn(**OPTIONS).fingerprint() != before


def test_what_is_trained_on_hidden_states_may_keep_them() -> None:
    states = load_musicnn(**OPTIONS).hidden_states(clip()[:, :16000])
    (states * torch.ones(753, requires_grad=True)).sum().backward()  # type: ignore[no-untyped-call]


# --- what it refuses ---


@pytest.mark.parametrize("variant", ["MTT_musicnn", "MSD_musicnn"])
def test_without_a_path_it_says_where_the_weights_come_from(variant: str) -> None:
    with pytest.raises(MissingError) as caught:
        name = f"MusiCNN-{variant[:3]}"
        load_musicnn(**{**OPTIONS, "name": name, "random": None, "variant": variant})

    message = str(caught.value)
    assert "'path' must name the source archive of musicnn. Got null." in message
    assert "pip download --no-deps --no-binary musicnn musicnn==0.1.0" in message
    assert f"encoder=musicnn-{variant[:3].lower()} encoder.path=" in message


def test_a_damaged_checkpoint_is_refused_with_the_way_to_a_whole_one(tmp_path: Path) -> None:
    folder = _folder(tmp_path, 0)
    data = tmp_path / "MTT_musicnn" / ".data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-1000])

    with pytest.raises(MissingError, match=r"(?s)must be whole.*pip download"):
        load_musicnn(**{**OPTIONS, "random": None, "path": folder})


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("variant", "MTT_vgg", "'variant' must be known. Got 'MTT_vgg'. Known: MSD_musicnn, MTT"),
        ("device", "gpu", "'device' must be auto, cpu, cuda or cuda:N. Got 'gpu'"),
    ],
)
def test_an_unknown_option_is_refused(option: str, value: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        load_musicnn(**{**OPTIONS, option: value})


# --- the released weights ---


@pytest.mark.skipif(
    ARCHIVE is None, reason="MARBLE_EVAL_MUSICNN does not name the source archive of musicnn"
)
@pytest.mark.parametrize("variant", ["MTT_musicnn", "MSD_musicnn"])
def test_released_weights_give_what_the_original_gives(variant: str) -> None:
    encoder = load_musicnn(**{**OPTIONS, "random": None, "path": ARCHIVE, "variant": variant})

    assert encoder.revision == f"musicnn-0.1.0/{variant}"
    found = differences(encoder.hidden_states(clip()), variant)
    assert max(found.values()) < 2e-5, found
