"""NSynth's own release: one JSON file for each split, and some 300,000 notes to read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from marble_eval.data.layouts import Reading, read_layouts
from marble_eval.data.layouts.nsynth import read
from marble_eval.data.tracks import check_tracks
from marble_eval.errors import MissingError, ValidationError
from marble_eval.kinds.classification import KIND as classification
from marble_eval.kinds.pitch import KIND as pitch
from marble_eval.registry import Task
from marble_eval.registry import load_task as read_task
from marble_eval.spec import Layout, TaskSpec, Track
from tests.data.layouts.conftest import no_lists

NOTES = {
    "train": ("bass_synthetic_033-022-050", "guitar_acoustic_001-082-127"),
    "valid": ("keyboard_electronic_002-060-075", "organ_electronic_001-061-127"),
    "test": ("organ_electronic_001-060-127", "keyboard_acoustic_004-060-025"),
}
LAYOUT = Layout("nsynth", label="pitch")


@cache
def load_task(name: str) -> Task:
    """Read every card once in this module, not once a test."""
    return read_task(name)


def note(name: str) -> dict[str, Any]:
    """Describe a note as ``examples.json`` does; ``note`` is a number of its own."""
    instrument, number, velocity = name.rsplit("-", 2)
    return {
        "note_str": name, "note": 201034, "instrument_str": instrument, "instrument": 417,
        "pitch": int(number), "velocity": int(velocity), "sample_rate": 16000,
        "qualities": [0, 0, 1, 0, 0, 0, 0, 0, 0, 0], "qualities_str": ["dark"],
        "instrument_family": 0, "instrument_family_str": instrument.rsplit("_", 2)[0],
        "instrument_source": 2, "instrument_source_str": instrument.rsplit("_", 2)[1],
    }  # fmt: skip


def write(root: Path, split: str, names: Iterable[str], **changes: Any) -> Path:
    folder = root / f"nsynth-{split}"
    (folder / "audio").mkdir(parents=True, exist_ok=True)
    rows = {name: {**note(name), **changes} for name in names}
    (folder / "examples.json").write_text(json.dumps(rows))
    return folder / "examples.json"


def release(root: Path) -> Path:
    for split, names in NOTES.items():
        write(root, split, names)
    return root


def tracks_of(root: Path, name: str = "NSynthP") -> list[Track]:
    kind = pitch if name == "NSynthP" else classification
    return read_layouts(Reading(root, load_task(name).spec, no_lists, kind.label_of))


def pitches(root: Path) -> Reading:
    return Reading(root, load_task("NSynthP").spec, no_lists, pitch.label_of)


@pytest.mark.parametrize("below", [".", "nsynth-data"])
def test_every_split_is_read_in_the_order_of_its_file(below: str, tmp_path: Path) -> None:
    release(tmp_path / below)
    tracks = tracks_of(tmp_path)
    assert [(each.split, each.id) for each in tracks] == [
        (split, name) for split, names in NOTES.items() for name in names
    ]
    for each in tracks:
        folder = tmp_path / below / f"nsynth-{each.split}"
        assert each.path == folder / "audio" / f"{each.id}.wav"
        assert each.recording == ""
    assert [each.label for each in tracks] == ["22", "82", "60", "61", "60", "60"]


def test_the_family_is_the_other_label(tmp_path: Path) -> None:
    labels = [each.label for each in tracks_of(release(tmp_path), "NSynthI")]
    assert labels == ["bass", "guitar", "keyboard", "organ", "organ", "keyboard"]


def test_both_tasks_have_the_same_ids_and_files(tmp_path: Path) -> None:
    release(tmp_path)
    first, second = tracks_of(tmp_path), tracks_of(tmp_path, "NSynthI")
    assert [(each.id, each.path) for each in first] == [(each.id, each.path) for each in second]


def test_validation_and_test_may_share_an_instrument_and_no_group_is_astride(
    tmp_path: Path,
) -> None:
    tracks = tracks_of(release(tmp_path))
    groups = {each.id: each.group for each in tracks}
    assert groups["organ_electronic_001-061-127"] == "valid/organ_electronic_001"
    assert groups["organ_electronic_001-060-127"] == "test/organ_electronic_001"
    spec = load_task("NSynthP").spec
    with pytest.raises(ValidationError) as caught:  # the counts alone are not NSynth's
        check_tracks(tracks, spec, tmp_path)
    assert "astride" not in str(caught.value)
    assert "train must have 289205 tracks. Got 2." in str(caught.value)


@pytest.mark.parametrize("split", ["valid", "test"])
def test_an_instrument_of_train_must_not_be_heard_elsewhere(split: str, tmp_path: Path) -> None:
    write(release(tmp_path), split, [*NOTES[split], "guitar_acoustic_001-060-127"])
    with pytest.raises(ValidationError, match=r"Got guitar_acoustic_001\. Use the release"):
        tracks_of(tmp_path)


def test_a_missing_split_is_told_and_another_folder_is_no_nsynth(tmp_path: Path) -> None:
    write(tmp_path / "one", "test", NOTES["test"])
    with pytest.raises(MissingError, match=r"nsynth-train/examples\.json: must lie beside"):
        tracks_of(tmp_path / "one")
    (tmp_path / "none").mkdir()
    with pytest.raises(MissingError, match=r"nsynth in \.; nsynth in nsynth-data"):
        tracks_of(tmp_path / "none")


@pytest.mark.parametrize("content", ["{", "[1, 2]", "", "\ufffe"])
def test_a_file_that_is_no_json_object_is_told(content: str, tmp_path: Path) -> None:
    path = release(tmp_path) / "nsynth-valid" / "examples.json"
    path.write_text(content, encoding="utf-16" if content == "\ufffe" else "utf-8")
    with pytest.raises(ValidationError, match=r"nsynth-valid/examples\.json(, line 1)?: must be"):
        tracks_of(tmp_path)


def test_every_bad_note_is_named_at_once(tmp_path: Path) -> None:
    release(tmp_path)
    good, high, alone = (f"reed_acoustic_001-{number}-025" for number in ("127", "128", "060"))
    rows: dict[str, Any] = {name: note(name) for name in (good, high, alone)}
    rows[alone].pop("instrument_str")
    rows["text"] = "a note"
    rows["c"] = {**note(good), "pitch": "middle C"}
    (tmp_path / "nsynth-test" / "examples.json").write_text(json.dumps(rows))
    with pytest.raises(ValidationError) as caught:
        tracks_of(tmp_path)
    told = str(caught.value)
    assert "4 rows break a rule" in told and good not in told
    assert f"note {high!r}: 'pitch' must be a MIDI number, 0 to 127. Got 128." in told
    assert f"note {alone!r}: must be an object with 'instrument_str'." in told
    assert "note 'text': must be an object" in told and "Got 'middle C'" in told


def test_an_unknown_family_is_told_with_its_notes(tmp_path: Path) -> None:
    release(tmp_path)
    write(tmp_path, "test", NOTES["test"], instrument_family_str="theremin")
    spec: TaskSpec = load_task("NSynthI").spec
    with pytest.raises(ValidationError, match="unknown label 'theremin' of organ_electronic_001"):
        check_tracks(tracks_of(tmp_path, "NSynthI"), spec, tmp_path)


def test_no_audio_file_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a network disk 300,000 looks take minutes: their number must not grow with the notes."""
    release(tmp_path)
    asked, found = [], pitches(tmp_path)
    real = os.stat

    def stat(path: Any, *arguments: Any, **options: Any) -> os.stat_result:
        asked.append(path)
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, "stat", stat)
    assert len(read(found, LAYOUT)) == 6
    few = len(asked)
    write(tmp_path, "train", [f"bass_synthetic_033-{number:03d}-050" for number in range(128)])
    asked.clear()
    assert len(read(found, LAYOUT)) == 132
    assert len(asked) == few < 20
