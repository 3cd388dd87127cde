"""Annotations that cannot be of their audio: in another unit, or of another file."""

from __future__ import annotations

import numpy as np
import pytest

from marble_eval.data.annotations import misfit
from marble_eval.data.annotations.beat_files import Beats
from marble_eval.data.annotations.chord_files import Chords
from marble_eval.data.annotations.note_files import Notes

TIMES = np.arange(0.0, 8.0, 0.5)
INTERVALS = np.column_stack([TIMES, TIMES + 0.5])


@pytest.mark.parametrize("factor", [1000, 22_050, 44_100, 1e6, 1e7, 100])
@pytest.mark.parametrize("start", [0.0, 0.2])
def test_another_unit_is_named_in_every_kind(factor: float, start: float) -> None:
    for events in (
        Beats((TIMES + start) * factor, np.empty(0)),
        Chords((INTERVALS + start) * factor, ("C",) * len(TIMES)),
        Notes((INTERVALS + start) * factor, np.full(len(TIMES), 60)),
    ):
        assert "8.00 s of audio, annotated from" in misfit(events, 8.0)


@pytest.mark.parametrize("seconds", [8.0, 7.5, 2.0, 0.6])
def test_seconds_fit_also_where_the_audio_is_an_excerpt(seconds: float) -> None:
    assert misfit(Beats(TIMES, TIMES[::4]), seconds) == ""
    assert misfit(Notes(INTERVALS, np.full(len(TIMES), 60)), seconds) == ""
    assert misfit(Beats(np.empty(0), np.empty(0)), seconds) == ""


def test_an_annotation_of_what_comes_later_is_named() -> None:
    assert "annotated from 30 to 37.5" in misfit(Beats(TIMES + 30, np.empty(0)), 8.0)
