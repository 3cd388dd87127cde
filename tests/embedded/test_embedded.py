"""What all data sets on embedded music have in common, held against their cards."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import marble_eval
from marble_eval.embedded import EMBEDDED
from marble_eval.embedded.collection import SAMPLE_RATE, Collection, write_collection
from marble_eval.embedded.instrument_families import instrument_families
from marble_eval.embedded.keys import compose_in, keys
from marble_eval.embedded.pitches import note_of, pitches
from marble_eval.embedded.recipe_parameters import arrange as arrange_parameters
from marble_eval.embedded.recipe_parameters import recipe_parameters
from marble_eval.embedded.renderer import Renderer
from marble_eval.embedded.styles import arrange as arrange_style
from marble_eval.embedded.styles import styles
from marble_eval.embedded.tags import arrange as arrange_tags
from marble_eval.embedded.tags import tags
from marble_eval.files.fingerprint import digest_of
from marble_eval.registry import load_task, task_names
from marble_eval.runs.task_data import task_tracks
from marble_eval.spec import SPLITS

COLLECTIONS: dict[str, Collection[Any]] = {
    "EmbeddedGenre": styles(),
    "EmbeddedInstrument": instrument_families(),
    "EmbeddedKey": keys(),
    "EmbeddedPitch": pitches(),
    "EmbeddedRecipe": recipe_parameters(),
    "EmbeddedTagging": tags(),
}


@pytest.fixture(params=COLLECTIONS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def click(renderer: Renderer, recipe: object) -> np.ndarray:
    """Stand for the music: a tenth of a second of noise that belongs to the recipe."""
    seed = int(digest_of(recipe)[:8], 16)
    return (0.1 * np.random.default_rng(seed).standard_normal(2400)).clip(-1, 1).astype(np.float32)


@pytest.fixture
def clicks(name: str, tmp_path: Path) -> Path:
    """All rows of a data set, with clicks in place of the music."""
    return write_collection(tmp_path / name, replace(COLLECTIONS[name], play=click))


def test_every_task_on_embedded_music_has_a_writer() -> None:
    cards = {task for task in task_names() if load_task(task).spec.embedded}
    assert set(EMBEDDED) == cards == {*COLLECTIONS, "EmbeddedBeat"}  # which has a test of its own
    assert {load_task(task).spec.kind for task in EMBEDDED} == {
        *("beat", "classification", "key", "pitch", "regression", "tagging"),
    }


def test_a_writer_writes_its_collection(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[Path, Collection[Any]]] = []

    def write(root: Path, collection: Collection[Any]) -> Path:
        written.append((root, collection))
        return root

    monkeypatch.setattr("marble_eval.embedded.write_collection", write)
    assert EMBEDDED[name](tmp_path) == tmp_path
    assert written == [(tmp_path, COLLECTIONS[name])]


def test_rows_follow_the_card(name: str, clicks: Path) -> None:
    task, tracks = task_tracks(load_task(name), clicks, None)  # refuses what the card does not say
    clips = COLLECTIONS[name].clips
    assert [track.group for track in tracks] == [clip.group for clip in clips]
    assert Counter(track.split for track in tracks) == task.spec.sizes
    with (clicks / "tracks.csv").open(newline="", encoding="utf-8") as stream:
        header = next(csv.reader(stream))
    labels = task.spec.labels if task.spec.kind == "regression" else ("label",)
    assert header == ["path", *labels, "split", "group"]
    assert task.spec.version == COLLECTIONS[name].version
    (layout,) = task.spec.data
    assert (layout.form, layout.folder, layout.path) == ("table", ".", "tracks.csv")


# The demo's test runs EmbeddedKey and EmbeddedRecipe; EmbeddedInstrument is EmbeddedGenre's kind.
@pytest.mark.parametrize("name", ["EmbeddedGenre", "EmbeddedPitch", "EmbeddedTagging"])
def test_a_run_goes_from_rows_to_scores_at_chance(name: str, clicks: Path) -> None:
    result = marble_eval.evaluate("mel", name, root=clicks, protocol="quick")
    spec = load_task(name).spec
    assert list(result.metrics) == list(spec.metrics)
    score = result.metrics[spec.main_metric]
    assert score.n == spec.sizes["test"]
    chance = {"pitch": 1 / 48, "classification": 1 / 8, "tagging": 1 / 2}[spec.kind]
    assert score.value <= chance + 0.1  # noise has nothing to tell


def test_no_group_is_in_two_splits_and_no_path_is_there_twice(name: str) -> None:
    clips = COLLECTIONS[name].clips
    split_of: dict[str, str] = {}
    for clip in clips:
        assert split_of.setdefault(clip.group, clip.split) == clip.split
    assert set(split_of.values()) == set(SPLITS)
    assert len({clip.path for clip in clips}) == len(clips)
    assert len({digest_of(clip.recipe) for clip in clips}) == len(clips)
    assert all(re.fullmatch(r"audio/\w+\.wav", clip.path) for clip in clips)


def test_clips_are_at_their_level_as_long_as_the_card_says_and_the_same_again(name: str) -> None:
    collection, card = COLLECTIONS[name], load_task(name).spec
    forwards, backwards = Renderer(SAMPLE_RATE), Renderer(SAMPLE_RATE)
    some = collection.clips[:: len(collection.clips) // 12]
    audio = [collection.play(forwards, clip.recipe) for clip in some]
    again = [collection.play(backwards, clip.recipe) for clip in reversed(some)]
    assert [each.tobytes() for each in audio] == [each.tobytes() for each in reversed(again)]
    for each in audio:
        assert len(each) == round(card.length_seconds[0] * SAMPLE_RATE)
        assert -37 < 10 * np.log10(np.mean(np.square(each, dtype=np.float64))) < -23
        assert np.abs(each).max() < 1.0
        tenths = np.square(each).reshape(-1, SAMPLE_RATE // 10).sum(1)
        assert tenths.max() < 0.8 * tenths.sum()  # no click
    hours = len(collection.clips) * card.length_seconds[0] / 3600
    assert card.hours == pytest.approx(hours, abs=0.005)


def test_a_file_holds_the_audio_of_its_recipe(tmp_path: Path) -> None:
    collection = replace(COLLECTIONS["EmbeddedKey"], clips=COLLECTIONS["EmbeddedKey"].clips[:2])
    root = write_collection(tmp_path / "keys", collection)
    played = collection.play(Renderer(SAMPLE_RATE), collection.clips[1].recipe)
    audio, _ = soundfile.read(root / collection.clips[1].path, dtype="float32")
    np.testing.assert_allclose(audio, played, atol=1e-4)


ARRANGED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "EmbeddedGenre": (arrange_style, "b2860b1c6c2017d3ee90157fbc5476f3"),
    "EmbeddedKey": (compose_in, "2c0a2724f795aac4c8cfef0b5f2c73b9"),
    "EmbeddedPitch": (note_of, "c83d754bf29c39c739aa72df60de91be"),
    "EmbeddedRecipe": (arrange_parameters, "5215730a4dd90060a658349e5f6f5b42"),
    "EmbeddedTagging": (arrange_tags, "44c5ae543374fd778c0ba428af13d5af"),
}


@pytest.mark.parametrize("name", ARRANGED)
def test_the_music_is_what_it_was_when_the_recipe_got_its_version(name: str) -> None:
    # When this fails, the data have changed: raise the module's VERSION and the card's version.
    arrange, digest = ARRANGED[name]
    clips = COLLECTIONS[name].clips
    assert digest_of([(clip, arrange(clip.recipe)) for clip in clips]) == digest
