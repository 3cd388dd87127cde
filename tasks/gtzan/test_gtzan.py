"""GTZAN as people have it on disk: every layout, every known fault, every count.

The audio is synthetic, a few samples a file. The split lists are synthetic ones of the
same sizes, and the published ones too where a folder of them lies beside the checkout.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import itertools
import json
import re
import socket
import struct
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from marble_eval.audio import clip_bounds
from marble_eval.data.splits import published_list
from marble_eval.data.tracks import check_tracks
from marble_eval.errors import MissingError, ValidationError
from marble_eval.progress import Silence
from marble_eval.registry import Task, load_probe, load_task
from marble_eval.registry.configuration import load_engine, load_protocol, run_defaults
from marble_eval.results.caveats import TracksLeftOut
from marble_eval.runs.run_plan import RunPlan, plan_run
from marble_eval.spec import SPLITS, Settings, SplitList, Track, from_mapping

if TYPE_CHECKING:
    import torch

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT.parent / "shared" / "data" / "splits"
GENRES = "blues classical country disco hiphop jazz metal pop reggae rock".split()
SIZES = {"train": 443, "valid": 197, "test": 290}
JAZZ_54 = "jazz/jazz.00054"


class Genres(NamedTuple):
    """A task whose lists are at hand: its card, and the folder of the lists."""

    task: Task
    lists: Path


class Ears:
    """An encoder that needs no weights and takes clips of any length."""

    name, sample_rate, frame_rate, width = "ears", 22050, 1.0, 1
    layers: Sequence[str] = ("0",)

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        return audio.abs().mean(dim=1).reshape(-1, 1, 1, 1)

    def fingerprint(self) -> str:
        return "ears"


def synthetic_lists() -> dict[str, bytes]:
    """Make lists with the card's counts; jazz.00054 is for training, as in the published ones."""
    counts = load_task("GTZAN").spec.label_counts
    lines: dict[str, list[str]] = {split: [] for split in SPLITS}
    for at, genre in enumerate(GENRES):
        numbers = [54, *range(54), *range(55, 100)] if genre == "jazz" else list(range(100))
        for split in SPLITS:
            taken, numbers = numbers[: counts[split][at]], numbers[counts[split][at] :]
            lines[split] += [f"{genre}/{genre}.{number:05d}.wav" for number in sorted(taken)]
    return {
        split: "".join(f"{line}\n" for line in names).encode() for split, names in lines.items()
    }


def found_lists() -> dict[str, dict[str, bytes]]:
    published = {split: PUBLISHED / f"gtzan_{split}_filtered.txt" for split in SPLITS}
    found = {"synthetic": synthetic_lists()}
    if all(path.is_file() for path in published.values()):
        found["published"] = {split: path.read_bytes() for split, path in published.items()}
    return found


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARBLE_EVAL_HOME", str(tmp_path / "home"))


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*arguments: Any) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", connect)


def with_lists(name: str, folder: Path) -> Genres:
    task, lists = load_task("GTZAN"), found_lists()[name]
    for split, content in lists.items():
        (folder / f"{split}_filtered.txt").write_bytes(content)
    if name == "synthetic":
        digests = {
            split: SplitList(f"gtzan/{split}_filtered.txt", hashlib.sha256(content).hexdigest())
            for split, content in lists.items()
        }
        task = dataclasses.replace(task, spec=dataclasses.replace(task.spec, split_lists=digests))
    return Genres(task, folder)


