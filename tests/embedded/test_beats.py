"""EmbeddedBeat: that nothing tells the beats but the music, and that the times are right."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import librosa
import mir_eval
import numpy as np
import pytest
from scipy.stats import kstest

import marble_eval.embedded.beats as module
from marble_eval.data.annotations.beat_files import Beats, beats_of
from marble_eval.embedded.beats import CELLS, PIECES, annotation_of, beats, table_of, write_beats
from marble_eval.embedded.collection import SAMPLE_RATE
from marble_eval.embedded.grooved_pieces import GroovedPiece, arrange, score_of, timing_of
from marble_eval.embedded.programs import DRUMS, ROLES
from marble_eval.embedded.renderer import Renderer
from marble_eval.errors import SpecError
from marble_eval.registry import load_task
from marble_eval.runs.task_data import task_tracks

SECONDS = module.CLIP_SECONDS
CLIPS = beats().clips
ANNOTATED = {clip.path: annotation_of(clip.recipe) for clip in CLIPS}
SPLITS = ("train", "valid", "test")


def of_split(split: str) -> list[GroovedPiece]:
    return [clip.recipe for clip in CLIPS if clip.split == split]


def click(renderer: Renderer, recipe: GroovedPiece) -> np.ndarray:
    """Stand for the music: a tenth of a second of noise that belongs to the recipe."""
    rng = np.random.default_rng(recipe.seed)
    return (0.1 * rng.standard_normal(2400)).clip(-1, 1).astype(np.float32)


@pytest.fixture
def clicks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the data be written with clicks in place of the music."""
    monkeypatch.setattr(module, "_play", click)


# --- what the clips are ---


