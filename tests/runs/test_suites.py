"""Suites: their lists, and runs of several tasks of which some are missing or fail."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from marble_eval.errors import MarbleError, MissingError, SpecError, ValidationError
from marble_eval.registry import load_encoder, load_probe, load_task, task_folders
from marble_eval.registry.configuration import load_engine, load_protocol, run_defaults
from marble_eval.runs.run import run
from marble_eval.runs.suites import (
    Outcome,
    Suite,
    exit_code,
    load_suite,
    run_suite,
    suite_names,
    summary_table,
)
from marble_eval.spec import Settings, from_mapping
from tests.conftest import write_small_task

PUBLISHED = Path(__file__).parents[2] / "results" / "published" / "marble_2023.csv"


class Heard:
    """A progress that remembers what was said."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def begin(self, title: str, total: int) -> None:
        """Take no notice."""

    def advance(self, steps: int = 1) -> None:
        """Take no notice."""

    def say(self, sentence: str) -> None:
        """Remember."""
        self.sentences.append(sentence)

    def end(self) -> None:
        """Take no notice."""


def settings(**changes: Any) -> Settings:
    defaults = run_defaults()
    names = ("layers", "seeds", "seed", "missing", "features", "frames", "force")
    values = {name: defaults[name] for name in names} | {
        "root": None,
        "splits": None,
        "results": None,
        "seeds": 1,
        "protocol": load_protocol("quick"),
        "probe": load_probe("linear"),
        "engine": load_engine("local"),
    }
    return from_mapping(Settings, values | changes, "test")


def refusal(name: str) -> str:
    with pytest.raises(SpecError) as caught:
        load_suite(name)
    return str(caught.value)


# --- lists ---


def test_the_lists_name_tasks_that_there_are() -> None:
    assert suite_names() == ("embedded", "marble-v1", "marble-v2")
    known = task_folders()
    for name in suite_names():
        suite = load_suite(name)
        assert suite.name == name
        assert set(suite.tasks) <= set(known)
        embedded = {known[task].spec.embedded for task in suite.tasks}
        assert embedded == {name == "embedded"}


def test_marble_v1_is_what_was_published_but_for_separation() -> None:
    with PUBLISHED.open(encoding="utf-8", newline="") as stream:
        columns = {row["task"] for row in csv.DictReader(stream)}
    ours = {load_task(task).spec.column for task in load_suite("marble-v1").tasks}
    assert columns - ours == {"MUSDB18"}
    assert ours <= columns


def test_the_embedded_suite_has_every_embedded_task() -> None:
    embedded = {name for name, each in task_folders().items() if each.spec.embedded}
    assert set(load_suite("embedded").tasks) == embedded