@pytest.fixture(scope="module", params=sorted(found_lists()))
def each_lists(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Genres:
    """Every set of lists that is at hand."""
    return with_lists(request.param, tmp_path_factory.mktemp("lists"))


@pytest.fixture(scope="module")
def genres(tmp_path_factory: pytest.TempPathFactory) -> Genres:
    """The published lists if they are at hand."""
    name = "published" if "published" in found_lists() else "synthetic"
    return with_lists(name, tmp_path_factory.mktemp("lists"))


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All 1,000 files of GTZAN, 70 of which are on no list; 64 samples in each."""
    folder = tmp_path_factory.mktemp("audio")
    for number, (genre, take) in enumerate(itertools.product(GENRES, range(100))):
        (folder / genre).mkdir(exist_ok=True)
        (folder / genre / f"{genre}.{take:05d}.wav").write_bytes(wav(number))
    return folder


def wav(number: int) -> bytes:
    """Write a mono WAV file by hand (RIFF, 16 bit, 22,050 Hz)."""
    data = struct.pack("<64h", *((number * 31 + each * 997) % 20000 - 9999 for each in range(64)))
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 22050, 44100, 2, 16)
    body = b"WAVE" + form + struct.pack("<4sI", b"data", len(data)) + data
    return struct.pack("<4sI", b"RIFF", len(body)) + body


def au(number: int) -> bytes:
    """Write a mono file of Sun's format, as the original archive had them (16 bit)."""
    data = struct.pack(">64h", *((number * 31 + each * 997) % 20000 - 9999 for each in range(64)))
    return struct.pack(">4s5I", b".snd", 24, len(data), 3, 22050, 1) + data


def copy(audio: Path, target: Path, *, extension: str = "wav") -> Path:
    for path in audio.rglob("*.wav"):
        there = (target / path.relative_to(audio)).with_suffix(f".{extension}")
        there.parent.mkdir(parents=True, exist_ok=True)
        there.hardlink_to(path)
    return target


def replace(path: Path, content: bytes) -> None:
    path.unlink()  # the files are linked: writing through would change every copy
    path.write_bytes(content)


def write_jsonl(root: Path, genres: Genres, prefix: str, *, without: tuple[str, ...] = ()) -> None:
    """Write the three files of MARBLE v2, with the fields that its data sets have."""
    for split, name in {"train": "train", "valid": "val", "test": "test"}.items():
        listed = (genres.lists / f"{split}_filtered.txt").read_text().split()
        rows = [
            {
                "audio_path": f"{prefix}{line}",
                "label": line.split("/")[0],
                "duration": 30.01333,
                "sample_rate": 22050,
                "num_samples": 661794,
                "bit_depth": 16,
                "channels": 1,
            }
            for line in listed
            if line.removesuffix(".wav") not in without
        ]
        text = "".join(f"{json.dumps(row)}\n" for row in rows)
        (root / f"GTZANGenre.{name}.jsonl").write_text(text)


def read(genres: Genres, root: Path) -> list[Track]:
    """Read and check the tracks, as a run does."""
    spec = genres.task.spec
    tracks: list[Track] = genres.task.kind.read_tracks(
        root, spec, partial(published_list, spec, root, genres.lists)
    )
    check_tracks(tracks, spec, root)
    return tracks


def prepared(genres: Genres, root: Path, **changes: Any) -> RunPlan:
    defaults = run_defaults()
    del defaults["dry_run"]
    values = {
        "root": root,
        "splits": genres.lists,
        "results": None,
        "protocol": load_protocol("marble-v1"),
        "probe": load_probe("mlp"),
        "engine": load_engine("local"),
    }
    settings = from_mapping(Settings, defaults | values | changes, "test")
    return plan_run(genres.task, Ears(), settings, Silence())


def as_folders(audio: Path, root: Path, genres: Genres, below: str) -> Path:
    copy(audio, root / below)
    return root


def as_au_files(audio: Path, root: Path, genres: Genres) -> Path:
    copy(audio, root / "genres", extension="au")
    return root


def as_linked_genres(audio: Path, root: Path, genres: Genres) -> Path:
    (root / "genres").mkdir(parents=True)
    for folder in audio.iterdir():
        (root / "genres" / folder.name).symlink_to(folder)
    return root


def as_jsonl(audio: Path, root: Path, genres: Genres, below: str, prefix: str) -> Path:
    copy(audio, root / below)
    write_jsonl(root, genres, prefix)
    return root


LAYOUTS: dict[str, Callable[[Path, Path, Genres], Path]] = {
    "genres": partial(as_folders, below="genres"),
    "genres_original": partial(as_folders, below="genres_original"),
    "Kaggle's archive": partial(as_folders, below="Data/genres_original"),
    "the folder of genres itself": partial(as_folders, below="."),
    "the original archive": as_au_files,
    "genres on other disks": as_linked_genres,
    "MARBLE v2": partial(as_jsonl, below="genres", prefix="data/GTZAN/genres/"),
    "MARBLE v2, moved": partial(as_jsonl, below="audio", prefix="../GTZAN/audio/"),
}


def test_the_published_lists_are_at_hand_or_it_is_said() -> None:
    """The card's digests and counts hold for the real lists; without them, that is said."""
    spec = load_task("GTZAN").spec
    assert spec.sizes == SIZES and sum(SIZES.values()) == 930
    found = found_lists().get("published")
    if found is None:
        warnings.warn(
            f"{PUBLISHED} is not there: only synthetic split lists are read", stacklevel=1
        )
        assert all(len(each.sha256) == 64 for each in spec.split_lists.values())
        return
    for split, content in found.items():
        lines = content.decode().split()
        assert hashlib.sha256(content).hexdigest() == spec.split_lists[split].sha256
        assert len(lines) == SIZES[split]
        counts = Counter(line.split("/")[0] for line in lines)
        assert tuple(counts[genre] for genre in GENRES) == spec.label_counts[split]
    assert f"{JAZZ_54}.wav" in found["train"].decode().split()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_930_tracks(
    each_lists: Genres, audio: Path, tmp_path: Path, layout: str
) -> None:
    tracks = read(each_lists, LAYOUTS[layout](audio, tmp_path / "GTZAN", each_lists))
    assert {split: sum(each.split == split for each in tracks) for split in SPLITS} == SIZES
    for split in SPLITS:
        counts = Counter(each.label for each in tracks if each.split == split)
        assert tuple(counts[genre] for genre in GENRES) == each_lists.task.spec.label_counts[split]
    assert all(each.path.is_file() for each in tracks)
    listed = {
        line.removesuffix(".wav"): split
        for split in SPLITS
        for line in (each_lists.lists / f"{split}_filtered.txt").read_text().split()
    }
    assert {each.id: each.split for each in tracks} == listed
    assert all(each.id == f"{each.label}/{each.path.stem}" for each in tracks)


def test_classes_are_numbered_in_the_order_of_the_alphabet(
    genres: Genres, audio: Path, tmp_path: Path
) -> None:
    tracks = read(genres, copy(audio, tmp_path))
    targets = genres.task.track_kind.encode(tracks, genres.task.spec)
    assert GENRES == sorted(GENRES)
    assert [GENRES[target] for target in targets] == [each.label for each in tracks]


def test_a_mixture_of_extensions_is_read_to_the_last_file(
    genres: Genres, audio: Path, tmp_path: Path
) -> None:
    copy(audio, tmp_path / "genres")
    for number, path in enumerate(sorted((tmp_path / "genres" / "jazz").iterdir())[:40]):
        path.unlink()
        path.with_suffix(".au").write_bytes(au(number))
    ready = prepared(genres, tmp_path)
    assert len(ready.survey.usable) == 930
    assert sum(each.path.suffix == ".au" for each in ready.survey.usable) > 20
    assert ready.remarks == [] and ready.deviations == ()


def absent(path: Path) -> None:
    path.unlink()


def truncated(path: Path) -> None:
    replace(path, path.read_bytes()[:60])


def empty(path: Path) -> None:
    replace(path, b"")


def no_audio(path: Path) -> None:
    replace(path, b"<html>404</html>" * 100)


@pytest.mark.parametrize("fault", [absent, truncated, empty, no_audio])
def test_without_jazz_54_there_are_442_and_the_result_will_say_so(
    genres: Genres, audio: Path, tmp_path: Path, fault: Callable[[Path], None]
) -> None:
    copy(audio, tmp_path / "genres")
    fault(tmp_path / "genres" / f"{JAZZ_54}.wav")
    ready = prepared(genres, tmp_path)
    usable = Counter(each.split for each in ready.survey.usable)
    assert usable == {"train": 442, "valid": 197, "test": 290}
    (remark,) = ready.remarks
    assert remark.startswith("train without jazz/jazz.00054: corrupt in the Kaggle copy")
    assert ready.deviations == ()


def test_jsonl_that_leaves_jazz_54_out_is_as_good(
    genres: Genres, audio: Path, tmp_path: Path
) -> None:
    copy(audio, tmp_path / "genres")
    write_jsonl(tmp_path, genres, "genres/", without=(JAZZ_54,))
    ready = prepared(genres, tmp_path)
    assert len(ready.survey.usable) == 929
    assert len(ready.remarks) == 1 and ready.deviations == ()


def test_441_are_refused_with_both_numbers(genres: Genres, audio: Path, tmp_path: Path) -> None:
    copy(audio, tmp_path / "genres")
    other = next(each for each in read(genres, tmp_path) if each.split == "train").id
    write_jsonl(tmp_path, genres, "genres/", without=(JAZZ_54, other))
    with pytest.raises(ValidationError) as caught:
        prepared(genres, tmp_path)
    assert "train must have 443 tracks, or 442 without jazz/jazz.00054. Got 441." in str(
        caught.value
    )
    write_jsonl(tmp_path, genres, "genres/", without=(other,))
    with pytest.raises(ValidationError, match=r"train must have 443 tracks\. Got 442\."):
        prepared(genres, tmp_path)


def test_another_missing_file_stops_the_run_or_is_recorded(
    genres: Genres, audio: Path, tmp_path: Path
) -> None:
    copy(audio, tmp_path / "genres")
    other = next(each for each in read(genres, tmp_path) if each.split == "train")
    (tmp_path / "genres" / f"{JAZZ_54}.wav").unlink()
    other.path.unlink()
    with pytest.raises(MissingError) as caught:
        prepared(genres, tmp_path)
    told = str(caught.value)
    assert f"{other.path}: missing" in told and "jazz.00054" not in told
    ready = prepared(genres, tmp_path, missing="report")
    assert ready.deviations == (TracksLeftOut("train", 1, 443),)
    assert len(ready.survey.usable) == 928


@pytest.mark.parametrize("kind", ["nowhere", "a file", "an empty folder", "a folder of others"])
def test_a_wrong_root_is_told_and_the_network_left_alone(
    genres: Genres, tmp_path: Path, kind: str
) -> None:
    root = tmp_path / "root"
    if kind == "a file":
        root.touch()
    if kind.endswith(("folder", "others")):
        root.mkdir()
    if kind.endswith("others"):
        (root / "genres").mkdir()
        (root / "genres" / "notes.txt").write_text("nothing to hear")
    spec = genres.task.spec
    with pytest.raises(MissingError) as caught:  # no folder of lists: they would be fetched
        genres.task.kind.read_tracks(root, spec, partial(published_list, spec, root, None))
    told = str(caught.value)
    assert told.startswith(f"{root}: must ")
    assert "task.root" in told and "data download task=GTZAN --dry-run" in told


def test_a_folder_too_deep_is_told(genres: Genres, audio: Path) -> None:
    with pytest.raises(MissingError, match=r"Looked for .*genres\*/\{id\}") as caught:
        read(genres, audio / "blues")
    assert "Set task.root to the right folder" in str(caught.value)


@pytest.mark.parametrize("samples", [661794, 660000, 668052])
def test_both_protocols_hear_an_excerpt_as_one_clip(samples: int) -> None:
    """The files are 30.0 to 30.3 s long; 661,794 samples are what MARBLE v2's lists say."""
    rate, spec = 22050, load_task("GTZAN").spec
    (whole,) = clip_bounds(
        samples, rate, load_protocol("marble-v1").windowing(spec.protocols["marble-v1"])
    )
    assert (whole.start, whole.stop, whole.length) == (0, samples, samples)
    (padded,) = clip_bounds(
        samples, rate, load_protocol("marble-v2").windowing(spec.protocols["marble-v2"])
    )
    assert (padded.start, padded.length) == (0, 665910)  # 30.2 s


def test_training_follows_the_shipped_configs() -> None:
    rules = load_task("GTZAN").spec.protocols
    for each in (rules["marble-v1"], rules["marble-v2"]):
        assert (each.max_epochs, each.plateau_patience, each.stop_patience) == (100, 6, 20)
        assert each.plateau_factor == 0.5
    assert rules["marble-v1"].aggregation == "mean-logits"
    assert rules["marble-v2"].aggregation == "mean-probabilities"
    assert rules["marble-v2"].learning_rates == (5e-3,)
    assert rules["marble-v2"].tail_seconds == pytest.approx(0.8 * 30.2)


# --- the README ---


def table(heading: str) -> list[list[str]]:
    """Return the cells of the table below a heading of the README."""
    text = (Path(__file__).parent / "README.md").read_text(encoding="utf-8")
    section = re.split(r"^## ", text.split(f"\n## {heading}\n")[1], flags=re.MULTILINE)[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_the_readme_s_split_is_the_card_s() -> None:
    spec = load_task("GTZAN").spec
    head, _, *rows = table("The split")
    assert head == ["", *GENRES, "all"]
    for split, *counts in rows:
        assert tuple(map(int, counts)) == (*spec.label_counts[split], spec.sizes[split])
    assert [row[0] for row in rows] == list(SPLITS)


def test_the_readme_s_published_scores_are_those_in_results() -> None:
    with (ROOT / "results" / "published" / "marble_2023.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["task"] == "GTZAN"]
    stored = {row["encoder"]: row["value"] for row in rows}
    shown = {name.split(" (")[0]: value for name, value in table("Published accuracy")[2:]}
    assert shown == stored


def test_the_readme_cites_what_the_card_cites() -> None:
    text = (Path(__file__).parent / "README.md").read_text(encoding="utf-8")
    spec = load_task("GTZAN").spec
    squeezed = " ".join(text.split())
    assert " ".join(spec.citation.split()) in squeezed
    assert all(each.address in text for each in spec.sources)
    assert str(load_task("GTZAN").spec.protocols["marble-v2"].clip_seconds) in text
