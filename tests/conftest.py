"""Data that several tests share: a GTZAN-shaped folder and two small task folders."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A shell that starts a job in the background lets it ignore Ctrl-C; the tests of it cannot.
    signal.signal(signal.SIGINT, signal.default_int_handler)

if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    # Processes that compile librosa's functions at once spoil each other's cache: one crashed.
    cache = Path(__file__).parents[1] / ".pytest_cache" / f"numba-{worker}"
    os.environ.setdefault("NUMBA_CACHE_DIR", str(cache))

GTZAN_CARD = Path(__file__).parents[1] / "tasks" / "gtzan" / "task.yaml"

SMALL_CARD = """\
name: Small
aliases: []
version: 1
kind: classification
summary: Three instruments told by their overtones
labels: [flute, clarinet, organ]
data:
  - {form: table, folder: ., path: tracks.csv}
split_source: ""
split_lists: {}
sizes: {train: 24, valid: 12, test: 12}
label_counts: {train: [8, 8, 8], valid: [4, 4, 4], test: [4, 4, 4]}
may_lack: []
protocols:
  marble-v1: &rules
    crop_seconds: null
    clip_seconds: null
    hop_seconds: null
    tail: keep
    tail_seconds: 1.0
    aggregation: mean-logits
    learning_rates: null
    max_epochs: 8
    plateau_patience: 3
    plateau_factor: 0.5
    stop_patience: 4
  marble-v2:
    <<: *rules
    clip_seconds: 0.4
    tail: pad
    tail_seconds: 0.2
    aggregation: mean-probabilities
metrics: [accuracy, macro_f1]
higher_is_better: true
embedded: false
column: ""
licence: CC0-1.0
citation: ""
sources: []
"""


def tone(label: int, seconds: float, rate: int, rng: np.random.Generator) -> np.ndarray:
    """Return a tone whose overtones tell its class, at a random pitch, in a little noise."""
    time = np.arange(round(seconds * rate)) / rate
    pitch = rng.uniform(200, 400)
    shares = np.exp(-np.arange(6) * (0.3 + 0.5 * label)) * (1 + (label % 2) * np.cos(np.arange(6)))
    sound = sum(
        share * np.sin(2 * np.pi * pitch * (order + 1) * time) for order, share in enumerate(shares)
    )
    return np.asarray(0.1 * sound + 0.005 * rng.standard_normal(len(time)))


@pytest.fixture(scope="session")
def gtzan_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder shaped like MARBLE v2's copy of GTZAN: all 930 tracks, of 0.3 s each."""
    root = tmp_path_factory.mktemp("gtzan")
    card = yaml.safe_load(GTZAN_CARD.read_text())
    rng = np.random.default_rng(0)
    number = dict.fromkeys(card["labels"], 0)
    for split, name in card["data"][0]["files"].items():
        rows = []
        for at, (label, count) in enumerate(
            zip(card["labels"], card["label_counts"][split], strict=True)
        ):
            folder = root / "genres" / label
            folder.mkdir(parents=True, exist_ok=True)
            for _ in range(count):
                if (label, number[label]) == ("jazz", 54):
                    number[label] += 1
                file = folder / f"{label}.{number[label]:05d}.wav"
                number[label] += 1
                soundfile.write(file, tone(at, 0.3, 22050, rng), 22050)
                rows.append(
                    {"audio_path": f"data/GTZAN/genres/{label}/{file.name}", "label": label}
                )
        (root / name).write_text("\n".join(json.dumps(each) for each in rows) + "\n")
    return root


def write_small_task(root: Path, *, seed: int = 0) -> Path:
    """Write a task folder of 48 tracks, card and data together."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "task.yaml").write_text(SMALL_CARD)
    (root / "README.md").write_text("A task for tests.\n")
    rng = np.random.default_rng(seed)
    rows = ["path,label,split,group"]
    for split, count in (("train", 8), ("valid", 4), ("test", 4)):
        for at, label in enumerate(("flute", "clarinet", "organ")):
            for take in range(count):
                name = f"{split}_{label}_{take}.wav"
                soundfile.write(root / name, tone(at, 0.8, 22050, rng), 22050)
                rows.append(f"{name},{label},{split},{split}-{label}-{take}")
    (root / "tracks.csv").write_text("\n".join(rows) + "\n")
    return root


def write_click_task(root: Path, *, tracks: int = 8, seconds: float = 6.0) -> Path:
    """Write a task folder of beats: clicks at steady tempi, every fourth one higher."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "task.yaml").write_text("name: Clicks\nkind: beat\n")
    rng = np.random.default_rng(0)
    rows, rate = ["path,beats,split"], 24000
    time = np.arange(rate // 20) / rate
    for number in range(tracks):
        beats = np.arange(rng.uniform(0, 0.5), seconds - 0.1, 60 / rng.uniform(80, 160))
        audio = 0.01 * rng.standard_normal(round(seconds * rate))
        for at, beat in enumerate(beats):
            click = np.exp(-80 * time) * np.sin(2 * np.pi * (900 if at % 4 else 1500) * time)
            start = round(beat * rate)
            audio[start : start + len(time)] += 0.5 * click[: len(audio) - start]
        soundfile.write(root / f"{number}.wav", audio, rate)
        lines = [f"{beat:.6f}\t{at % 4 + 1}\n" for at, beat in enumerate(beats)]
        (root / f"{number}.beats").write_text("".join(lines))
        split = ("train", "train", "valid", "test")[number % 4]
        rows.append(f"{number}.wav,{number}.beats,{split}")
    (root / "tracks.csv").write_text("\n".join(rows) + "\n")
    return root


@pytest.fixture
def small_task(tmp_path: Path) -> Path:
    """A task folder of 48 tracks."""
    return write_small_task(tmp_path / "small")


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test's cache to itself."""
    monkeypatch.setenv("MARBLE_EVAL_HOME", str(tmp_path / "home"))