def test_a_file_of_one_s_own_names_tasks_aliases_and_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_small_task(tmp_path / "data" / "small")
    path = tmp_path / "data" / "mine.yaml"
    path.write_text("# My tasks.\ntasks: [GTZANGenre, ./small, MTT]\n")
    assert load_suite(str(path)) == Suite("mine", ("GTZAN", f"{folder}/", "MTT"))
    monkeypatch.chdir(tmp_path / "data")
    assert load_suite("mine.yaml") == load_suite("./mine.yaml") == load_suite(str(path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_suite("~/data/mine.yaml").name == "mine"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("marble-v3", "no suite is called 'marble-v3'. Did you mean 'marble-v"),
        ("", "no suite is called ''. Known: embedded, marble-v1, marble-v2."),
        ("./nowhere.yaml", "nowhere.yaml: must be a readable YAML file. "),
    ],
)
def test_an_unknown_suite_gets_near_misses(name: str, message: str) -> None:
    assert refusal(name).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tasks: [GTZN]", "no task is called 'GTZN'. Did you mean 'GTZAN'"),
        ("tasks: [GTZAN, GTZANGenre]", "each once. Got GTZAN twice."),
        ("tasks: []", "'tasks' must name one task or more, each once. Got none."),
        ("tasks: GTZAN", "'tasks' must be a list. Got 'GTZAN'."),
        ("tasks: [5]", "'tasks'[0] must be of type str. Got 5."),
        ("[GTZAN]", "must have a list 'tasks', and nothing else. Got ['GTZAN']."),
        ("task: [GTZAN]", "must have a list 'tasks', and nothing else. Got task."),
        ("tasks: [GTZAN]\nname: x", "must have a list 'tasks', and nothing else. Got tasks, name."),
        ("", "must have a list 'tasks', and nothing else. Got None."),
        ("tasks: [", "must be a readable YAML file."),
        ("tasks: [./nowhere]", "'./nowhere' must be a task's folder, with a task.yaml."),
    ],
)
def test_a_list_that_breaks_a_rule_is_told_with_its_path(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    told = refusal(str(path))
    assert told.startswith(f"{path}: ")
    assert message in told


# --- runs ---


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    """A task that runs, one without data, one that fails, and one whose code is broken."""
    write_small_task(tmp_path / "good")
    bad = write_small_task(tmp_path / "bad")
    (bad / "task.yaml").write_text((bad / "task.yaml").read_text().replace("Small", "Bad"))
    (bad / "tracks.csv").write_text("path,label,split\na.wav,drum,train\n")
    broken = write_small_task(tmp_path / "broken")
    (broken / "task.yaml").write_text((broken / "task.yaml").read_text().replace("Small", "Broken"))
    (broken / "task.py").write_text("def score(*given, **options):\n    return 1 / 0\n")
    path = tmp_path / "mine.yaml"
    path.write_text("tasks: [GTZAN, ./bad, ./broken, ./good]\n")
    return load_suite(str(path))


def test_what_is_there_runs_and_the_rest_is_told(suite: Suite, tmp_path: Path) -> None:
    heard = Heard()
    chosen = settings(results=tmp_path / "results")
    outcomes = run_suite(suite, load_encoder("mel"), chosen, heard)
    gtzan, bad, broken, good = outcomes
    assert [each.task for each in outcomes] == ["GTZAN", "Bad", "Broken", "Small"]

    assert isinstance(gtzan.error, MissingError) and not gtzan.there
    assert "must be the folder that holds GTZAN. Got nothing there." in gtzan.reason
    assert isinstance(bad.error, ValidationError) and bad.there
    assert broken.reason.startswith("ZeroDivisionError: division by zero. Run it alone, task=NAME")
    assert [each.exit_code for each in outcomes] == [0, 4, 1, 0]
    assert exit_code(outcomes) == 4

    assert good.finished is not None and good.finished.path is not None
    stored = json.loads(good.finished.path.read_text())
    assert stored["task"]["name"] == "Small"
    alone = run(load_task(f"{tmp_path}/good/"), load_encoder("mel"), chosen, Heard())
    assert alone.was_there and alone.path == good.finished.path

    assert heard.sentences[0] == "mine, 1 of 4: GTZAN"
    assert any(each.startswith("Bad: ") and "unknown label 'drum'" in each
               for each in heard.sentences)  # fmt: skip

    table = summary_table(outcomes).splitlines()
    score = good.finished.result.metrics["accuracy"]
    assert table[0].split() == ["task", "metric", "value", "95", "%", "interval", "n", "layer",
                                "published"]  # fmt: skip
    assert table[1].split() == ["GTZAN", "-", "-", "missing", "-", "-", "-"]
    assert table[2].split() == ["Bad", "-", "-", "failed", "-", "-", "-"]
    assert table[4].split() == [
        *("Small", "accuracy", f"{100 * score.value:.1f}"),
        *(f"[{100 * score.low:.1f},", f"{100 * score.high:.1f}]", *score.counted.split()),
        *("log-mel", "-"),
    ]
    assert table[5].split()[0] == "macro_f1"
    assert table.index("failed: 2 of 4 tasks") < table.index("missing: 1 of 4 tasks")
    assert table[-1] == f"  GTZAN: {gtzan.reason}"


def test_single_lost_files_are_a_failure_and_not_missing_data(tmp_path: Path) -> None:
    folder = write_small_task(tmp_path / "small")
    (folder / "test_organ_0.wav").unlink()
    (outcome,) = run_suite(Suite("one", (f"{folder}/",)), load_encoder("mel"), settings(), Heard())
    assert outcome.there and outcome.exit_code == 3
    assert "test_organ_0.wav: missing" in outcome.reason


def test_nothing_there_at_all_is_code_3() -> None:
    outcomes = run_suite(Suite("two", ("GTZAN", "MTT")), load_encoder("mel"), settings(), Heard())
    assert [each.there for each in outcomes] == [False, False]
    assert exit_code(outcomes) == 3
    assert "missing: 2 of 2 tasks" in summary_table(outcomes)


@pytest.mark.parametrize("name", ["GTZAN", "gtzan"])
def test_a_root_has_a_folder_for_each_data_set(gtzan_root: Path, tmp_path: Path, name: str) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / name).symlink_to(gtzan_root)
    (data / "notes.txt").touch()
    one = Suite("one", ("GTZAN",))
    (outcome,) = run_suite(one, load_encoder("mel"), settings(), Heard(), root=data, dry_run=True)
    assert outcome.error is None
    assert "GTZAN@1: train 443, valid 197, test 290" in outcome.forecast
    assert outcome.forecast in summary_table([outcome])
    assert exit_code([outcome]) == 0


