"""What another process starts with, and how it answers when something is wrong."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from marble_eval.encoders.mert import random_mert
from marble_eval.errors import MarbleError, SpecError
from marble_eval.features.clip_rules import ClipCuts
from marble_eval.features.workers.messages import Form, Greeting, WorkerOptions
from marble_eval.features.workers.remote_worker import RemoteWorker, identity_of, worker_setup
from marble_eval.registry import load_encoder
from marble_eval.registry.encoders import EncoderRecipe, load_recipe
from marble_eval.spec import Windowing

WINDOWING = Windowing("mean", "torchaudio-sinc", "track", None, 0.25, None, "keep", 0.1)
OPTIONS = WorkerOptions((Form(ClipCuts(WINDOWING, False, 24000, 400), "float32"),), 1, 1, 1)


def test_a_recipe_makes_the_same_encoder_once_more() -> None:
    first = load_encoder("mert-random", size="small", seed=3, device="cpu")
    recipe: EncoderRecipe = first.recipe  # type: ignore[attr-defined]
    assert recipe == ("mert-random", {"size": "small", "seed": 3})
    again = load_recipe(pickle.loads(pickle.dumps(recipe)), "cpu")
    assert again.fingerprint() == first.fingerprint()
    assert again is not first


def test_a_recipe_of_a_target_makes_the_same_encoder_once_more() -> None:
    options: dict[str, Any] = {"size": "small", "seed": 3, "precision": "float32"}
    first = load_encoder(target="marble_eval.encoders.mert:random_mert", **options, device="cpu")
    again = load_recipe(first.recipe, "cpu")  # type: ignore[attr-defined]
    assert again.fingerprint() == first.fingerprint()


def test_weights_are_sent_only_where_there_is_no_recipe() -> None:
    by_name = load_encoder("mert-random", size="small", device="cpu")
    whole = random_mert(size="small", seed=0, precision="float32", device="cpu")
    recipe, weights = (len(worker_setup(each, OPTIONS).encoder) for each in (by_name, whole))
    assert recipe < 500
    assert weights > 4_000_000  # two million parameters
    for each in (by_name, whole):
        greeting = RemoteWorker(worker_setup(each, OPTIONS), "cpu").greet()
        assert isinstance(greeting, Greeting)
        assert greeting.identity == identity_of(by_name, OPTIONS)


def test_what_cannot_be_pickled_is_refused_with_a_way_out() -> None:
    whole = random_mert(size="small", seed=0, precision="float32", device="cpu")
    whole.hook = lambda: None  # type: ignore[attr-defined]
    with pytest.raises(SpecError, match=r"load_encoder, or be an object that pickle takes.*Take"):
        worker_setup(whole, OPTIONS)


def test_an_encoder_that_does_not_load_there_is_the_answer(tmp_path: Path) -> None:
    encoder = load_encoder("mert-random", size="small", device="cpu")
    encoder.recipe = EncoderRecipe(None, {"target": "not_there:make"})  # type: ignore[attr-defined]
    answer = RemoteWorker(worker_setup(encoder, OPTIONS), "cpu").greet()
    assert isinstance(answer, SpecError)
    assert "not_there" in str(answer)
    spoiled = worker_setup(encoder, OPTIONS)._replace(encoder=b"no pickle")
    answer = RemoteWorker(spoiled, "cpu").greet()
    assert isinstance(answer, MarbleError)
    assert "the encoder must load there. Got UnpicklingError" in str(answer)


class _OwnError(Exception):
    """Of a class that only this module has."""


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (MarbleError("who, which rule"), MarbleError, "who, which rule"),
        (RuntimeError("mat1 and mat2"), RuntimeError, "mat1 and mat2"),
        (_OwnError("my own"), MarbleError, "_OwnError: my own"),
    ],
)
def test_errors_are_answers_that_can_be_sent(
    error: Exception, kind: type[Exception], words: str
) -> None:
    worker = RemoteWorker(
        worker_setup(load_encoder("mert-random", size="small", device="cpu"), OPTIONS), "cpu"
    )

    def broken() -> Any:
        raise error
        yield

    worker._encoded = broken()
    answer = worker.answer([])
    received = pickle.loads(pickle.dumps(answer))
    assert (type(received), str(received)) == (kind, words)
    notes = "".join(getattr(received, "__notes__", []))
    assert ("in broken" in notes) == (not isinstance(error, MarbleError))
