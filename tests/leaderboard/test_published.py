"""The published tables: their shape, and cells checked against the papers."""

from collections import Counter

import pytest

from marble_eval.leaderboard import (
    MARBLE_COLUMNS,
    PublishedScore,
    published_scores,
    published_value,
)
from marble_eval.leaderboard.published import published_cells
from marble_eval.registry.configuration import config_names, read_config

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
        ("MERT-v0-95M", "MUSDB18", "sdr_drums", 5.6),
        ("MULE", "MTGTop50", "average_precision", 30.6),
        ("Previous SOTA", "MUSDB18", "sdr_drums", 10.8),
    ],
)
def test_cells_are_those_of_the_paper(encoder: str, task: str, metric: str, value: float) -> None:
    found = published_value(encoder, task, metric)
    assert found is not None and (found.value, found.source) == (value, SOURCE)


def test_lookup_does_not_mind_the_case_of_names() -> None:
    found = published_value("mert-V1-95m", "gtzan", "accuracy")
    assert found is not None and (found.value, found.source) == (74.8, SOURCE)


def test_what_was_not_published_is_none() -> None:
    assert published_value("MusiCNN", "GTZANBeat", "beat_f1") is None
    assert published_value("MERT-v1-95M", "GTZAN", "macro_f1") is None
    assert published_value("my-encoder", "GTZAN", "accuracy") is None


def test_every_cell_of_a_paper_has_one_value_in_its_range() -> None:
    scores = published_scores()
    cells = Counter((each.encoder, each.task, each.metric) for each in scores)
    marble = [each for each in scores if each.source == SOURCE]
    # Ten models; four lack beat tracking and separation. MuQ: five models, eleven columns.
    assert len(marble) == 10 * len(MARBLE_COLUMNS) - 4 * (1 + 4)
    assert len(cells) == len(scores) == len(marble) + 5 * 11
    assert {(each.task, each.metric) for each in marble} == {cell[1:3] for cell in MARBLE_COLUMNS}
    assert all(0 < each.value < (12 if each.unit == "dB" else 100) for each in scores)
    assert all((each.unit == "dB") == each.metric.startswith("sdr_") for each in scores)


def test_track_protocol_and_note_tell_what_does_not_compare() -> None:
    scores = published_scores()
    open_track = {each.encoder for each in scores if each.track == "unconstrained"}
    assert open_track == {"Previous SOTA"}
    protocols = {(each.protocol, each.track) for each in scores}
    assert protocols == {("marble-v1", "constrained"), ("various", "unconstrained"), ("own", "")}
    late = [each for each in scores if each.note and each.source == SOURCE]
    assert {each.note for each in late} == {"exceeded the one-week wall"}
    assert {each.encoder for each in late} == {"Jukebox-5B"}
    assert len(late) == 8


#: A second reading of Tables 1 and 2 of MuQ's paper, column by column.
MUQ_COLUMNS = (
    ("GTZAN", "accuracy"),
    ("GS", "weighted_score"),
    ("EMO", "r2_valence"),
    ("EMO", "r2_arousal"),
    ("VocalSetS", "accuracy"),
    ("VocalSetT", "accuracy"),
    ("HarmonixStructure", "score"),
    ("MTT", "roc_auc"),
    ("MTT", "average_precision"),
    ("NSynthI", "accuracy"),
    ("NSynthP", "accuracy"),
)
MUQ_ROWS = {
    "MERT": (78.6, 65.6, 61.2, 74.7, 87.1, 76.9, 75.7, 91.3, 40.2, 72.6, 94.4),
    "MusicFM": (83.8, 63.9, 60.3, 76.3, 92.0, 78.4, 76.5, 91.3, 40.0, 76.2, 91.1),
    "MuQ Music4All": (84.0, 63.7, 60.0, 76.0, 95.2, 80.8, 76.4, 91.1, 39.0, 76.9, 91.2),
    "MuQ": (85.5, 63.5, 60.9, 75.4, 95.8, 82.4, 76.5, 91.4, 40.3, 79.2, 92.3),
    "MuQ iter": (85.6, 65.0, 62.8, 76.1, 96.2, 81.6, 77.2, 91.4, 40.1, 79.7, 91.3),
}


def test_every_cell_of_muq_s_tables_is_that_of_a_second_reading() -> None:
    rows = [each for each in published_scores() if each.source.startswith("MuQ")]
    found = {(each.encoder, each.task, each.metric): each.value for each in rows}
    assert found == {
        (f"{name} (MuQ paper)", *column): value
        for name, values in MUQ_ROWS.items()
        for column, value in zip(MUQ_COLUMNS, values, strict=True)
    }


def test_muq_s_table_keeps_its_spreads_and_says_what_was_copied() -> None:
    muq = [each for each in published_scores() if each.source.startswith("MuQ")]
    spreads = {(each.encoder, each.task): each.note for each in muq if each.note.startswith("±")}
    assert spreads["MuQ iter (MuQ paper)", "GS"] == "± 0.8"
    assert spreads["MuQ (MuQ paper)", "GTZAN"] == "± 0.9"
    assert len(spreads) == 6
    assert {each.encoder for each in muq if "copied" in each.note} == {"MERT (MuQ paper)"}


def test_names_are_ours_only_where_the_paper_had_the_same_weights() -> None:
    ours = {read_config("encoder", each)["name"] for each in config_names("encoder")}
    reported = {each.encoder for each in published_scores()}
    assert reported & ours == {"MERT-v0-95M", "MERT-v0-95M-public", "MERT-v1-95M", "MERT-v1-330M"}


def test_of_several_papers_the_one_under_marble_s_protocol_comes_first() -> None:
    cell = ("GTZAN", "accuracy")
    own = PublishedScore("x", *cell, 1.0, "percent", "", "Paper", "")
    later = PublishedScore("X", *cell, 2.0, "percent", "constrained", "MARBLE", "", "marble-v1")
    found = published_cells([own, later])["x", "gtzan", "accuracy"]
    assert [each.value for each in found] == [2.0, 1.0]