def test_tasks_of_one_data_set_share_its_folder_and_the_home_comes_after_the_root(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    (data / "NSynth").mkdir(parents=True)
    (tmp_path / "home" / "data" / "EMO").mkdir(parents=True)
    names = ("NSynthP", "NSynthI", "EMO", "GTZAN")
    outcomes = run_suite(Suite("some", names), load_encoder("mel"), settings(), Heard(), root=data)
    looked = [each.reason.split(":")[0] for each in outcomes]
    assert looked == [
        f"{data}/NSynth",
        f"{data}/NSynth",
        f"{tmp_path}/home/data/EMO",
        f"{tmp_path}/home/data/GTZAN",
    ]


def test_a_root_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="must be a folder that holds one folder for each data"):
        run_suite(
            Suite("one", ("GTZAN",)),
            load_encoder("mel"),
            settings(),
            Heard(),
            root=tmp_path / "nowhere",
        )


def test_the_data_of_a_folder_lies_in_the_folder(tmp_path: Path) -> None:
    folder = write_small_task(tmp_path / "small")
    (tmp_path / "data" / "Small").mkdir(parents=True)
    (outcome,) = run_suite(
        Suite("one", (f"{folder}/",)),
        load_encoder("mel"),
        replace(settings(), root=tmp_path / "data"),
        Heard(),
        root=tmp_path / "data",
        dry_run=True,
    )
    assert "48 to encode" in outcome.forecast


def test_published_values_stand_beside_a_known_encoder(small_task: Path) -> None:
    finished = run(load_task(f"{small_task}/"), load_encoder("mel"), settings(), Heard())
    result = finished.result
    known = replace(
        result,
        task=replace(result.task, name="GTZAN", column="GTZAN"),
        encoder=replace(result.encoder, name="MERT-v1-95M"),
    )
    (line,) = [
        each
        for each in summary_table([Outcome("GTZAN", finished._replace(result=known))]).splitlines()
        if each.startswith("GTZAN")
    ]
    assert line.split()[-1] == "74.8"  # arXiv 2306.10548, Table 3


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ([Outcome("a")], 0),
        ([Outcome("a"), Outcome("b", error=MissingError("x"), there=False)], 0),
        ([Outcome("a"), Outcome("b", error=MissingError("x"))], 3),
        ([Outcome("a", error=MarbleError("x")), Outcome("b", error=SpecError("x"))], 2),
        ([Outcome("a", error=RuntimeError("x"))], 1),
        (
            [
                Outcome("a", error=RuntimeError("x")),
                Outcome("b", error=MissingError("x"), there=False),
            ],
            1,
        ),
    ],
)
def test_the_exit_code_is_that_of_the_worst_failure(outcomes: list[Outcome], code: int) -> None:
    assert exit_code(outcomes) == code


def test_an_interrupt_stops_the_suite(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*given: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("marble_eval.runs.suites.run", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_suite(suite, load_encoder("mel"), settings(), Heard())
