"""The published table: its shape, and cells checked against the paper."""

from collections import Counter

import pytest

from marble_eval.leaderboard import CELLS, published_scores, published_value

SOURCE = "MARBLE, arXiv 2306.10548, Tables 3 and 4"


@pytest.mark.parametrize(
    ("encoder", "task", "metric", "value"),
    [
        ("MERT-v1-95M", "GTZAN", "accuracy", 74.8),
        ("MERT-v1-95M", "EMO", "r2_arousal", 76.3),
        ("MERT-v1-330M", "GS", "weighted_score", 61.7),
        ("MERT-v1-330M", "VocalSetS", "accuracy", 87.1),
        ("MERT-v1-330M", "VocalSetT", "accuracy", 76.9),
        ("MERT-v0-95M", "GTZANBeat", "beat_f1", 88.3),
        ("MULE", "MTGTop50", "average_precision", 30.6),
        ("Previous SOTA", "MUSDB18", "sdr_drums", 10.8),
    ],
)
def test_cells_are_those_of_the_paper(encoder: str, task: str, metric: str, value: float) -> None:
    assert published_value(encoder, task, metric) == (value, SOURCE)


def test_lookup_does_not_mind_the_case_of_names() -> None:
    assert published_value("mert-V1-95m", "gtzan", "accuracy") == (74.8, SOURCE)


def test_what_was_not_published_is_none() -> None:
    assert published_value("MusiCNN", "GTZANBeat", "beat_f1") is None
    assert published_value("MERT-v1-95M", "GTZAN", "macro_f1") is None
    assert published_value("my-encoder", "GTZAN", "accuracy") is None


def test_every_cell_has_one_value_in_its_range() -> None:
    scores = published_scores()
    cells = Counter((each.encoder, each.task, each.metric) for each in scores)
    # Ten models; four lack beat tracking and separation.
    assert len(cells) == len(scores) == 10 * len(CELLS) - 4 * (1 + 4)
    assert {(each.task, each.metric) for each in scores} == {cell[1:] for cell in CELLS}
    assert all(0 < each.value < (12 if each.unit == "dB" else 100) for each in scores)
    assert all((each.unit == "dB") == each.metric.startswith("sdr_") for each in scores)


def test_track_and_note_tell_what_does_not_compare() -> None:
    scores = published_scores()
    open_track = {each.encoder for each in scores if each.track == "unconstrained"}
    assert open_track == {"Previous SOTA"}
    late = [each for each in scores if each.note]
    assert {each.note for each in late} == {"exceeded the one-week wall"}
    assert {each.encoder for each in late} == {"Jukebox-5B"}
    assert len(late) == 8
