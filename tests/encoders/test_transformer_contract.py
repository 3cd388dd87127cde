"""Tiny checkpoints of the families held to what every encoder must be."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from marble_eval.encoders import Encoder
from marble_eval.registry import load_encoder
from tests.encoders.checkpoints import FAMILIES
from tests.test_encoder_contract import (
    noise,
    test_a_batch_is_its_clips_one_by_one,
    test_a_clip_too_short_is_refused,
    test_audio_of_another_form_is_refused,
    test_clips_do_not_hear_each_other,
    test_different_clips_give_different_numbers_in_every_layer,
    test_frames_come_at_the_frame_rate,
    test_hidden_states_have_their_axes,
    test_its_shortest_input_gives_a_frame,
    test_nothing_becomes_nan,
    test_what_it_may_say_has_its_type,
)

__all__ = [
    "test_a_batch_is_its_clips_one_by_one",
    "test_a_clip_too_short_is_refused",
    "test_audio_of_another_form_is_refused",
    "test_clips_do_not_hear_each_other",
    "test_different_clips_give_different_numbers_in_every_layer",
    "test_frames_come_at_the_frame_rate",
    "test_hidden_states_have_their_axes",
    "test_its_shortest_input_gives_a_frame",
    "test_nothing_becomes_nan",
    "test_what_it_may_say_has_its_type",
]

#: One of each kind: norms before and after, coarser layers, windows, an extractor; the config
#: `hf` runs a HuBERT through the contract itself.
KINDS = ("wav2vec2-large", "data2vec", "sew", "ast", "whisper", "clap-fused", "wav2vec2-bert")


@pytest.fixture(scope="module", params=KINDS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("checkpoint") / name
    FAMILIES[name](made)
    return made


def load(folder: Path) -> Encoder:
    return load_encoder("hf", path=str(folder), device="cpu")


@pytest.fixture(scope="module")
def encoder(folder: Path) -> Encoder:
    return load(folder)


def test_it_is_an_encoder_and_the_same_when_loaded_again(encoder: Encoder, folder: Path) -> None:
    audio = noise(encoder)
    kept, before = audio.clone(), torch.get_rng_state()
    numpy_before = np.random.get_state()[1].copy()  # type: ignore[index]

    first = encoder.hidden_states(audio)
    again = load(folder)

    assert isinstance(encoder, Encoder)
    assert torch.equal(audio, kept)
    assert torch.equal(torch.get_rng_state(), before)
    assert (np.random.get_state()[1] == numpy_before).all()  # type: ignore[index]
    assert torch.equal(again.hidden_states(audio), first)
    assert again.fingerprint() == encoder.fingerprint()


def test_one_sample_too_few_is_refused(encoder: Encoder) -> None:
    shortest = getattr(encoder, "minimum_samples", 1)
    with pytest.raises(ValueError, match=f"at least {shortest} samples"):
        encoder.hidden_states(torch.zeros(1, shortest - 1))


def test_threads_that_share_it_get_the_same_as_alone(encoder: Encoder) -> None:
    clips = noise(encoder, 0.7)
    found: dict[int, torch.Tensor] = {}

    def encode(at: int) -> None:
        torch.set_num_threads(1)
        for _ in range(3):
            found[at] = encoder.hidden_states(clips[at : at + 1])

    threads = [threading.Thread(target=encode, args=(at,)) for at in range(len(clips))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for at in range(len(clips)):
        alone = encoder.hidden_states(clips[at : at + 1])
        torch.testing.assert_close(found[at], alone, rtol=0, atol=1e-5)
