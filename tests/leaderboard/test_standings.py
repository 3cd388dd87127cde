"""Ranks from stored predictions: paired draws, the same items, ties with the best."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from marble_eval.errors import MissingError
from marble_eval.leaderboard import Board, board, board_latex, board_markdown, ranked_section
from marble_eval.results import read_predictions
from tests.stored_results import stored_result

SIZE = 60  # test items that `stored_result` writes


def _stored(
    root: Path, encoder: str, clearness: float, seed: int, task: str = "GTZAN", together: int = 1
) -> Path:
    """Write a truly scored result over the whole grid of an encoder with one layer."""
    path = stored_result(
        root / encoder / task,
        task,
        encoder=encoder,
        clearness=clearness,
        seed=seed,
        seeds=(0, 1),
        together=together,
    )
    values = json.loads(path.read_text(encoding="utf-8"))
    values["encoder"]["layers"] = ["5"]
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


def _ranked(paths: list[Path]) -> Board:
    return board(paths, ranked=ranked_section)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two encoders that are alike, and one that guesses."""
    root = tmp_path_factory.mktemp("three")
    return [
        _stored(root, "good", 3.0, 1),
        _stored(root, "alike", 3.0, 2),
        _stored(root, "guess", 0.01, 3),
    ]


def test_two_that_are_alike_are_tied_and_one_that_guesses_is_last(three: list[Path]) -> None:
    tables = _ranked(three)
    ranks = {
        each.model.encoder: each.ranks["GTZAN"] for each in tables.sections[0].models if each.ranks
    }
    assert set(ranks) == {"good", "alike", "guess"}
    for name in ("good", "alike"):
        assert (ranks[name].low, ranks[name].high, ranks[name].tied) == (1, 2, True)
        assert 0 < ranks[name].first_chance < 1
    assert ranks["guess"] == (3, 3, 0.0, False)
    assert sum(each.first_chance for each in ranks.values()) == pytest.approx(1.0, abs=1e-3)
    assert tables.notes == ()


def _right(path: Path) -> np.ndarray:
    """Read the share of seeds that were right, for each test item by name."""
    table = read_predictions(path)
    table = table[table["split"] == "test"]
    of_item = (table["reference"] == table["estimate"]).groupby(table["id"]).mean()
    return np.asarray(of_item.sort_index())


def _drawn(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(SIZE, size=(4000, SIZE))


def _chance(first: np.ndarray, second: np.ndarray) -> float:
    """Give the chance of being first; equal scores share it."""
    return float((first > second).mean() + (first == second).mean() / 2)


def test_the_chance_of_being_first_is_that_of_resampled_items(three: list[Path]) -> None:
    """Drawn anew here from the stored estimates, with another generator."""
    first, second = (_right(path)[_drawn(7)].mean(axis=1) for path in three[:2])
    models = {each.model.encoder: each for each in _ranked(three).sections[0].models}
    found = models["good"].ranks["GTZAN"].first_chance
    assert found == pytest.approx(_chance(first, second), abs=0.05)


def test_two_results_are_compared_on_the_same_draws(tmp_path: Path) -> None:
    """One is right wherever the other is: on the same items it is never behind."""
    paths = [_stored(tmp_path, "clear", 3.0, 1), _stored(tmp_path, "dull", 2.6, 1)]
    clear, dull = (_right(path) for path in paths)
    assert (clear >= dull).all() and clear.mean() > dull.mean()
    # With draws of its own for each, luck would put the other one first now and then.
    assert _chance(clear[_drawn(1)].mean(axis=1), dull[_drawn(2)].mean(axis=1)) < 0.95
    models = {each.model.encoder: each for each in _ranked(paths).sections[0].models}
    assert models["clear"].ranks["GTZAN"].first_chance > 0.995
    assert models["dull"].ranks["GTZAN"].low == 2


def test_ranks_stand_in_the_long_and_in_the_wide_table(three: list[Path]) -> None:
    tables = _ranked(three)
    long = tables.long
    ours = long[(long["encoder"] == "guess") & (long["metric"] == "accuracy")].iloc[0]
    assert (ours["rank_low"], ours["rank_high"], ours["tied"]) == (3, 3, "false")
    assert long[long["source"] == "reported"]["rank_low"].isna().all()
    wide = tables.wide.set_index("encoder")
    assert wide.loc["good", "GTZAN ranks"] == "1–2"  # a dash that no spreadsheet makes a date
    assert wide.loc["good", "GTZAN tied"] == "true"
    assert "GTZAN ranks" not in board(three).wide


def test_ties_are_marked_in_markdown_and_latex(three: list[Path]) -> None:
    tables = _ranked(three)
    assert "†" in board_markdown(tables).split("## ")[1]
    assert "probability of being first" in board_markdown(tables)
    written = board_latex(tables)
    runs = written.split("\\midrule\n")[1]
    assert runs.count("\\textbf") == 1
    assert runs.count("$\\dagger$") == 1
    assert "$\\dagger$: tied with it" in written


def test_results_on_other_items_are_not_ranked_and_named(tmp_path: Path, three: list[Path]) -> None:
    """Items in other groups are drawn otherwise, so they do not pair."""
    odd = _stored(tmp_path, "odd", 3.0, 4, together=2)
    tables = _ranked([*three, odd])
    (note,) = tables.notes
    assert note.startswith(f"{odd}: not ranked in GTZAN")
    models = {each.model.encoder: each for each in tables.sections[0].models}
    assert models["odd"].ranks == {}
    assert models["odd"].scores["GTZAN"].tied == ""
    assert models["guess"].ranks["GTZAN"].high == 3


def test_a_single_run_has_no_rank(three: list[Path]) -> None:
    tables = _ranked(three[:1])
    assert all(each.ranks == {} for each in tables.sections[0].models)


def test_averages_are_ranked_among_models_that_have_every_task(
    tmp_path: Path, three: list[Path]
) -> None:
    del three
    paths = [
        _stored(tmp_path, encoder, clearness, seed, task)
        for encoder, clearness, seed in (("good", 3.0, 1), ("guess", 0.01, 2), ("half", 3.0, 3))
        for task in ("EmbeddedKey", "EmbeddedGenre")
        if (encoder, task) != ("half", "EmbeddedGenre")
    ]
    tables = board(paths, embedded=True, ranked=ranked_section)
    models = {each.model.encoder: each for each in tables.sections[0].models}
    assert models["good"].ranks["flat_average"] == (1, 1, 1.0, True)
    assert models["guess"].ranks["flat_average"][:2] == (2, 2)
    assert "flat_average" not in models["half"].ranks
    assert models["half"].ranks["EmbeddedKey weighted_score"].high <= 2


def test_predictions_that_are_absent_stop_the_ranks(tmp_path: Path) -> None:
    paths = [_stored(tmp_path, each, 2.0, at) for at, each in enumerate("ab")]
    paths[1].with_name("predictions.parquet").unlink()
    assert len(board(paths).sections[0].results) == 2
    with pytest.raises(MissingError, match=r"predictions\.parquet: no such file"):
        _ranked(paths)
