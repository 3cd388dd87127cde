"""The embedded data set: what it holds, that it is fair, and that it survives kills."""

from __future__ import annotations

import csv
import hashlib
import itertools
import os
import shutil
import signal
import struct
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pretty_midi
import pytest
import soundfile
import yaml
from sklearn.linear_model import LogisticRegression

from marble_eval.embedded import instrument_families, write_instrument_families
from marble_eval.embedded.composer import compose
from marble_eval.embedded.instrument_families import CLIP_SECONDS, FAMILIES, recipes
from marble_eval.embedded.renderer import Renderer, soundfont_path
from marble_eval.errors import MissingError, SpecError
from marble_eval.spec import SPLITS, TaskSpec, from_mapping

CARD = Path(__file__).parents[2] / "tasks" / "embedded_instrument" / "task.yaml"
FEW = {"train": 1, "valid": 1, "test": 1}  # 24 clips
WRITE_FEW = f"""
import sys
from pathlib import Path
from marble_eval.embedded import instrument_families as it
it.PHRASES = {FEW}
"""


def digests(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def start(script: str, root: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITE_FEW + script, str(root)], stderr=subprocess.PIPE, text=True
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole data set, written once."""
    return write_instrument_families(tmp_path_factory.mktemp("embedded") / "EmbeddedInstrument")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the data set one phrase a split."""
    monkeypatch.setattr(instrument_families, "PHRASES", FEW)


def rows_of(root: Path) -> list[dict[str, str]]:
    with (root / "tracks.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_families_have_eight_programs_or_more_and_no_program_is_in_two_places() -> None:
    for splits in FAMILIES.values():
        assert set(splits) == set(SPLITS)
        assert sum(map(len, splits.values())) >= 8
    programs = [p for splits in FAMILIES.values() for group in splits.values() for p in group]
    numbers = [n for s in FAMILIES.values() for group in s.values() for n in group.values()]
    assert len(set(programs)) == len(programs) == len(set(numbers)) == len(numbers)


def test_programs_have_the_names_and_families_of_general_midi() -> None:
    named = {"tuned percussion": {"Chromatic Percussion", "Percussive", "Ethnic"}} | {
        "strings": {"Strings", "Ensemble", "Ethnic"},  # the fiddle is among the ethnic ones
        "reed": {"Reed", "Ethnic"},
    }
    for family, splits in FAMILIES.items():
        for name, program in itertools.chain(*(group.items() for group in splits.values())):
            midi_name = pretty_midi.program_to_instrument_name(program).lower()
            assert any(word in midi_name for word in name.split()), (name, midi_name)
            midi_family = pretty_midi.program_to_instrument_class(program)
            assert midi_family in named.get(family, {family.capitalize()})


def generators(chunks: dict[bytes, bytes], letter: bytes, bag: int) -> dict[int, int]:
    """Read one zone of a soundfont: SoundFont 2.01, section 7."""
    first, last = (
        struct.unpack_from("<H", chunks[letter + b"bag"], 4 * at)[0] for at in (bag, bag + 1)
    )
    pairs = struct.iter_unpack("<HH", chunks[letter + b"gen"][4 * first : 4 * last])
    return dict(pairs)


def zones(
    chunks: dict[bytes, bytes], letter: bytes, bags: tuple[int, int], points_to: int
) -> list[tuple[int, int, int]]:
    """Return (lowest key, highest key, what is played) of a preset's or instrument's zones."""
    overall, found = (0, 127), []
    for bag in range(*bags):
        zone = generators(chunks, letter, bag)
        keys = (zone[43] & 255, zone[43] >> 8) if 43 in zone else overall
        if points_to in zone:
            found.append((*keys, zone[points_to]))
        elif bag == bags[0]:
            overall = keys
    return found


def recordings(program: int, lowest: int, highest: int) -> set[int]:
    """Return where in the soundfont the recordings begin that a program plays in a register."""
    content, chunks, at = soundfont_path().read_bytes(), {}, 12
    while at < len(content):
        name, size = content[at : at + 4], struct.unpack_from("<I", content, at + 4)[0]
        if name == b"LIST":
            at += 12
            continue
        chunks[name] = content[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    presets = list(struct.iter_unpack("<20sHHHIII", chunks[b"phdr"]))
    instruments = [bag for _, bag in struct.iter_unpack("<20sH", chunks[b"inst"])]
    samples = [row[1] for row in struct.iter_unpack("<20sIIIIIBbHH", chunks[b"shdr"])]
    (index,) = (i for i, row in enumerate(presets) if row[1:3] == (program, 0))
    found = set()
    for low, high, played in zones(chunks, b"p", (presets[index][3], presets[index + 1][3]), 41):
        bags = (instruments[played], instruments[played + 1])
        for from_key, to_key, sample in zones(chunks, b"i", bags, 53):
            if max(low, from_key, lowest) <= min(high, to_key, highest):
                found.add(samples[sample])
    assert found
    return found


def test_no_recording_of_the_soundfont_is_heard_in_two_splits() -> None:
    pitches = [
        note.pitch
        for seed in {recipe.seed for recipe in recipes()}
        for note in compose(seed, seconds=CLIP_SECONDS).notes
    ]
    heard: dict[int, str] = {}
    for splits in FAMILIES.values():
        for split, programs in splits.items():
            for program in programs.values():
                for recording in recordings(program, min(pitches), max(pitches)):
                    assert heard.setdefault(recording, split) == split, program
    assert len(heard) > 200
    # The rule has teeth: viola and violin share their recordings.
    assert recordings(40, 41, 79) & recordings(41, 41, 79)


def test_every_phrase_is_played_by_every_family_at_one_level() -> None:
    of_phrase: dict[int, list[Any]] = {}
    for recipe in recipes():
        of_phrase.setdefault(recipe.seed, []).append(recipe)
    assert len(of_phrase) == 90
    for clips in of_phrase.values():
        assert {clip.label for clip in clips} == set(FAMILIES)
        assert len({(clip.split, clip.level_dbfs) for clip in clips}) == 1


def test_programs_of_a_split_are_heard_equally_often() -> None:
    heard = Counter((recipe.label, recipe.split, recipe.group) for recipe in recipes())
    for family, splits in FAMILIES.items():
        for split, programs in splits.items():
            counts = [heard[family, split, program] for program in programs]
            assert max(counts) - min(counts) <= 1


def test_card_says_what_the_data_are(data: Path) -> None:
    card = from_mapping(TaskSpec, yaml.safe_load(CARD.read_text()), str(CARD))
    rows = rows_of(data)
    assert card.labels == tuple(sorted(FAMILIES))
    assert card.sizes == Counter(row["split"] for row in rows)
    for split, counts in card.label_counts.items():
        found = Counter(row["label"] for row in rows if row["split"] == split)
        assert counts == tuple(found[label] for label in card.labels)
    assert (card.name, card.kind, card.embedded, card.column) == (
        *("EmbeddedInstrument", "classification", True, ""),
    )
    assert card.metrics == ("accuracy", "macro_f1")
    assert set(card.protocols) == {"marble-v1", "marble-v2"}
    assert card.protocols["marble-v2"].clip_seconds == CLIP_SECONDS
    (layout,) = card.data
    assert (layout.form, layout.folder, layout.path) == ("csv", ".", "tracks.csv")


def test_tracks_are_a_csv_of_files_that_are_there_with_groups_in_one_split(data: Path) -> None:
    assert (data / "tracks.csv").read_bytes().startswith(b"path,label,split,group\n")
    rows = rows_of(data)
    assert len(rows) == len({row["path"] for row in rows}) == 720
    assert {row["path"] for row in rows} == {
        path.relative_to(data).as_posix() for path in data.glob("audio/*.wav")
    }
    splits: dict[str, set[str]] = {}
    for row in rows:
        splits.setdefault(row["group"], set()).add(row["split"])
    assert all(len(found) == 1 for found in splits.values())


def test_clips_are_neither_silent_nor_clipped_nor_a_click_and_equally_loud(data: Path) -> None:
    levels = {recipe.path: recipe.level_dbfs for recipe in recipes()}
    for path, level in levels.items():
        info = soundfile.info(data / path)
        assert (info.samplerate, info.channels, info.subtype, info.frames) == (
            *(24000, 1, "PCM_16", 72000),
        )
        audio, _ = soundfile.read(data / path)
        energy = np.square(audio)
        assert 10 * np.log10(energy.mean()) == pytest.approx(level, abs=0.01)
        assert np.abs(audio).max() < 0.9
        tenths = energy.reshape(30, -1).sum(1)  # of a second
        assert tenths.max() < 0.4 * tenths.sum()
        assert (tenths > 1e-5 * tenths.max()).mean() > 0.5
        assert abs(audio.mean()) < 0.001


def test_log_mel_statistics_neither_fail_nor_saturate(data: Path) -> None:
    rows = rows_of(data)
    audio = np.stack([soundfile.read(data / row["path"], dtype="float32")[0] for row in rows])
    frames = audio[:, : 34 * 2048].reshape(-1, 2048) * np.hanning(2048).astype("float32")
    power = np.abs(np.fft.rfft(frames)) ** 2
    mel = librosa.filters.mel(sr=24000, n_fft=2048, n_mels=128, dtype=np.float32)
    decibels = librosa.power_to_db(power @ mel.T, top_db=None).reshape(len(rows), 34, 128)
    labels, splits = (np.array([row[name] for row in rows]) for name in ("label", "split"))
    train, test = splits == "train", splits == "test"
    values = np.concatenate([decibels.mean(1), decibels.std(1)], axis=1)
    values = (values - values[train].mean(0)) / values[train].std(0)
    probe = LogisticRegression(C=0.01, max_iter=1000).fit(values[train].clip(-5, 5), labels[train])
    accuracy = probe.score(values[test].clip(-5, 5), labels[test])
    assert 0.45 < accuracy < 0.85  # chance is 0.125


@pytest.mark.usefixtures("few")
def test_a_complete_copy_is_left_untouched(tmp_path: Path) -> None:
    root = write_instrument_families(tmp_path / "deep" / "music")
    assert root == tmp_path / "deep" / "music"
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    assert write_instrument_families(root) == root
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("damage", ["altered", "shortened", "missing", "manifest"])
def test_a_damaged_copy_is_made_again(damage: str, tmp_path: Path) -> None:
    root = write_instrument_families(tmp_path / "data" / "music")
    sound = digests(root)
    victim = root / "audio" / "test_00_reed.wav"
    if damage == "altered":
        content = bytearray(victim.read_bytes())
        content[1000] ^= 1
        victim.write_bytes(content)
    elif damage == "shortened":
        os.truncate(victim, 5000)
    elif damage == "missing":
        victim.unlink()
    else:
        text = (root / "manifest.json").read_text()
        (root / "manifest.json").write_text(text.replace('"recipe": "', '"recipe": "0'))
    assert digests(root) != sound
    write_instrument_families(root)
    assert digests(root) == sound
    assert sorted(path.name for path in root.parent.iterdir()) == [".music.lock", "music"]


@pytest.mark.usefixtures("few")
def test_a_copy_of_an_older_recipe_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_instrument_families(tmp_path / "music")
    old = digests(root)
    monkeypatch.setattr(instrument_families, "RECIPE_VERSION", 10**6)
    write_instrument_families(root)
    new = digests(root)
    assert {name for name in new if new[name] != old[name]} == {"manifest.json"}


@pytest.mark.usefixtures("few")
def test_a_folder_of_someone_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "songs").mkdir()
    (tmp_path / "songs" / "mine.wav").write_bytes(b"music")
    with pytest.raises(SpecError, match=r"1 other files, the first 'mine.wav'"):
        write_instrument_families(tmp_path / "songs")
    assert digests(tmp_path / "songs") == {"mine.wav": hashlib.sha256(b"music").hexdigest()}
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SpecError, match="must be a folder"):
        write_instrument_families(tmp_path / "file")


@pytest.mark.usefixtures("few")
def test_files_added_to_a_damaged_copy_are_not_thrown_away(tmp_path: Path) -> None:
    root = write_instrument_families(tmp_path / "music")
    (root / "notes.txt").write_text("mine")
    write_instrument_families(root)  # complete: nothing to do
    (root / "tracks.csv").unlink()
    with pytest.raises(SpecError, match=r"notes\.txt"):
        write_instrument_families(root)
    assert (root / "notes.txt").read_text() == "mine"


@pytest.mark.usefixtures("few")
def test_an_interrupt_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = itertools.count()
    render = Renderer.render

    def interrupted(self: Renderer, *args: Any, **kwargs: Any) -> Any:
        if next(calls) == 5:
            raise KeyboardInterrupt
        return render(self, *args, **kwargs)

    monkeypatch.setattr(Renderer, "render", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_instrument_families(tmp_path / "data" / "music")
    assert [path.name for path in (tmp_path / "data").iterdir()] == [".music.lock"]


@pytest.mark.usefixtures("few")
def test_a_killed_run_leaves_nothing_that_passes_for_complete(tmp_path: Path) -> None:
    root = tmp_path / "data" / "music"
    killed = start(
        "import itertools, os, signal\n"
        "calls, write_wav = itertools.count(), it.write_wav\n"
        "def fatal(*args):\n"
        "    write_wav(*args)\n"
        "    next(calls) == 9 and os.kill(os.getpid(), signal.SIGKILL)\n"
        "it.write_wav = fatal\n"
        "it.write_instrument_families(Path(sys.argv[1]))\n",
        root,
    )
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert not root.exists()
    assert len(list(root.parent.glob(".music.partial/audio/*.wav"))) == 10
    write_instrument_families(root)
    assert len(rows_of(root)) == 24
    assert sorted(path.name for path in root.parent.iterdir()) == [".music.lock", "music"]


@pytest.mark.usefixtures("few")
def test_processes_write_the_same_bytes_apart_and_at_once_in_one_place(tmp_path: Path) -> None:
    roots = [tmp_path / "one", tmp_path / "one", tmp_path / "other"]
    script = "it.write_instrument_families(Path(sys.argv[1]))\n"
    for process in [start(script, root) for root in roots]:
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 0, stderr
    here = write_instrument_families(tmp_path / "here")
    assert digests(tmp_path / "one") == digests(tmp_path / "other") == digests(here)
    assert len(digests(here)) == 26


@pytest.mark.usefixtures("few")
def test_a_complete_copy_needs_no_synthesiser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_instrument_families(tmp_path / "music")
    monkeypatch.setitem(sys.modules, "tinysoundfont", None)
    assert write_instrument_families(root) == root
    shutil.rmtree(root)
    with pytest.raises(MissingError, match="pip install --no-deps tinysoundfont"):
        write_instrument_families(root)
    assert not root.exists()
