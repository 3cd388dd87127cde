"""What the readers' tests share: a small card, its split lists, and empty audio files.

Nothing here opens audio.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml

from marble_eval.data.layouts import Lists, Reading, read_layouts
from marble_eval.kinds.classification import KIND as classification
from marble_eval.spec import Layout, TaskSpec, from_mapping
from tests.conftest import SMALL_CARD

LISTS = {
    "train": ("flute/f.0", "clarinet/c.0", "organ/o.0"),
    "valid": ("flute/f.1", "organ/o.1"),
    "test": ("flute/f.2", "clarinet/c.2"),
}
FILES = {"train": "Small.train.jsonl", "valid": "Small.val.jsonl", "test": "Small.test.jsonl"}
FOLDERS = Layout(form="folders", folder="audio*", path="{id}.{extension}", extensions=("wav", "au"))
JSONL = Layout(form="jsonl", files=FILES)
CSV = Layout(form="table", path="tracks.csv")


def card(*layouts: Layout, **changes: Any) -> TaskSpec:
    spec = from_mapping(TaskSpec, yaml.safe_load(SMALL_CARD), "card")
    sizes = {split: len(ids) for split, ids in LISTS.items()}
    values = {"sizes": sizes, "label_counts": {}, "data": layouts, **changes}
    return dataclasses.replace(spec, **values)


def lists(name: str) -> bytes:
    return "".join(f"{each}.wav\n" for each in LISTS[name]).encode()


def no_lists(name: str) -> bytes:
    raise AssertionError("the published lists are not needed here")


def reading(root: Path, spec: TaskSpec, content: Lists = no_lists) -> Reading:
    return Reading(root, spec, content, classification.label_of)


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def all_ids() -> list[str]:
    return [name for ids in LISTS.values() for name in ids]


def refusal(error: type[Exception], found: Reading) -> str:
    with pytest.raises(error) as caught:
        read_layouts(found)
    return str(caught.value)
