"""EmbeddedPitch: that notes sound at their pitch, on programs of their split."""

from __future__ import annotations

from collections import Counter

import librosa
import numpy as np

from marble_eval.embedded.collection import SAMPLE_RATE
from marble_eval.embedded.pitches import PITCHES, pitches
from marble_eval.embedded.programs import PITCHED
from marble_eval.embedded.renderer import Renderer

CLIPS = pitches().clips


def test_every_pitch_has_equally_many_clips_in_every_split() -> None:
    counts = Counter((clip.split, *clip.labels) for clip in CLIPS)
    for split, takes in (("train", 4), ("valid", 1), ("test", 2)):
        assert {counts[split, str(pitch)] for pitch in PITCHES} == {takes}
    assert librosa.midi_to_note([PITCHES[0], PITCHES[-1]], unicode=False).tolist() == ["E2", "D#6"]


def test_programs_of_a_split_play_equally_often_and_from_low_to_high() -> None:
    heard: dict[tuple[str, str], list[int]] = {}
    for clip in CLIPS:
        assert clip.recipe.program == PITCHED[clip.split][clip.group]
        heard.setdefault((clip.split, clip.group), []).append(clip.recipe.pitch)
    assert {group for _, group in heard} == {name for table in PITCHED.values() for name in table}
    for (split, _), played in heard.items():
        assert len(played) == {"train": 8, "valid": 6, "test": 6}[split]
        assert max(played) - min(played) > 12


def test_yin_hears_the_pitch_of_the_label() -> None:
    renderer, play = Renderer(SAMPLE_RATE), pitches().play
    right = []
    for clip in CLIPS[::3]:
        audio = play(renderer, clip.recipe)
        heard = librosa.hz_to_midi(
            librosa.yin(
                audio, fmin=70, fmax=1500, sr=SAMPLE_RATE, frame_length=2048, hop_length=480
            )
        )
        loudest = np.argsort(np.square(audio).reshape(-1, 480).sum(1))[-20:]  # of 75 frames
        median = float(np.median(heard[loudest]))
        right.append(round(median) == clip.recipe.pitch)
    assert len(right) == 112
    assert np.mean(right) > 0.95
