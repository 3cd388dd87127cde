"""EmbeddedKey: that pieces are in their keys, and no piece is another one transposed."""

from __future__ import annotations

from collections import Counter

import librosa
import mir_eval
import numpy as np

from marble_eval.embedded.collection import SAMPLE_RATE
from marble_eval.embedded.keys import compose_in, keys
from marble_eval.embedded.programs import ROLES
from marble_eval.embedded.renderer import Renderer
from marble_eval.metrics.key import KEYS

CLIPS = keys().clips
# Krumhansl and Kessler 1982: how well each tone fits after a cadence in C major, C minor.
MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
PROFILES = np.stack([np.roll(each, tonic) for each in (MAJOR, MINOR) for tonic in range(12)])


def best_key(weights: np.ndarray) -> str:
    """Return the key whose profile correlates best with the weights of the pitch classes."""
    return KEYS[int(np.argmax([np.corrcoef(each, weights)[0, 1] for each in PROFILES]))]


def test_every_key_has_equally_many_pieces_in_every_split() -> None:
    counts = Counter((clip.split, *clip.labels) for clip in CLIPS)
    for split, pieces in (("train", 7), ("valid", 2), ("test", 5)):
        assert {counts[split, key] for key in KEYS} == {pieces}
    assert len({clip.group for clip in CLIPS}) == len(CLIPS)


def test_pieces_end_on_the_tonic_of_their_key() -> None:
    for clip in CLIPS:
        harmony, parts = compose_in(clip.recipe)
        at = KEYS.index(clip.labels[0])
        third = 4 if at < 12 else 3
        assert harmony[-1].chord.tones == (at % 12, (at + third) % 12, (at + 7) % 12)
        (bass,) = (part for part in parts if part.program == clip.recipe.bass and not part.drums)
        last = max(bass.notes, key=lambda note: note.onset_seconds)
        assert last.pitch % 12 in (at % 12, (at + 7) % 12)


def test_no_piece_is_another_one_transposed() -> None:
    shapes = set()
    for clip in CLIPS:
        _, parts = compose_in(clip.recipe)
        tonic = KEYS.index(clip.labels[0]) % 12
        notes = [n for part in parts if not part.drums for n in part.notes]
        shapes.add(tuple((round(n.onset_seconds, 2), (n.pitch - tonic) % 12) for n in notes))
    assert len(shapes) == len(CLIPS)


def test_programs_are_those_of_the_split() -> None:
    for clip in CLIPS:
        for role in ROLES:
            assert getattr(clip.recipe, role) in ROLES[role][clip.split].values()


def test_register_and_number_of_notes_do_not_tell_the_key() -> None:
    facts = []
    for clip in CLIPS:
        _, parts = compose_in(clip.recipe)
        notes = [note for part in parts if not part.drums for note in part.notes]
        facts.append((np.mean([note.pitch for note in notes]), len(notes)))
    tonics = np.array([KEYS.index(clip.labels[0]) % 12 for clip in CLIPS])
    modes = np.array([KEYS.index(clip.labels[0]) // 12 for clip in CLIPS])
    for fact in np.array(facts).T:
        assert abs(np.corrcoef(fact, tonics)[0, 1]) < 0.2
        assert abs(np.corrcoef(fact, modes)[0, 1]) < 0.2


def test_profiles_of_the_notes_find_the_keys_by_mir_eval() -> None:
    scores = []
    for clip in CLIPS:
        weights = np.zeros(12)
        for part in compose_in(clip.recipe)[1]:
            for note in () if part.drums else part.notes:
                weights[note.pitch % 12] += note.duration_seconds
        scores.append(mir_eval.key.weighted_score(clip.labels[0], best_key(weights)))
    assert 0.75 < np.mean(scores) < 0.98  # minor borrows from its relative; chance is 0.08


def test_profiles_of_the_sound_find_the_keys_by_librosa() -> None:
    renderer, play = Renderer(SAMPLE_RATE), keys().play
    scores = []
    for clip in [clip for clip in CLIPS if clip.split == "test"][::3]:
        audio = play(renderer, clip.recipe)
        chroma = librosa.feature.chroma_stft(y=audio, sr=SAMPLE_RATE, n_fft=8192, tuning=0.0)
        scores.append(mir_eval.key.weighted_score(clip.labels[0], best_key(chroma.mean(1))))
    assert len(scores) == 40
    assert np.mean(scores) > 0.5
