"""NSynthI: its card and README, and what becomes of the family that only train has."""

from __future__ import annotations

import csv
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from marble_eval.registry import Task
from marble_eval.registry import load_task as read_task

FOLDER = Path(__file__).parent
PUBLISHED = FOLDER.parents[1] / "results" / "published" / "marble_2023.csv"
LEAD = 9


@cache
def load_task(name: str) -> Task:
    """Read every card once in this module, not once a test."""
    return read_task(name)


def no_lists(name: str) -> bytes:
    raise AssertionError("NSynth's split is its own")


def readme_table(heading: str) -> list[list[str]]:
    """Return the cells of the table below a heading of the README."""
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    section = re.split(r"^## ", text.split(f"\n## {heading}\n")[1], flags=re.MULTILINE)[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_the_eleven_families_are_in_nsynth_s_order() -> None:
    """Alphabetical, and the same as ``instrument_family`` numbers them."""
    spec = load_task("NSynthInstrument").spec
    assert spec.name == "NSynthI"
    assert list(spec.labels) == sorted(spec.labels) and len(spec.labels) == 11
    assert spec.labels[LEAD] == "synth_lead"
    classes = dict(row for row in readme_table("The data")[2:])["Classes"]
    assert classes == ", ".join(f"{at} {label}" for at, label in enumerate(spec.labels))


def test_the_fixture_s_families_have_the_numbers_that_nsynth_gives_them() -> None:
    task = load_task("NSynthI")
    tracks = task.kind.read_tracks(FOLDER / "fixture" / "data", task.spec, no_lists)
    assert [each.id.rsplit("_", 2)[0] for each in tracks] == [each.label for each in tracks]
    assert task.track_kind.encode(tracks, task.spec).tolist() == [0, 3, 4, 6, 4, 6, 4, 4, 6, 0]


def test_synth_lead_is_left_out_of_the_mean_and_still_costs_what_is_taken_for_it() -> None:
    task = load_task("NSynthI")
    reference = np.array([each for each in range(11) if each != LEAD] * 4)
    estimate = reference.copy()
    assert float(task.track_kind.score(reference, estimate, task.spec)["macro_f1"]) == 1.0
    estimate[0] = LEAD  # one of four bass notes: F1 of bass 2 * 3 / (4 + 3), nine others 1
    value = float(task.track_kind.score(reference, estimate, task.spec)["macro_f1"])
    assert value == pytest.approx((6 / 7 + 9) / 10)
    there = np.unique(reference).tolist()
    assert value == pytest.approx(f1_score(reference, estimate, labels=there, average="macro"))
    counted = f1_score(reference, estimate, average="macro", zero_division=0)
    assert counted == pytest.approx(value * 10 / 11), "what a mean over eleven would be"


def test_the_readme_s_scores_are_those_in_results() -> None:
    with PUBLISHED.open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["task"] == "NSynthI"]
    stored = {row["encoder"]: row["value"] for row in rows}
    shown = {name.split(" (")[0]: value for name, value in readme_table("Published accuracy")[2:]}
    assert shown == stored and len(stored) == 10
