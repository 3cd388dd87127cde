"""EmbeddedBeat: the README against the data, and the card's decoder against the tempi."""

from __future__ import annotations

import re
from pathlib import Path

import mir_eval
import numpy as np

from marble_eval.embedded.beats import CLIP_SECONDS, annotation_of, beats
from marble_eval.registry import load_task
from marble_eval.spec import SPLITS

CLIPS = beats().clips
ANNOTATED = {
    split: [annotation_of(clip.recipe) for clip in CLIPS if clip.split == split] for split in SPLITS
}


def table(heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading of the README, without its head."""
    text = (Path(__file__).parent / "README.md").read_text(encoding="utf-8")
    section = re.split(r"^## ", text.split(f"\n## {heading}\n")[1], flags=re.MULTILINE)[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows][2:]


def test_the_readme_s_splits_are_the_data_s() -> None:
    sizes = load_task("EmbeddedBeat").spec.sizes
    rows = table("Splits")
    assert [row[0] for row in rows] == list(SPLITS)
    for split, *counts in rows:
        found = ANNOTATED[split]
        assert [int(count.replace(",", "")) for count in counts] == [
            sizes[split],
            sum(len(each.beats) for each in found),
            sum(len(each.downbeats) for each in found),
        ]


def test_the_readme_s_floor_is_what_a_grid_scores() -> None:
    """The best tempo of train, from the start of the clip on, scored on test by mir_eval."""

    def scores(which: int, tempo: int, split: str) -> float:
        grid = np.arange(0.0, CLIP_SECONDS, 60 / tempo)
        found = [mir_eval.beat.f_measure(each[which], grid) for each in ANNOTATED[split]]
        return 100 * float(np.mean(found))

    rows = [row for row in table("Measured") if row[0] == "a grid, without ears"]
    assert len(rows) == 1
    for which, tempi, told in ((0, range(55, 216), rows[0][1]), (1, range(15, 76), rows[0][2])):
        best = max(tempi, key=lambda tempo: scores(which, tempo, "train"))
        assert f"{scores(which, best, 'test'):.1f}" == told


def test_both_protocols_train_on_frames_alike_and_score_alike() -> None:
    first, second = load_task("EmbeddedBeat").spec.protocols.values()
    assert first.frames == second.frames
    assert first.clip_seconds is None
    assert second.clip_seconds is not None and second.clip_seconds < CLIP_SECONDS


def test_good_outputs_are_decoded_in_spite_of_the_drift_in_both_metres() -> None:
    task = load_task("EmbeddedBeat")
    rules = task.rules("marble-v1").frames
    assert rules is not None
    frames, rate = round(CLIP_SECONDS * 75), 75.0
    for which in range(2):
        scores = []
        for reference in ANNOTATED["test"][::6]:
            targets = task.frame_kind.encode(
                reference, frames, rate, task.spec, rules, widened=True
            )
            chances = 0.03 + 0.6 * targets.astype(np.float64)
            estimate = task.frame_kind.decode(
                np.log(chances / (1 - chances)), rate, task.spec, rules
            )
            scores.append(mir_eval.beat.f_measure(reference[which], estimate[which]))
        assert np.mean(scores) > 0.97
