"""A task folder with metrics of its own: from the run to the leaderboard and back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

import marble_eval
from marble_eval.errors import SpecError, ValidationError
from marble_eval.leaderboard import board, result_rows
from marble_eval.metrics import Metric
from marble_eval.registry import Task, load_task
from marble_eval.registry.configuration import load_protocol
from marble_eval.results import find_results, read_result
from marble_eval.scores.comparison import difference_of, item_changes, on_common_items
from marble_eval.scores.rescoring import rescored
from marble_eval.scores.rescoring.recorded_task import _found
from marble_eval.spec import FrameRules
from tests.conftest import SMALL_CARD, write_click_task, write_small_task

BALANCED = '''
import numpy as np

from marble_eval.metrics import Metric

METRICS = (Metric("balanced_accuracy", unit="percent"),)


def score(reference, estimate, spec, *, weights=None):
    """Average the recall of the classes that occur."""
    rows = np.ones((1, len(reference))) if weights is None else np.asarray(weights)
    classes = reference == np.unique(reference)[:, None]
    recall = (rows @ (classes & (reference == estimate)).T) / np.maximum(rows @ classes.T, 1e-9)
    held = rows @ classes.T > 0
    found = (recall * held).sum(axis=1) / held.sum(axis=1)
    return {"balanced_accuracy": found[0] if weights is None else found}
'''


def folder(root: Path, code: str, card: str = SMALL_CARD) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / "task.yaml").write_text(card)
    (root / "task.py").write_text(code)
    return root


def balanced(root: Path, metrics: str = "[balanced_accuracy, accuracy]") -> Task:
    card = SMALL_CARD.replace("[accuracy, macro_f1]", metrics)
    return load_task(str(folder(root, BALANCED, card)))


def complaint(root: Path, code: str) -> str:
    with pytest.raises(SpecError) as caught:
        load_task(str(folder(root, code)))
    assert str(caught.value).startswith(f"{root / 'task.py'}: ")
    return str(caught.value)


def test_the_folder_s_metric_and_the_kind_s_are_scored_together(tmp_path: Path) -> None:
    task, rng = balanced(tmp_path / "mine"), np.random.default_rng(0)
    reference, estimate = rng.integers(0, 3, 50), rng.integers(0, 3, 50)
    found = task.track_kind.score(reference, estimate, task.spec)
    assert list(found) == ["balanced_accuracy", "accuracy"]
    assert float(found["balanced_accuracy"]) == pytest.approx(
        balanced_accuracy_score(reference, estimate)
    )
    assert float(found["accuracy"]) == np.mean(reference == estimate)


def test_without_a_list_the_kind_s_metrics_come_first(tmp_path: Path) -> None:
    card = SMALL_CARD.replace("metrics: [accuracy, macro_f1]\n", "")
    task = load_task(str(folder(tmp_path / "mine", BALANCED, card)))
    assert task.spec.metrics == ("accuracy", "macro_f1", "balanced_accuracy")


def test_items_of_a_metric_that_says_nothing_are_scored_as_the_kind_does(tmp_path: Path) -> None:
    task = balanced(tmp_path / "mine")
    metric = task.kind.metrics_of(task.spec)["balanced_accuracy"]
    assert metric.item_scores is not None
    found = metric.item_scores(np.array([0, 1, 2]), np.array([0, 2, 2]), task.spec)
    assert found.tolist() == [1, 0, 1]


def test_a_metric_of_events_is_a_numerator_and_a_denominator(tmp_path: Path) -> None:
    root = write_click_task(tmp_path / "clicks")
    code = (
        "import numpy as np\nfrom marble_eval.metrics import Metric\n"
        "METRICS = (Metric('count_error', unit='1', higher_is_better=False),)\n"
        "def score(reference, estimate, spec, rules):\n"
        "    return np.array([[abs(len(reference.beats) - len(estimate.beats)), 1.0]])\n"
    )
    card = "name: Clicks\nkind: beat\nmetrics: [beat_f1, count_error]\n"
    task = load_task(str(folder(root, code, card)))
    two = task.frame_kind.events_of({"beats": [1.0, 2.0]})
    three = task.frame_kind.events_of({"beats": [1.0, 2.0, 3.0]})
    counts = task.frame_kind.score(three, two, task.spec, FrameRules())
    assert counts.tolist() == [pytest.approx([0.8, 1.0]), [1.0, 1.0]]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def read(root, spec, lists): ...", "Did you mean 'read_tracks'? Known: read_tracks, "),
        ("def score_tracks(r, e, spec): ...", "Did you mean 'read_tracks' or 'score'?"),
        ("def encoded(tracks, spec): ...", "Did you mean 'encode' or 'decode'?"),
        ("def label_of(row, field, spec): ...", "'label_of' is no name that is asked for. Known: "),
        ("def helper(x): ...", "must define at least one of read_tracks, remarks, encode, decode,"),
        ("", "must define at least one of"),
        ("def score(r, e, spec): ...", "'score' must take weights=None, one row for each"),
        ("METRICS = ('accuracy',)", "METRICS must be a tuple of Metric. Got ('accuracy',)."),
        (BALANCED.replace("d_accuracy", "d accuracy"), "must be letters, digits and _, and not"),
        (BALANCED.replace("METRICS", "METRIC"), "metrics must be named METRICS, or begin with _."),
        (BALANCED.replace("def score", "def _score"), "METRICS needs a function 'score'"),
        (BALANCED.replace("balanced_accuracy", "macro_f1"), "names that the kind classification"),
    ],
)
def test_a_task_py_with_a_name_nearly_right_is_refused(
    tmp_path: Path, code: str, message: str
) -> None:
    assert message in complaint(tmp_path / "mine", code)


def test_a_score_of_another_shape_is_refused(tmp_path: Path) -> None:
    code = BALANCED.replace("found[0] if weights is None else found", "found[0]")
    card = SMALL_CARD.replace("[accuracy, macro_f1]", "[balanced_accuracy]")
    task = load_task(str(folder(tmp_path / "mine", code, card)))
    with pytest.raises(SpecError, match=r"must give 'balanced_accuracy' with the shape \(2,\)"):
        task.track_kind.score(np.arange(3), np.arange(3), task.spec, weights=np.ones((2, 3)))


def test_helpers_of_any_other_name_are_welcome(tmp_path: Path) -> None:
    helpers = "def artist_of(name): ...\ndef _read(x): ...\n"
    code = f"{helpers}def remarks(root, spec, lists):\n    return ['x']\n"
    task = load_task(str(folder(tmp_path / "mine", code)))
    assert task.kind.remarks(tmp_path, task.spec, lambda _: b"") == ["x"]


def test_a_metric_has_a_name_and_a_unit() -> None:
    assert Metric("r_squared", "1").written == "r squared"
    with pytest.raises(ValueError, match=r"must be one of percent, dB, 1\. Got '%'"):
        Metric("x", "%")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="must have a name"):
        Metric("", "1")


def test_a_folder_s_metric_goes_from_the_run_to_the_leaderboard_and_back(tmp_path: Path) -> None:
    root = write_small_task(tmp_path / "small")
    folder(root, BALANCED, SMALL_CARD.replace("[accuracy, macro_f1]", "[balanced_accuracy]"))
    quick = replace(load_protocol("quick"), max_epochs=2)
    for encoder in ("mel", "chroma"):
        marble_eval.evaluate(
            encoder, f"{root}/", protocol=quick, seeds=1, results=tmp_path / "results"
        )
    first, second = find_results(tmp_path / "results")
    result = read_result(first)
    score = result.metrics["balanced_accuracy"]
    assert (score.unit, score.written) == ("percent", "balanced accuracy")
    assert 0 <= score.low <= score.value <= score.high <= 1
    assert result.task.folder == str(root)
    (row,) = [each for each in result_rows(result) if each.metric == "balanced_accuracy"]
    assert row.value == pytest.approx(100 * score.value, abs=1e-4)
    columns = [c.header for part in board([first, second]).sections for c in part.columns]
    assert columns.count("Small balanced_accuracy") == 1
    assert rescored(first) == result.metrics
    assert set(rescored(first, ["accuracy"])) == {"accuracy"}
    pair = on_common_items(first, second)
    found = difference_of(*pair[:2], "balanced_accuracy", permutations=100)
    assert found.unit == "percent" and 0 < found.p_permutation <= 1
    assert len(item_changes(*pair[:2], "balanced_accuracy")) <= 12
    (root / "task.py").unlink()
    _found.cache_clear()
    with pytest.raises(ValidationError) as caught:
        rescored(first)
    assert (
        f"Small brought metrics from its folder, {root}: put Small of version 1 there again"
        in str(caught.value)
    )
    assert [each.unit for each in result_rows(read_result(first))] == ["percent"]
