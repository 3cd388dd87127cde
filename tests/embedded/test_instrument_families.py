"""EmbeddedInstrument: fair, neither silent nor clipped, and neither too easy nor too hard."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
from scipy.fft import rfft
from sklearn.linear_model import LogisticRegression

from marble_eval.embedded.collection import Clip, write_collection
from marble_eval.embedded.instrument_families import FamilyClip, instrument_families
from marble_eval.embedded.programs import FAMILIES
from marble_eval.files.fingerprint import digest_of

CLIPS = instrument_families().clips


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole data set, written once."""
    root = tmp_path_factory.mktemp("embedded") / "EmbeddedInstrument"
    return write_collection(root, instrument_families())


def rows_of(root: Path) -> list[dict[str, str]]:
    with (root / "tracks.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_recipes_are_those_of_version_1() -> None:
    # When this fails, the data have changed: raise VERSION and the card's version.
    assert digest_of(CLIPS) == "70b07d9cde4fada47bd2cf2e821c7e2d"


def test_every_phrase_is_played_by_every_family_at_one_level() -> None:
    of_phrase: dict[int, list[Clip[FamilyClip]]] = {}
    for clip in CLIPS:
        of_phrase.setdefault(clip.recipe.seed, []).append(clip)
    assert len(of_phrase) == 90
    for clips in of_phrase.values():
        assert {clip.labels for clip in clips} == {(family,) for family in FAMILIES}
        assert len({(clip.split, clip.recipe.level_dbfs) for clip in clips}) == 1


def test_programs_of_a_split_are_heard_equally_often() -> None:
    heard = Counter((*clip.labels, clip.split, clip.group) for clip in CLIPS)
    for family, splits in FAMILIES.items():
        for split, programs in splits.items():
            counts = [heard[family, split, program] for program in programs]
            assert max(counts) - min(counts) <= 1


def test_clips_are_neither_silent_nor_clipped_nor_a_click_and_equally_loud(data: Path) -> None:
    levels = {clip.path: clip.recipe.level_dbfs for clip in CLIPS}
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
    power = np.abs(rfft(frames)) ** 2  # float32, unlike NumPy's
    mel = librosa.filters.mel(sr=24000, n_fft=2048, n_mels=128, dtype=np.float32)
    decibels = librosa.power_to_db(power @ mel.T, top_db=None).reshape(len(rows), 34, 128)
    labels, splits = (np.array([row[name] for row in rows]) for name in ("label", "split"))
    train, test = splits == "train", splits == "test"
    values = np.concatenate([decibels.mean(1), decibels.std(1)], axis=1)
    values = (values - values[train].mean(0)) / values[train].std(0)
    probe = LogisticRegression(C=0.01, max_iter=1000).fit(values[train].clip(-5, 5), labels[train])
    accuracy = probe.score(values[test].clip(-5, 5), labels[test])
    assert 0.45 < accuracy < 0.85  # chance is 0.125
