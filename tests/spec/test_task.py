"""Task cards: which are taken, and what is said of those that are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from marble_eval.errors import SpecError
from marble_eval.registry import read_card
from marble_eval.spec import SPLITS, Excused, Layout, SplitList, TaskSpec, from_mapping
from tests.conftest import SMALL_CARD

LISTS = {
    split: {"file": f"lists/{split}.txt", "sha256": digit * 64}
    for split, digit in zip(SPLITS, "abc", strict=True)
}
LACKING = {"id": "a", "split": "train", "label": "flute", "reason": "never published"}


def card(**changes: Any) -> TaskSpec:
    return from_mapping(TaskSpec, {**yaml.safe_load(SMALL_CARD), **changes}, "task.yaml")


def test_a_card_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    path.write_text(SMALL_CARD)
    spec = read_card(path)
    assert spec == card()
    assert spec.labels == ("flute", "clarinet", "organ")
    assert spec.main_metric == "accuracy"
    assert spec.data == (Layout(form="table", folder=".", path="tracks.csv"),)
    assert spec.protocols["marble-v2"].clip_seconds == 0.4


def test_lists_excuses_and_aliases_are_taken() -> None:
    spec = card(split_lists=LISTS, may_lack=[LACKING], aliases=["Little", "SMALL-2"])
    assert spec.split_lists["valid"] == SplitList("lists/valid.txt", "b" * 64)
    assert spec.may_lack == (Excused("a", "train", "never published", "flute"),)


def test_counts_may_be_unknown() -> None:
    spec = card(sizes={}, label_counts={})
    assert spec.sizes == {}


@pytest.mark.parametrize(
    "layout",
    [
        {"form": "folders", "folder": "*/genres*", "path": "{id}.{extension}", "extensions": ["a"]},
        {"form": "folders", "folder": ".", "path": "audio/{id}.wav", "extensions": ["wav"]},
        {"form": "table", "folder": "..", "path": "tracks.csv"},
        {"form": "jsonl", "folder": ".", "files": {"train": "a", "valid": "b", "test": "c"}},
    ],
)
def test_layouts_are_taken(layout: dict[str, Any]) -> None:
    assert card(data=[layout]).data[0].form == layout["form"]


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        (
            {"form": "jsonl", "folder": "."},
            "'files' must name a file for each of train, valid, test. Got None.",
        ),
        (
            {"form": "jsonl", "folder": ".", "files": {"train": "a", "val": "b", "test": "c"}},
            "'files' must name a file for each of train, valid, test. Got {'train': 'a', 'val'",
        ),
        ({"form": "table", "folder": "."}, "'path' must be given for the form 'table'. Add it."),
        (
            {"form": "folders", "folder": ".", "extensions": ["wav"]},
            "'path' must be given for the form 'folders'. Add it.",
        ),
        (
            {"form": "folders", "folder": ".", "path": "{id}.wav"},
            "'extensions' must be given for the form 'folders'. Add them.",
        ),
        (
            {"form": "folders", "folder": ".", "path": "{genre}/{id}.wav", "extensions": ["wav"]},
            "'path' must hold {id}, and nothing else in braces but {extension}. Got '{genre}/",
        ),
        (
            {"form": "folders", "folder": ".", "path": "x.wav", "extensions": ["wav"]},
            "'path' must hold {id}, and nothing else in braces but {extension}. Got 'x.wav'.",
        ),
        (
            {"form": "folders", "folder": ".", "path": "{id", "extensions": ["wav"]},
            "'path' must hold {id}, and nothing else in braces but {extension}. Got '{id'.",
        ),
        (
            {"form": "table", "folder": "/data", "path": "tracks.csv"},
            "'folder' must lie below the task's root. Got '/data'.",
        ),
        (
            {"form": "folder", "folder": "."},
            "'form' must be one of folders, jsonl, table, pairs, jamendo, nsynth, "
            "vocalset. Got 'folder'. Did you mean 'folders'?",
        ),
    ],
)
def test_a_layout_that_cannot_be_read_is_refused(layout: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        card(data=[layout])
    assert str(caught.value).startswith("task.yaml: 'data'[0]")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "my task"}, "must be made of letters, digits, _ and -. Got 'my task'."),
        ({"name": "../up"}, "must be made of letters, digits, _ and -. Got '../up'."),
        ({"name": ""}, "must be made of letters, digits, _ and -. Got ''."),
        ({"aliases": ["ok", "a,b"]}, "must be made of letters, digits, _ and -. Got 'a,b'."),
        ({"version": 0}, "'version' must be at least 1. Got 0."),
        ({"labels": ["a", "b", "a"]}, "'labels' must be different names. Got ('a', 'b', 'a')."),
        ({"labels": ["a", "b", 3]}, "'labels'[2] must be of type str. Got 3."),
        ({"metrics": ["accuracy", "accuracy"]}, "'metrics' must be different names. Got"),
        ({"length_seconds": [3.0]}, "'length_seconds' must be two numbers. Got (3.0,)."),
        ({"length_seconds": [3.0, 2.0]}, "'length_seconds' must rise. Got (3.0, 2.0)."),
        (
            {"sizes": {"train": 24, "val": 12, "test": 12}},
            "'sizes' must name train, valid, test. Got ['train', 'val', 'test'].",
        ),
        (
            {"sizes": {"train": 0, "valid": 1, "test": 1}},
            "'sizes' of 'train' must be at least 1. Got 0.",
        ),
        (
            {"split_lists": {**LISTS, "test": {"file": "t", "sha256": "F" * 64}}},
            "'sha256' must be 64 hexadecimal digits in lower case. Got 'FFFF",
        ),
        (
            {"split_lists": {**LISTS, "test": {"file": "t", "sha256": "0" * 63}}},
            "'split_lists'['test']: 'sha256' must be 64 hexadecimal digits",
        ),
        (
            {"label_counts": {"train": [8, 8, 8]}},
            "'label_counts' must name train, valid, test. Got ['train'].",
        ),
        (
            {"label_counts": {"train": [8, 8, 8], "valid": [4, 4, 4], "test": [4, 4, 5]}},
            "'label_counts' of 'test' must have one number a label, with the sum 12. "
            "Got (4, 4, 5).",
        ),
        (
            {"label_counts": {"train": [12, 12], "valid": [4, 4, 4], "test": [4, 4, 4]}},
            "'label_counts' of 'train' must have one number a label, with the sum 24.",
        ),
        (
            {"may_lack": [{**LACKING, "label": "oboe"}]},
            "'may_lack' must have labels of the card. Got 'oboe' for 'a'.",
        ),
        (
            {"may_lack": [{**LACKING, "split": "val"}]},
            "'may_lack'[0]: 'split' must be one of train, valid, test. Got 'val'.",
        ),
        (
            {"protocols": {"marble-v1": {"clip_second": 5}}},
            "'protocols'['marble-v1']: unknown name 'clip_second'.",
        ),
        ({"licens": "CC0"}, "unknown name 'licens'. Did you mean 'licence'?"),
    ],
)
def test_a_card_that_breaks_a_rule_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        card(**changes)
    assert str(caught.value).startswith("task.yaml: ")
    assert message in str(caught.value)


def test_rules_of_a_protocol_are_checked_when_the_card_is_read() -> None:
    rules = yaml.safe_load(SMALL_CARD)["protocols"]["marble-v1"]
    with pytest.raises(SpecError) as caught:
        card(protocols={"marble-v1": {**rules, "plateau_factor": 2}})
    assert str(caught.value) == (
        "task.yaml: 'protocols'['marble-v1']: 'plateau_factor' must lie between 0 and 1. Got 2.0."
    )