@pytest.mark.parametrize("split", SPLITS)
def test_metre_and_drums_are_crossed_and_each_cell_has_all_tempi(split: str) -> None:
    recipes = of_split(split)
    counts = Counter((recipe.metre, recipe.drummed) for recipe in recipes)
    assert counts == dict.fromkeys(itertools.product((3, 4), (False, True)), PIECES[split] // 4)
    for cell in CELLS:
        tempi = [each.tempo_bpm for each in recipes if (each.metre, each.drummed) == cell]
        shares = np.sort(np.log(np.array(tempi) / 65.0) / np.log(166.0 / 65.0))
        # One tempo in each of as many equal parts of the logarithmic scale.
        parts = shares * len(shares) - np.arange(len(shares))
        assert (parts > -0.03).all() and (parts < 1.03).all()  # they are rounded to 0.1


@pytest.mark.parametrize("split", SPLITS)
def test_tempo_metre_and_drums_tell_nothing_of_each_other(split: str) -> None:
    facts = np.array(
        [(np.log(each.tempo_bpm), each.metre, each.drummed) for each in of_split(split)]
    )
    assert np.abs(np.corrcoef(facts.T)[np.triu_indices(3, 1)]).max() < 0.05


def test_programs_and_drums_are_those_of_the_split() -> None:
    for clip in CLIPS:
        for role, table in (ROLES | DRUMS).items():
            assert getattr(clip.recipe, role) in table[clip.split].values()


def test_no_two_pieces_share_a_groove_or_a_tune() -> None:
    grooves, tunes = set(), set()
    for clip in CLIPS:
        voices = score_of(clip.recipe, seconds=SECONDS)
        metre = clip.recipe.metre
        grooves.add((metre, *(frozenset(n.beat % metre for n in v.part) for v in voices)))
        tunes.add(tuple((note.beat, note.pitch % 12) for v in voices[:2] for note in v.part))
    assert len(grooves) == len(tunes) == len(CLIPS)
    assert len({clip.group for clip in CLIPS}) == len(CLIPS)


# --- what does not tell the beats ---


def test_no_clip_begins_with_a_beat_and_none_at_the_same_place_in_the_bar() -> None:
    in_beat, in_bar = [], []
    for clip in CLIPS:
        times, first = ANNOTATED[clip.path]
        period = times[1] - times[0]
        in_beat.append(times[0] / period)
        in_bar.append(first[0] / period / clip.recipe.metre)
    for places in (in_beat, in_bar):
        assert kstest(places, "uniform").pvalue > 0.1
    for split in SPLITS:
        places = [at for at, clip in zip(in_bar, CLIPS, strict=True) if clip.split == split]
        assert kstest(places, "uniform").pvalue > 0.05


def test_a_grid_without_ears_finds_few_beats_and_fewer_downbeats() -> None:
    """Every tempo, from the start of the clip on: the best of them on the test itself."""
    test = [ANNOTATED[clip.path] for clip in CLIPS if clip.split == "test"]

    def best(which: int, tempi: range) -> float:
        grids = [np.arange(0.0, SECONDS, 60 / tempo) for tempo in tempi]
        scores = [[mir_eval.beat.f_measure(each[which], grid) for each in test] for grid in grids]
        return float(np.mean(scores, axis=1).max())

    assert best(0, range(55, 216, 5)) < 0.35
    assert best(1, range(15, 76, 5)) < 0.15


def test_two_notes_of_five_are_off_the_beat_and_they_are_as_loud() -> None:
    stress: dict[bool, list[int]] = {True: [], False: []}
    for clip in CLIPS:
        for voice in score_of(clip.recipe, seconds=SECONDS):
            for note in voice.part:
                stress[note.beat % 1 == 0].append(note.stress)
    share = len(stress[False]) / (len(stress[False]) + len(stress[True]))
    assert share == pytest.approx(0.4, abs=0.03)
    assert np.mean(stress[True]) == pytest.approx(np.mean(stress[False]), abs=1.0)
    assert np.std(stress[True]) == pytest.approx(np.std(stress[False]), rel=0.1)


def test_a_beat_may_be_empty_and_half_a_beat_mostly_is_not() -> None:
    struck: dict[tuple[bool, float], list[bool]] = {}
    for clip in CLIPS:
        recipe = clip.recipe
        voices = score_of(recipe, seconds=SECONDS)
        places = {note.beat for voice in voices for note in voice.part}
        timing = timing_of(recipe, seconds=SECONDS)
        for beat in np.flatnonzero(np.array(timing.beats[:-1]) >= 0):
            for half in (0.0, 0.5):
                found = struck.setdefault((recipe.drummed, half), [])
                found.append(bool(beat + half in places))
    assert 0.85 < np.mean(struck[False, 0.0]) < 0.97
    assert 0.6 < np.mean(struck[False, 0.5]) < np.mean(struck[False, 0.0])
    assert 0.9 < np.mean(struck[True, 0.5]) < np.mean(struck[True, 0.0])


def test_neither_the_first_nor_the_loudest_note_is_the_downbeat() -> None:
    first, loudest = [], []
    for clip in CLIPS:
        recipe = clip.recipe
        timing = timing_of(recipe, seconds=SECONDS)
        voices = score_of(recipe, seconds=SECONDS)
        heard = [note for note in voices[0].part if timing.seconds(note.beat) >= 0]
        first.append(heard[0].beat % recipe.metre == 0)
        bars: dict[int, list[tuple[int, bool]]] = {}
        for note in (note for voice in voices for note in voice.part):
            at = (note.stress, note.beat % recipe.metre == 0)
            bars.setdefault(int(note.beat // recipe.metre), []).append(at)
        loudest += [max(bar)[1] for bar in bars.values()]
    assert np.mean(first) < 0.35
    assert np.mean(loudest) < 0.35


def test_the_tempo_of_most_pieces_wanders_by_several_percent() -> None:
    ranges = [np.ptp(np.log(np.diff(each.beats))) for each in ANNOTATED.values()]
    assert np.median(ranges) > 0.06
    assert max(ranges) < 0.17


# --- the times ---


def test_beats_lie_in_the_clip_and_every_bar_has_as_many_as_its_metre() -> None:
    for clip in CLIPS:
        times, first = ANNOTATED[clip.path]
        assert (times >= 0).all() and (times < SECONDS).all()
        assert 60 / 180.1 < np.diff(times).min() and np.diff(times).max() < 60 / 59.9
        at = np.searchsorted(times, first)
        assert (times[at] == first).all()
        assert set(np.diff(at)) == {clip.recipe.metre}
        assert at[0] < clip.recipe.metre and len(times) - at[-1] <= clip.recipe.metre


def test_bars_and_beats_are_inside_the_card_s_ranges_of_tempo() -> None:
    for rules in load_task("EmbeddedBeat").spec.protocols.values():
        assert rules.frames is not None
        for which, (slowest, fastest) in enumerate(
            (rules.frames.tempo, rules.frames.downbeat_tempo)
        ):
            gaps = np.concatenate([np.diff(each[which]) for each in ANNOTATED.values()])
            assert slowest < 60 / gaps.max() and 60 / gaps.min() < fastest


def test_a_drum_on_every_beat_is_heard_at_the_annotated_times() -> None:
    """Against librosa's onset detector: cut the music down to notes on beats, and play it."""
    renderer = Renderer(SAMPLE_RATE)
    for clip in [clip for clip in CLIPS if clip.recipe.drummed][::22]:
        timing = timing_of(clip.recipe, seconds=SECONDS)
        parts = [part for part in arrange(clip.recipe, seconds=SECONDS) if part.drums]
        grid = np.array(timing.beats)
        on_beats = [
            replace(
                part,
                notes=tuple(
                    note for note in part.notes if np.abs(grid - note.onset_seconds).min() < 0.0243
                ),
            )
            for part in parts
        ]
        audio = renderer.mix(on_beats, seconds=SECONDS)
        onsets = librosa.onset.onset_detect(
            y=audio, sr=SAMPLE_RATE, hop_length=128, units="time", backtrack=False
        )
        distances = np.abs(onsets[:, None] - ANNOTATED[clip.path].beats).min(axis=1)
        assert len(onsets) > 5
        assert np.mean(distances < 0.05) > 0.9


# --- the folder ---


def test_rows_have_the_exact_times(clicks: None, tmp_path: Path) -> None:
    root = write_beats(tmp_path / "beats")
    assert sorted(path.name for path in root.iterdir()) == [".music.lock", "music", "tracks.jsonl"]
    task, tracks = task_tracks(load_task("EmbeddedBeat"), root, None)
    assert Counter(track.split for track in tracks) == task.spec.sizes == PIECES
    assert task.spec.version == module.VERSION
    assert task.spec.length_seconds == (SECONDS, SECONDS)
    assert task.spec.hours == pytest.approx(len(CLIPS) * SECONDS / 3600, abs=0.005)
    for track, clip in zip(tracks, CLIPS, strict=True):
        assert track.path == root / "music" / clip.path and track.path.is_file()
        assert track.group == clip.group
        read = beats_of(str(track.label))
        for times, expected in zip(read, ANNOTATED[clip.path], strict=True):
            np.testing.assert_array_equal(times, expected)


def test_a_complete_copy_is_left_alone_and_a_damaged_table_made_again(
    clicks: None, tmp_path: Path
) -> None:
    root = write_beats(tmp_path / "beats")
    table = root / "tracks.jsonl"
    sound, written = table.read_bytes(), table.stat().st_mtime_ns
    assert write_beats(root) == root
    assert table.stat().st_mtime_ns == written
    table.write_bytes(sound.replace(b"0.3", b"0.4"))
    (root / "music" / CLIPS[0].path).unlink()
    write_beats(root)
    assert table.read_bytes() == sound == table_of(beats())
    assert (root / "music" / CLIPS[0].path).is_file()


@pytest.mark.parametrize("kind", ["a file", "a table of another's"])
def test_tracks_of_someone_else_are_refused_and_left_alone(
    kind: str, clicks: None, tmp_path: Path
) -> None:
    root = tmp_path / "mine"
    if kind == "a file":
        root.write_text("mine")
    else:
        root.mkdir()
        (root / "tracks.jsonl").write_text(json.dumps({"path": "a.wav", "beats": "a.beats"}))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(SpecError, match=r"mine: must be a folder.*Name another"):
        write_beats(root)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_the_table_is_strict_json_and_says_what_it_must() -> None:
    for line, clip in zip(table_of(beats()).decode().splitlines(), CLIPS, strict=True):
        row = json.loads(line)
        assert set(row) == {"path", "split", "group", "beats"}
        assert set(row["beats"]) == set(Beats._fields)
        assert row["path"] == f"music/{clip.path}"
