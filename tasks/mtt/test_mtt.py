"""MagnaTagATune as people have it on disk: three layouts, the split by folder, the empty files.

The clips and rows are those of the fixture, written anew in each layout; counts are tried on
a made-up set of all 25,863 names. No network is asked for anything.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import pickle
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.metrics import average_precision_score, roc_auc_score

from marble_eval import evaluate
from marble_eval.audio import clip_bounds
from marble_eval.data.tracks import check_tracks
from marble_eval.errors import MissingError, ValidationError
from marble_eval.registry import Task, load_task
from marble_eval.registry.configuration import load_protocol
from marble_eval.runs.task_data import task_tracks
from marble_eval.spec import SPLITS, Track

ROOT = Path(__file__).parents[2]
FIXTURE = Path(__file__).parent / "fixture" / "data"
SIZES = {"train": 18709, "valid": 1825, "test": 5329}
FILES = {"train": "train", "valid": "val", "test": "test"}
EMPTY = (
    "6/norine_braun-now_and_zen-08-gently-117-146",
    "8/jacob_heringman-josquin_des_prez_lute_settings-19-gintzler__pater_noster-204-233",
    "9/american_baroque-dances_and_suites_of_rameau_and_couperin-25-le_petit_rien_xiveme_ordre_"
    "couperin-88-117",
)
FOREIGN: dict[str, Callable[..., float]] = {
    "roc_auc": roc_auc_score,
    "average_precision": average_precision_score,
}
SOLOISTS = "american_bach_soloists"


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARBLE_EVAL_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("MTT")


def no_lists(name: str) -> bytes:
    raise AssertionError("the split is in the paths: no list is to be fetched")


def read(task: Task, root: Path) -> list[Track]:
    """Read and check the clips, as a run does, whatever their number."""
    tracks: list[Track] = task.kind.read_tracks(root, task.spec, no_lists)
    check_tracks(tracks, dataclasses.replace(task.spec, sizes={}), root)
    return tracks


def table() -> list[dict[str, str]]:
    """Return the fixture's rows by another reader than ours."""
    with (FIXTURE / "annotations_final.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def split_of(path: str) -> str:
    digit = int(path[0], 16)
    return "train" if digit < 12 else "valid" if digit == 12 else "test"


def as_release(root: Path) -> Path:
    return Path(shutil.copytree(FIXTURE, root))


def as_release_without_mp3_folder(root: Path) -> Path:
    shutil.copytree(FIXTURE / "mp3", root)
    shutil.copy(FIXTURE / "annotations_final.csv", root)
    return root


def as_lists(root: Path, prefix: str = "data/MTT/mp3/") -> Path:
    """Write MARBLE v2's files, with the fields that they have."""
    shutil.copytree(FIXTURE / "mp3", root / "mp3")
    known = load_task("MTT").spec.labels
    for split, name in FILES.items():
        rows = [
            {
                "audio_path": f"{prefix}{row['mp3_path']}",
                "label": sorted(tag for tag in known if row[tag] == "1"),
                "duration": 29.29375,
                "sample_rate": 16000,
                "num_samples": 468700,
                "bit_depth": None,
                "bitrate": 32034,
                "channels": 1,
            }
            for row in table()
            if split_of(row["mp3_path"]) == split
        ]
        text = "".join(f"{json.dumps(row)}\n" for row in rows)
        (root / f"MTT.{name}.jsonl").write_text(text, encoding="utf-8")
    return root


def as_moved_lists(root: Path) -> Path:
    return as_lists(root, prefix="../somewhere/mp3/")


def as_arrays(root: Path, prefix: str = "mp3/") -> Path:
    """Write MARBLE v1's files: tags in an order of their own, numbers that are row numbers."""
    shutil.copytree(FIXTURE / "mp3", root / "mp3")
    tags, rows = sorted(load_task("MTT").spec.labels), table()
    np.save(root / "tags.npy", np.array(tags))
    np.save(root / "binary_label.npy", np.array([[int(row[tag]) for tag in tags] for row in rows]))
    for split in SPLITS:
        lines = [
            f"{number}\t{prefix}{row['mp3_path']}\n"
            for number, row in enumerate(rows)
            if split_of(row["mp3_path"]) == split
        ]
        (root / f"{split}.tsv").write_text("".join(lines), encoding="utf-8")
    return root


def as_arrays_with_short_paths(root: Path) -> Path:
    return as_arrays(root, prefix="")


LAYOUTS: list[Callable[[Path], Path]] = [
    as_release,
    as_release_without_mp3_folder,
    as_lists,
    as_moved_lists,
    as_arrays,
    as_arrays_with_short_paths,
]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_clips(
    task: Task, tmp_path: Path, layout: Callable[[Path], Path]
) -> None:
    tracks = read(task, layout(tmp_path / "MTT"))
    found = {each.id: (each.split, each.label) for each in tracks}
    expected = {
        row["mp3_path"].removesuffix(".mp3"): (
            split_of(row["mp3_path"]),
            tuple(tag for tag in task.spec.labels if row[tag] == "1"),
        )
        for row in table()
    }
    assert found == expected and len(tracks) == 12
    assert all(each.path.is_file() and each.path.name.endswith(".mp3") for each in tracks)
    assert {each.id: each.group for each in tracks} == {
        name: f"{split}/{name[2:].split('-')[0]}" for name, (split, _) in expected.items()
    }


def test_twelve_folders_are_for_training_one_for_validation_three_for_test(
    task: Task, tmp_path: Path
) -> None:
    columns = [*task.spec.labels, "mp3_path"]
    lines = ["\t".join(["clip_id", *columns])]
    for number, digit in enumerate("0123456789abcdef"):
        lines.append("\t".join([str(number), *"0" * 50, f"{digit}/{digit}-x-01-y-0-29.mp3"]))
    (tmp_path / "annotations_final.csv").write_text("\n".join(lines), encoding="utf-8")
    tracks = task.kind.read_tracks(tmp_path, task.spec, no_lists)
    assert "".join(each.split[0] + each.split[1] for each in tracks) == "tr" * 12 + "va" + "te" * 3


def test_a_clip_without_any_of_the_50_tags_is_kept(task: Task, tmp_path: Path) -> None:
    """Ambient groove has no tag at all; of the baroque, lute and drone only the card's stay."""
    for layout in (as_release, as_lists, as_arrays):
        tracks = read(task, layout(tmp_path / layout.__name__))
        labels = {each.id[:4]: each.label for each in tracks}
        assert labels["b/dj"] == ()
        assert labels["c/ra"] == ("ambient",) and labels["a/ja"] == ("guitar", "classical")
        targets = task.track_kind.encode(tracks, task.spec)
        assert targets.shape == (12, 50) and sorted(targets.sum(axis=1))[0] == 0


def test_the_other_138_columns_are_there_and_left_alone(task: Task) -> None:
    tags = set(table()[0]) - {"clip_id", "mp3_path"}
    assert len(tags) == 188 and set(task.spec.labels) < tags
    assert any(row["baroque"] == "1" for row in table())


def test_the_labels_are_the_50_in_published_order(task: Task) -> None:
    labels = task.spec.labels
    assert len(labels) == 50 and labels[:4] == ("guitar", "classical", "slow", "techno")
    assert labels[-3:] == ("metal", "female voice", "choral")
    assert {"no voice", "no vocal", "no vocals"} < set(labels)


def test_an_artist_on_two_sides_is_two_groups(task: Task, tmp_path: Path) -> None:
    """The Bach Soloists are in 0 and f, Paternoster in 1, 2 and c, as in the published split."""
    tracks = read(task, as_release(tmp_path / "MTT"))
    groups = {each.group for each in tracks}
    assert {f"train/{SOLOISTS}", f"test/{SOLOISTS}"} < groups
    of_cellist = Counter(each.group for each in tracks if "vito_paternoster" in each.group)
    assert of_cellist == {"train/vito_paternoster": 2, "valid/vito_paternoster": 2}


# --- the whole set ---


def write_set(
    root: Path, sizes: dict[str, int], *, without: tuple[str, ...] = (), fewer: int = 0
) -> None:
    """Write MARBLE v2's lists of so many clips, the three empty ones among them."""
    digits = {"train": "0123456789ab", "valid": "c", "test": "def"}
    for split, name in FILES.items():
        names = [*EMPTY] if split == "train" else []
        for number in range(sizes[split] - len(names)):
            folder = digits[split][number % len(digits[split])]
            names.append(f"{folder}/artist{number % 7}-album-{number}-title-0-29")
        if split == "train":
            names = [each for each in names if each not in without]
            names = names[: len(names) - fewer]
        rows = (
            f'{{"audio_path": "mp3/{each}.mp3", "label": ["{("rock", "pop")[at % 2]}"]}}\n'
            for at, each in enumerate(names)
        )
        (root / f"MTT.{name}.jsonl").write_text("".join(rows), encoding="utf-8")


def test_of_25863_clips_the_three_empty_ones_are_excused(task: Task, tmp_path: Path) -> None:
    assert task.spec.sizes == SIZES and sum(SIZES.values()) == 25863
    assert tuple(each.id for each in task.spec.may_lack) == EMPTY
    assert {each.split for each in task.spec.may_lack} == {"train"}
    write_set(tmp_path, SIZES)  # listed, but no file is there: the empty ones may be absent
    _, tracks = task_tracks(task, tmp_path, None)
    assert Counter(each.split for each in tracks) == {**SIZES, "train": 18706}


def test_no_other_clip_may_be_lacking(task: Task, tmp_path: Path) -> None:
    sizes = {"train": 40, "valid": 8, "test": 9}
    small = dataclasses.replace(task, spec=dataclasses.replace(task.spec, sizes=sizes))
    write_set(tmp_path, sizes, without=EMPTY)
    _, tracks = task_tracks(small, tmp_path, None)
    assert Counter(each.split for each in tracks) == {**sizes, "train": 37}
    write_set(tmp_path, sizes)
    for name in EMPTY:
        path = tmp_path / "mp3" / f"{name}.mp3"
        path.parent.mkdir(parents=True)
        path.touch()
    _, tracks = task_tracks(small, tmp_path, None)
    assert Counter(each.split for each in tracks) == sizes
    shutil.rmtree(tmp_path / "mp3")
    write_set(tmp_path, sizes, without=EMPTY, fewer=1)
    with pytest.raises(ValidationError, match=r"40 tracks, or 37 without 6/norine.*Got 36\."):
        task_tracks(small, tmp_path, None)
    write_set(tmp_path, sizes, fewer=1)
    with pytest.raises(ValidationError, match=r"train must have 40 tracks.*Got 36\."):
        task_tracks(small, tmp_path, None)


# --- what is refused ---


def edit(path: Path, change: Callable[[str], str]) -> None:
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")


def test_an_unknown_tag_in_a_list_is_a_fault(task: Task, tmp_path: Path) -> None:
    root = as_lists(tmp_path / "MTT")
    edit(root / "MTT.test.jsonl", lambda text: text.replace('"opera"', '"oprea"'))
    with pytest.raises(ValidationError, match=r"unknown label 'oprea'.*Did you mean 'opera'"):
        read(task, root)


@pytest.mark.parametrize("layout", [as_lists, as_arrays])
def test_a_clip_on_another_side_than_its_folder_says_is_refused(
    task: Task, tmp_path: Path, layout: Callable[[Path], Path]
) -> None:
    root = layout(tmp_path / "MTT")
    name = "{}.tsv" if layout is as_arrays else "MTT.{}.jsonl"
    here, there = (
        root / name.format(each) for each in ("valid" if layout is as_arrays else "val", "train")
    )
    first, rest = here.read_text().split("\n", 1)
    here.write_text(rest)
    edit(there, lambda text: f"{text}{first}\n")
    with pytest.raises(ValidationError, match=r"c/\S+: must be in valid, .* Got train\."):
        read(task, root)


def test_a_folder_that_is_no_digit_is_refused(task: Task, tmp_path: Path) -> None:
    root = as_release(tmp_path / "MTT")
    edit(root / "annotations_final.csv", lambda text: text.replace('"f/', '"g/'))
    with pytest.raises(ValidationError, match=r"2 rows.*\n.*g/american_bach\S+: must lie in a fol"):
        read(task, root)


def test_bad_rows_of_the_release_are_all_named(task: Task, tmp_path: Path) -> None:
    root = as_release(tmp_path / "MTT")

    def spoil(text: str) -> str:
        lines = text.split("\n")
        lines[1] = lines[1].replace('"1"', '"2"', 1)
        lines[3] = lines[3].replace(".mp3", "")
        lines[5] = "\t".join(lines[5].split("\t")[:100])
        return "\n".join(lines)

    edit(root / "annotations_final.csv", spoil)
    with pytest.raises(ValidationError) as caught:
        read(task, root)
    told = str(caught.value)
    assert told.startswith(f"{root / 'annotations_final.csv'}: 3 rows break a rule")
    assert [int(each) for each in re.findall(r"line (\d+):", told)] == [2, 4, 6]


def test_a_release_without_a_column_is_refused(task: Task, tmp_path: Path) -> None:
    root = as_release(tmp_path / "MTT")
    edit(root / "annotations_final.csv", lambda text: text.replace('"sitar"', '"zither"', 1))
    with pytest.raises(ValidationError, match=r"Missing: sitar\."):
        read(task, root)
    edit(root / "annotations_final.csv", lambda text: text.replace("\t", ","))
    with pytest.raises(ValidationError, match=r"divided by tabs\. Missing: guitar"):
        read(task, root)


class Trap:
    """Leaves a mark if it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("name", ["tags.npy", "binary_label.npy"])
def test_an_array_of_objects_is_refused_without_unpickling_it(
    task: Task, tmp_path: Path, name: str
) -> None:
    root, mark = as_arrays(tmp_path / "MTT"), tmp_path / "mark"
    np.save(root / name, np.array([Trap(mark)], dtype=object), allow_pickle=True)
    with pytest.raises(ValidationError) as caught:
        read(task, root)
    told = str(caught.value)
    assert told.startswith(f"{root / name}: must be an array of numbers or of text")
    assert "Object arrays" in told and "dtype=str" in told and "annotations_final.csv" in told
    assert not mark.exists()
    (root / name).write_bytes(pickle.dumps(Trap(mark)))  # no array at all
    with pytest.raises(ValidationError, match="not of Python objects"):
        read(task, root)
    assert not mark.exists()


def test_a_copy_of_the_release_beside_a_refused_array_is_read_once_it_is_deleted(
    task: Task, tmp_path: Path
) -> None:
    root = as_arrays(tmp_path / "MTT")
    np.save(root / "tags.npy", np.array(task.spec.labels, dtype=object), allow_pickle=True)
    shutil.copy(FIXTURE / "annotations_final.csv", root)
    with pytest.raises(ValidationError):
        read(task, root)
    (root / "tags.npy").unlink()
    assert len(read(task, root)) == 12


def test_arrays_that_do_not_fit_are_refused(task: Task, tmp_path: Path) -> None:
    root = as_arrays(tmp_path / "MTT")
    whole = np.load(root / "binary_label.npy")
    for wrong in (whole[:, :49], whole[0], whole * 2, np.full(whole.shape, np.nan)):
        np.save(root / "binary_label.npy", wrong)
        with pytest.raises(ValidationError, match="must be zeros and ones, a row for each clip"):
            read(task, root)
    np.save(root / "binary_label.npy", whole.astype(float))
    assert len(read(task, root)) == 12
    content = (root / "binary_label.npy").read_bytes()
    (root / "binary_label.npy").write_bytes(content[:-8])
    with pytest.raises(ValidationError, match=r"binary_label\.npy: must be an array"):
        read(task, root)
    (root / "binary_label.npy").write_bytes(content)
    np.save(root / "tags.npy", np.array(["rock"] * 50))
    with pytest.raises(ValidationError, match="must name the 50 tags of MTT, in any order"):
        read(task, root)


def test_bad_rows_of_an_array_s_table_are_all_named(task: Task, tmp_path: Path) -> None:
    root = as_arrays(tmp_path / "MTT")
    edit(root / "train.tsv", lambda text: f"uuid\taudio_path\n12\tmp3/0/x.mp3\n-1 x\n{text}")
    with pytest.raises(ValidationError) as caught:
        read(task, root)
    told = str(caught.value)
    assert re.findall(r"line (\d): must be a row of binary_label\.npy, 0 to 11", told) == list(
        "123"
    )


def test_blank_lines_are_no_rows(task: Task, tmp_path: Path) -> None:
    for layout, name in ((as_release, "annotations_final.csv"), (as_arrays, "test.tsv")):
        root = layout(tmp_path / name)
        edit(root / name, lambda text: text.replace("\n", "\n\n"))
        assert len(read(task, root)) == 12


@pytest.mark.parametrize("name", ["binary_label.npy", "valid.tsv"])
def test_a_part_of_the_arrays_is_refused(task: Task, tmp_path: Path, name: str) -> None:
    root = as_arrays(tmp_path / "MTT")
    (root / name).unlink()
    with pytest.raises(MissingError, match=rf"{name}: must lie beside tags\.npy\. Add it\."):
        read(task, root)


def test_a_folder_with_none_of_the_layouts_is_told(task: Task, tmp_path: Path) -> None:
    shutil.copytree(FIXTURE / "mp3", tmp_path / "mp3")
    with pytest.raises(MissingError) as caught:
        read(task, tmp_path)
    told = str(caught.value)
    for each in ("MTT.train.jsonl", "tags.npy", "annotations_final.csv", "task.root", "task=MTT"):
        assert each in told
    with pytest.raises(MissingError, match="must be the folder that holds MTT"):
        read(task, tmp_path / "nowhere")


# --- protocol, scores, README ---


@pytest.mark.parametrize("samples", [465984, 468700])
def test_both_protocols_hear_a_clip_as_one_piece(task: Task, samples: int) -> None:
    """29.124 s, what other code expects of a clip, and 29.29 s, what a row of v2's lists says."""
    (whole,) = clip_bounds(
        samples, 16000, load_protocol("marble-v1").windowing(task.spec.protocols["marble-v1"])
    )
    assert (whole.start, whole.stop, whole.length) == (0, samples, samples)
    (padded,) = clip_bounds(
        samples, 16000, load_protocol("marble-v2").windowing(task.spec.protocols["marble-v2"])
    )
    assert (padded.start, padded.length) == (0, 480000)


def test_the_fixture_runs_from_files_to_scores(task: Task, tmp_path: Path) -> None:
    """Tones stand for the clips; the result's scores are those of scikit-learn on its outputs."""
    root = as_release(tmp_path / "MTT")
    rng = np.random.default_rng(0)
    for at, path in enumerate(sorted((root / "mp3").rglob("*.mp3"))):
        if path.parent.name == "6":
            continue  # stays empty, as it is in the published archive
        time = np.arange(8000) / 16000
        tone = np.sin(2 * np.pi * (200 + 50 * at) * time) + 0.01 * rng.standard_normal(8000)
        soundfile.write(path, 0.3 * tone, 16000, format="WAV")
    small = dataclasses.replace(task, spec=dataclasses.replace(task.spec, sizes={}))
    result = evaluate("mel", small, root=root, protocol="quick", results=tmp_path / "results")
    (path,) = (tmp_path / "results").rglob("predictions.parquet")
    table = pd.read_parquet(path)
    outputs = [name for name in table.columns if name.startswith("output_")]
    assert result.counts.scored == 3 and len(outputs) == 50
    assert result.task.sizes["train"] == 5, "without the empty file"
    assert any(each.startswith(f"train without {EMPTY[0]}: empty") for each in result.remarks)
    assert not any("left out" in each for each in result.protocol.deviations)
    for metric, foreign in FOREIGN.items():
        values = []
        for seed in sorted(table["seed"].unique()):
            rows = table[(table["split"] == "test") & (table["seed"] == seed)]
            tags = [text.split(";") for text in rows["reference"]]
            values.append(
                np.mean(
                    [
                        foreign([label in each for each in tags], rows[name])
                        for label, name in zip(task.spec.labels, outputs, strict=True)
                        if 0 < sum(label in each for each in tags) < 3
                    ]
                )
            )
        assert list(result.metrics[metric].seed_values) == pytest.approx(values)


def test_scores_are_those_of_scikit_learn(task: Task) -> None:
    rng = np.random.default_rng(1)
    reference = (rng.random((60, 50)) < 0.3).astype(np.int64)
    outputs = rng.standard_normal((60, 50))
    scores = task.track_kind.score(reference, task.track_kind.decode(outputs, task.spec), task.spec)
    for name, foreign in FOREIGN.items():
        assert float(scores[name]) == pytest.approx(foreign(reference, outputs))


def readme() -> str:
    return (Path(__file__).parent / "README.md").read_text(encoding="utf-8")


def test_the_readme_s_tags_are_the_card_s_in_order(task: Task) -> None:
    section = readme().split("## Tags, in order")[1].split("\n## ")[0]
    listed = " ".join(" ".join(re.findall(r"^    (.+)$", section, re.MULTILINE)).split())
    assert listed == ", ".join(f"{at} {label}" for at, label in enumerate(task.spec.labels))


def test_the_readme_s_published_scores_are_those_in_results() -> None:
    with (ROOT / "results" / "published" / "marble_2023.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["task"] == "MTT"]
    stored: dict[str, dict[str, str]] = {}
    for row in rows:
        stored.setdefault(row["encoder"], {})[row["metric"]] = row["value"]
    section = readme().split("## Published scores")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    shown = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert {
        name.split(" (")[0]: {"roc_auc": roc, "average_precision": ap} for name, roc, ap in shown
    } == stored
