"""The protocol as it was run: every figure in the text is a figure of a record."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from marble_eval.errors import MissingError, ValidationError
from marble_eval.registry import load_probe, probe_record
from marble_eval.report.paper import statement
from marble_eval.results import GridPoint, Missing, Result
from marble_eval.results.caveats import OtherDeviation, RuleChanged
from marble_eval.spec import FrameRules
from tests.report.result_files import embedded, example, write, write_classified

Say = Callable[..., str]


@pytest.fixture
def say(tmp_path: Path) -> Say:
    """State results that were written without predictions."""
    numbers = iter(range(100))

    def of(*results: Result) -> str:
        return statement(write(tmp_path / str(next(numbers)), *results))

    return of


def test_the_example_is_stated_in_full(say: Say) -> None:
    text = say(example())
    for part in (
        "marble-eval 0.1.0 under protocol marble-v1 (version 2, constrained track).",
        "The frozen encoder was toy-encoder (revision v1, 3 layers of width 768, computed in "
        "float32).",
        "GTZAN (version 1) 443, 197 and 4 of 5.",
        "in clips of 30 s without overlap (a shorter last one was kept as it was if it had at "
        "least 1 s, and dropped if not)",
        "stored as float16.",
        "The probe was an MLP with one hidden layer of 512 units and dropout 0.2.",
        "every layer and a learned sum of layers × 2 learning rates (5e-05, 0.001), on seed 1234.",
        "chosen on the validation split alone; the test split was scored once",
        "mean over its 2 seeds",
        "95 % percentile intervals of a bootstrap",
        "1 track could not be used: 1 (no such file: rock.00099).",
        "The record notes: one fit of layer 0 did not converge.",
        "The licence of the weights (CC-BY-NC-4.0) excludes commercial use",
        "Python 3.11.9 with numpy 2.0.0 and torch 2.4.0 on Linux x86_64 (device cpu).",
        "No run deviated from its protocol.",
    ):
        assert part in text
    assert text.count("\n") == 1
    assert "embedded" not in text
    assert "licence of the data" not in text


def test_nothing_is_stated_of_no_results() -> None:
    assert statement([]) == ""


def test_the_order_of_the_files_is_of_no_matter(tmp_path: Path) -> None:
    paths = write(tmp_path, example("mel"), example("MERT", "EMO"))
    assert statement(paths) == statement([*reversed(paths), paths[0]])


def test_departures_are_all_told_and_whose_they_are(say: Say) -> None:
    result = example("MERT")
    said = (RuleChanged("batch_tracks", 128, 64), OtherDeviation("seed 7"))
    strayed = replace(result, protocol=replace(result.protocol, conforms=False, deviations=said))
    text = say(example("mel"), strayed)
    told = "deviated from its protocol: batch_tracks is 128, marble-v1 has 64; seed 7."
    assert f"For MERT, the run {told}" in text
    assert "No run deviated" not in text


def test_two_protocols_get_a_sentence_each(say: Say) -> None:
    result = example("MERT", "EMO")
    quick = replace(
        result, protocol=replace(result.protocol, name="quick", track="semi-constrained")
    )
    text = say(example("mel"), quick)
    assert "under protocol marble-v1 (version 2, constrained track)." in text
    assert "under protocol quick (version 2, semi-constrained track)." in text


def test_embedded_data_is_said_plainly(say: Say) -> None:
    text = say(embedded(example("mel", "EmbeddedKey")), example("mel"))
    assert "EmbeddedKey is embedded data" in text
    assert "not comparable with scores on recorded music" in text


def test_windows_are_told_as_they_were(say: Say) -> None:
    def cut(**changes: object) -> Result:
        result = example()
        windowing = replace(result.features.windowing, **changes)  # type: ignore[arg-type]
        return replace(result, features=replace(result.features, windowing=windowing))

    whole = say(cut(clip_seconds=None, crop_seconds=30.0, channels="first"))
    assert "taken from its first channel, cut to its first 30 s, resampled" in whole
    assert "encoded in one piece; " in whole
    padded = say(cut(clip_seconds=5.0, hop_seconds=2.5, tail="pad", tail_seconds=4.0))
    assert "in clips of 5 s one every 2.5 s (a shorter last one was padded with zeros" in padded
    assert "at least 4 s" in padded
    dropped = say(cut(clip_seconds=5.0, tail="drop"))
    assert "(a shorter last one was dropped)" in dropped


def grid(*points: tuple[str, float, int]) -> tuple[GridPoint, ...]:
    return tuple(GridPoint(layer, setting, seed, 9, 4, 0.5) for layer, setting, seed in points)


def test_the_grid_is_told_from_its_points(say: Say) -> None:
    rates = [(layer, rate, 1) for layer in "012" for rate in (0.1, 0.01)]
    again = [(layer, 0.1, seed) for layer in "012" for seed in (2, 3)]
    text = say(replace(example(), grid=grid(*rates, *again)))
    assert (
        "every layer × 2 learning rates (0.01, 0.1), on seed 1, and the best learning rate of a "
        "layer again on 2 and 3." in text
    )
    every = say(replace(example(), grid=grid(*rates, *[(a, b, 2) for a, b, _ in rates])))
    assert "on seeds 1 and 2." in every
    part = say(replace(example(), grid=grid(("1", 0.1, 1), ("sum", 0.1, 1))))
    assert "layer 1 of 3 and a learned sum of layers × 1 learning rate (0.1), on seed 1." in part


def test_logistic_regression_has_values_of_c(say: Say) -> None:
    probe = probe_record(load_probe("logreg"))
    text = say(replace(example(), probe=probe))
    assert "The probe was logistic regression." in text
    assert "2 values of C" in text
    assert "C and layer were chosen" in text
    assert "learning rate" not in text


def beats(**rules: object) -> Result:
    result = example()
    frames = FrameRules(**rules)  # type: ignore[arg-type]
    features = replace(result.features, pooling="75 frames a second", frame_rate=75.0)
    return replace(
        result,
        task=replace(result.task, kind="beat"),
        protocol=replace(result.protocol, frames=frames),
        features=features,
    )


def test_rules_of_beats_are_told(say: Say) -> None:
    text = say(beats(decoder="dbn", tolerance=0.07, trim_seconds=5.0, window_seconds=10.0))
    assert "hidden states were kept at 75 frames a second" in text.lower()
    assert "windows of 10 s, 8 in a batch" in text
    assert "dynamic Bayesian network (55 to 215 beats and 18 to 72 bars a minute" in text
    assert "within 70 ms of the reference, and those before 5 s were left out" in text
    peaks = say(beats(decoder="peaks"))
    assert "Bayesian" not in peaks
    assert "none was left out at the start" in peaks


def test_what_was_resampled_is_read_from_the_predictions(tmp_path: Path) -> None:
    right = [True, False, True, True]
    apart = write_classified(tmp_path / "a", example(), right, ["w", "x", "y", "z"])
    shared = write_classified(tmp_path / "b", example(), right, ["x", "x", "y", "y"])
    assert "over the test tracks." in statement([apart])
    text = statement([shared])
    assert "over groups of test tracks that belong together." in text
    assert "The test tracks form 2 groups." in text
    assert "the predictions that would tell are not there" in statement(write(tmp_path, example()))


def test_the_number_of_resamples_is_that_of_this_version_alone(say: Say) -> None:
    assert version("marble-eval") == example().tool_version
    assert "with 1,000 resamples" in say(example())
    assert "resamples" not in say(replace(example(), tool_version="0.0.9"))


def test_many_missing_tracks_are_counted_by_reason(say: Say) -> None:
    missing = (
        *(Missing(f"rock.{number}", "too short") for number in range(6)),
        Missing("pop.1", "no such file"),
    )
    counts = replace(example().counts, expected=11, missing=missing)
    text = say(replace(example(), counts=counts))
    assert "7 tracks could not be used: 1 (no such file: pop.1) and 6 (too short)." in text


def test_overlap_step_and_foreign_code_are_told(say: Say) -> None:
    encoder = replace(
        example().encoder, step=2000, remote_code="owner/name@abc", overlap="half of GTZAN",
        licence="MIT",
    )  # fmt: skip
    data = replace(example().task, licence="CC BY-NC-SA 4.0")
    text = say(replace(example(), encoder=encoder, task=data))
    assert "step 2000 of its pre-training" in text
    assert "by the code of owner/name@abc" in text
    assert "The weights may have seen data of the task: half of GTZAN." in text
    assert "licence of the weights" not in text
    assert "The licence of the data (CC BY-NC-SA 4.0) excludes commercial use" in text


def test_latex_is_the_same_text_escaped(tmp_path: Path) -> None:
    paths = write(tmp_path, example("a_b & 5 %"))
    latex = statement(paths, latex=True)
    assert r"a\_b \& 5 \%" in latex
    assert not re.search(r"(?<!\\)[%&#_]", latex)
    plain = latex.replace(r"{$\times$}", "×").replace("\\", "")
    assert plain == statement(paths)


def test_changed_predictions_are_refused_and_a_missing_result_is(tmp_path: Path) -> None:
    path = write_classified(tmp_path / "a", example(), [True, False], ["x", "y"])
    path.with_name("predictions.parquet").write_bytes(b"other")
    with pytest.raises(ValidationError, match=r"predictions\.parquet"):
        statement([path])
    with pytest.raises(MissingError):
        statement([tmp_path / "none" / "result.json"])
