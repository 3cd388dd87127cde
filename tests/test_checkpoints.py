"""A pattern of checkpoints: by step, each once, each with its step in the encoder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from marble_eval.errors import MissingError, SpecError
from marble_eval.registry import checkpoint_series, load_checkpoints

TINY = Path(__file__).parent / "data" / "mert" / "mert-v1-95m-like"


def test_steps_are_numbers_and_not_texts(tmp_path: Path) -> None:
    for name in ("step1000", "step200", "step_30_k"):
        (tmp_path / name).mkdir()
    found = checkpoint_series(f"{tmp_path}/step*/")
    assert [each.step for each in found] == [30, 200, 1000]
    assert found[1].path == tmp_path / "step200"


def test_of_files_the_ending_is_no_step(tmp_path: Path) -> None:
    for name in ("checkpoint_3_4000.mp3", "checkpoint_2_2500.mp3"):
        (tmp_path / name).touch()
    assert [each.step for each in checkpoint_series(f"{tmp_path}/*.mp3")] == [2500, 4000]


def test_a_name_without_a_number_and_a_step_that_is_there_twice_are_refused(
    tmp_path: Path,
) -> None:
    (tmp_path / "best").mkdir()
    with pytest.raises(SpecError, match="best must have its step in its name"):
        checkpoint_series(f"{tmp_path}/*")
    (tmp_path / "best").rmdir()
    (tmp_path / "step5").mkdir()
    (tmp_path / "copy5").mkdir()
    with pytest.raises(SpecError, match=r"each step must be there once\. Got .*copy5 and .*step5"):
        checkpoint_series(f"{tmp_path}/*")


def test_a_pattern_that_matches_nothing_is_missing_data() -> None:
    with pytest.raises(MissingError, match=r"Nothing is there\. Quote the pattern"):
        checkpoint_series("nowhere/step*")


def test_each_checkpoint_is_an_encoder_with_its_step(tmp_path: Path) -> None:
    for step in (20, 100):
        shutil.copytree(TINY, tmp_path / f"step{step}")
    series = load_checkpoints("mert-v1-95m", f"{tmp_path}/step*", device="cpu")
    encoders = list(series)
    assert [getattr(each, "step", None) for each in encoders] == [20, 100]
    revisions = [str(getattr(each, "revision", "")) for each in encoders]
    assert [each.partition("-")[0] for each in revisions] == ["step20", "step100"]
    # The same weights are the same features: steps are no part of the fingerprint.
    assert encoders[0].fingerprint() == encoders[1].fingerprint()


def test_a_path_beside_a_pattern_is_refused(tmp_path: Path) -> None:
    (tmp_path / "step1").mkdir()
    with pytest.raises(SpecError, match=r"'encoder\.path' must be left out"):
        load_checkpoints("mert-v1-95m", f"{tmp_path}/*", device="cpu", path="somewhere")


def test_an_encoder_without_a_path_has_no_checkpoints(tmp_path: Path) -> None:
    (tmp_path / "step1").mkdir()
    with pytest.raises(SpecError, match="unknown option 'path'"):
        next(load_checkpoints("mel", f"{tmp_path}/*", device="cpu"))
