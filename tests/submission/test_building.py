"""Building: whole or not at all, nothing written over, and nothing that would not validate."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from marble_eval.errors import MarbleError, MissingError, SpecError, ValidationError
from marble_eval.submission import build_submission, building, validate_submissions
from marble_eval.submission.checking import check_submission
from tests.submission.edited_submissions import edit
from tests.submission.true_results import true_result


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a conforming result, one that misses tracks, and one of a non-ASCII encoder."""
    root = tmp_path_factory.mktemp("building") / "results"
    true_result(root)
    true_result(root, encoder="lossy", lost=2)
    true_result(root, encoder="Бах-étude")
    return root


def left(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_a_submission_holds_the_results_as_they_were(results: Path, tmp_path: Path) -> None:
    report = build_submission(tmp_path / "out", [results], contact="Ada", note="two\nlines")
    assert (report.findings, report.results, left(tmp_path)) == ([], 3, ["out"])
    out = tmp_path / "out"
    assert left(out) == [
        "LICENCES.md", "README.md", "environment.json", "leaderboard.csv", "leaderboard.wide.csv",
        "results", "submission.json",
    ]  # fmt: skip
    for each in results.rglob("*.*"):
        if each.is_file():
            assert (out / "results" / each.relative_to(results)).read_bytes() == each.read_bytes()
    manifest = json.loads((out / "submission.json").read_text())
    assert sorted(each["encoder"] for each in manifest["results"]) == [
        "lossy", "toy-encoder", "Бах-étude"
    ]  # fmt: skip
    assert [each["conforms"] for each in manifest["results"] if each["encoder"] == "lossy"] == [
        False
    ]
    table = pd.read_csv(out / "leaderboard.csv")
    assert set(table[table["source"] == "run"]["encoder"]) == {"lossy", "toy-encoder", "Бах-étude"}
    readme = (out / "README.md").read_text()
    assert "> two\n> lines\n" in readme
    assert "| lossy | v1 | GTZAN@1 | marble-v1 | no, see its deviations |" in readme
    assert "marble-eval submit validate ." in readme
    assert [each.findings for each in validate_submissions(out)] == [[]]


def test_licences_say_what_is_not_for_commerce_first(built: Path) -> None:
    text = (built / "LICENCES.md").read_text()
    commerce, other = text.index("## No commercial use"), len(text)
    assert commerce < text.index("cc-by-nc-4.0") < other
    assert "weights of toy-encoder (revision v1), from somebody 2025: cc-by-nc-4.0" in text
    assert "data of GTZAN, version 1 of the card in marble-eval" in text


def test_the_environment_is_that_of_the_results_and_of_this_machine(built: Path) -> None:
    values = json.loads((built / "environment.json").read_text())
    ((path, environment),) = values["results"].items()
    assert environment == json.loads((built / path).read_text())["environment"]
    assert values["built_on"]["packages"]["pandas"] == pd.__version__


@pytest.mark.parametrize(
    "make",
    [
        lambda out: (out.mkdir(), (out / "file").write_text("mine")),
        lambda out: out.write_text("mine"),
        lambda out: out.symlink_to(out.parent),
    ],
)
def test_nothing_is_written_over(
    results: Path, tmp_path: Path, make: Callable[[Path], object]
) -> None:
    make(tmp_path / "out")
    with pytest.raises(SpecError, match="must be absent or an empty folder"):
        build_submission(tmp_path / "out", [results])
    assert left(tmp_path) == ["out"]


def test_an_empty_folder_is_taken(built: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert build_submission(tmp_path / "out", [built / "results"]).passed


def test_a_result_found_in_two_folders_is_one(built: Path, tmp_path: Path) -> None:
    folders = [built, built / "results", built / "results/toy-encoder/v1/GTZAN@1/marble-v1"]
    assert build_submission(tmp_path / "deep/out", folders).results == 1


def test_two_results_for_one_place_are_both_named(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built / "results", tmp_path / "again")
    (path,) = (tmp_path / "again").rglob("result.json")
    edit(path, lambda record: record.update(created="2026-01-01T00:00:00Z"))
    with pytest.raises(ValidationError, match=r"must be the only result.*Keep one"):
        build_submission(tmp_path / "out", [built, tmp_path / "again"])
    assert left(tmp_path) == ["again"]


def test_a_bad_result_stops_the_build_and_is_named(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built / "results", tmp_path / "results")
    (path,) = (tmp_path / "results").rglob("result.json")
    edit(path, lambda record: record["metrics"]["accuracy"].update(value=0.99))
    with pytest.raises(ValidationError) as told:
        build_submission(tmp_path / "out", [tmp_path / "results"])
    assert f"{path}: metrics.accuracy.value must be what the predictions score" in str(told.value)
    assert left(tmp_path) == ["results"]
    path.with_name("predictions.parquet").unlink()
    with pytest.raises(ValidationError, match=r"predictions\.parquet: must be there"):
        build_submission(tmp_path / "out", [tmp_path / "results"])
    assert left(tmp_path) == ["results"]


def test_numbers_that_no_table_takes_stop_the_build(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built / "results", tmp_path / "results")
    (path,) = (tmp_path / "results").rglob("result.json")
    edit(path, lambda record: record["metrics"]["accuracy"].update(n=10**30))
    with pytest.raises(ValidationError):
        build_submission(tmp_path / "out", [tmp_path / "results"])
    assert left(tmp_path) == ["results"]


def test_embedded_results_are_a_rehearsal_and_stay_apart(built: Path, tmp_path: Path) -> None:
    true_result(tmp_path / "embedded", "EmbeddedRecipe")
    with pytest.raises(ValidationError, match="1 results on embedded data must not"):
        build_submission(tmp_path / "out", [tmp_path / "embedded", built])
    with pytest.raises(ValidationError, match="1 results on real data must not"):
        build_submission(tmp_path / "out", [tmp_path / "embedded", built], embedded=True)
    report = build_submission(tmp_path / "out", [tmp_path / "embedded"], embedded=True)
    assert report.passed
    assert "**A rehearsal**" in (tmp_path / "out/README.md").read_text()


def test_no_result_is_no_submission(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        build_submission(tmp_path / "out", [tmp_path / "nowhere"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValidationError, match="must hold a result"):
        build_submission(tmp_path / "out", [tmp_path / "empty"])
    assert left(tmp_path) == ["empty"]


@pytest.mark.parametrize(
    ("error", "told"), [(KeyboardInterrupt, KeyboardInterrupt), (OSError, MarbleError)]
)
def test_ctrl_c_or_a_full_disk_leaves_nothing(
    built: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: type[BaseException],
    told: type[BaseException],
) -> None:
    def fails(*arguments: object, **options: object) -> None:
        raise error("No space left on device")

    for step in ("write_tables", "check_submission"):
        with monkeypatch.context() as patch:
            patch.setattr(building, step, fails)
            with pytest.raises(told):
                build_submission(tmp_path / "out", [built])
        assert left(tmp_path) == []


def test_of_two_builds_into_one_folder_the_second_is_refused_in_words(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = check_submission

    def meanwhile(folder: Path) -> object:
        (tmp_path / "out").mkdir()
        (tmp_path / "out/first").touch()
        return check(folder)

    monkeypatch.setattr(building, "check_submission", meanwhile)
    with pytest.raises(MarbleError, match="by one build alone") as caught:
        build_submission(tmp_path / "out", [results])
    assert "Errno" not in str(caught.value)
    assert left(tmp_path) == ["out"] and left(tmp_path / "out") == ["first"]
