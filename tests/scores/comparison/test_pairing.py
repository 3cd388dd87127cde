"""Which results are compared with which, and when they cannot be."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from marble_eval.errors import MissingError, SpecError, ValidationError
from marble_eval.results import Result, read_predictions, read_result, write_result
from marble_eval.scores.comparison import find_pairs, on_common_items
from tests.stored_results import stored_result


def changed(path: Path, folder: Path, **parts: object) -> Path:
    """Write a result again with some parts of its record replaced."""
    result: Result = dataclasses.replace(read_result(path), predictions=None, **parts)  # type: ignore[arg-type]
    return write_result(folder, result, read_predictions(path))


def test_results_are_paired_by_task(tmp_path: Path) -> None:
    for side in ("a", "b"):
        for task in ("GTZAN", "GS"):
            stored_result(tmp_path / side / task, task)
    stored_result(tmp_path / "b" / "EMO", "EMO")
    found = find_pairs(tmp_path / "a", tmp_path / "b")
    names = [(a.result.task.name, b.result.task.name) for a, b in found.pairs]
    assert names == [("GS", "GS"), ("GTZAN", "GTZAN")]
    assert (found.only_first, found.only_second) == ((), ("EMO@1",))
    assert [a.path.parts[-3:-1] for a, _ in found.pairs] == [("a", "GS"), ("a", "GTZAN")]


def test_a_task_can_be_asked_for_and_a_misspelt_one_is_told(tmp_path: Path) -> None:
    for side in ("a", "b"):
        for task in ("GTZAN", "GS"):
            stored_result(tmp_path / side / task, task)
    assert len(find_pairs(tmp_path / "a", tmp_path / "b", ["GS"]).pairs) == 1
    with pytest.raises(MissingError, match=r"no result of 'GTZN'\. Did you mean 'GTZAN'"):
        find_pairs(tmp_path / "a", tmp_path / "b", ["GTZN"])


def test_several_results_of_a_task_are_paired_by_their_protocol(tmp_path: Path) -> None:
    for side in ("a", "b"):
        path = stored_result(tmp_path / side / "mlp")
        probe = dataclasses.replace(read_result(path).probe, name="linear")
        changed(path, tmp_path / side / "linear", probe=probe)
    found = find_pairs(tmp_path / "a", tmp_path / "b")
    probes = [(a.result.probe.name, b.result.probe.name) for a, b in found.pairs]
    assert probes == [("linear", "linear"), ("mlp", "mlp")]


def test_two_encoders_on_one_side_are_a_question_not_a_guess(tmp_path: Path) -> None:
    stored_result(tmp_path / "a" / "one", encoder="one")
    stored_result(tmp_path / "a" / "two", encoder="two")
    stored_result(tmp_path / "b")
    with pytest.raises(SpecError, match=r"several results of one protocol could be meant"):
        find_pairs(tmp_path / "a", tmp_path / "b")


def test_nothing_in_common_is_told_with_what_there_is(tmp_path: Path) -> None:
    stored_result(tmp_path / "a", "GTZAN")
    stored_result(tmp_path / "b", "GS")
    with pytest.raises(MissingError, match=r"in common\. Got GTZAN@1 and GS@1"):
        find_pairs(tmp_path / "a", tmp_path / "b")


def test_a_folder_without_results_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"no such folder of results"):
        find_pairs(tmp_path / "a", tmp_path / "b")
    (tmp_path / "a").mkdir()
    with pytest.raises(MissingError, match=r"must hold a result\.json"):
        find_pairs(tmp_path / "a", tmp_path / "a")


def test_items_lie_beside_each_other_whatever_their_order(tmp_path: Path) -> None:
    first = stored_result(tmp_path / "a")
    result = dataclasses.replace(read_result(first), predictions=None)
    turned = read_predictions(first).iloc[::-1].reset_index(drop=True)
    second = write_result(tmp_path / "b", result, turned)
    ours, theirs, left_out = on_common_items(first, second)
    assert ours.items == theirs.items and ours.estimates == theirs.estimates
    assert left_out == 0


def test_items_that_one_lacks_are_refused_or_left_out_if_asked(tmp_path: Path) -> None:
    first = stored_result(tmp_path / "a")
    table = read_predictions(first)
    result = dataclasses.replace(read_result(first), predictions=None)
    second = write_result(tmp_path / "b", result, table[table["id"] != "test-007"])
    with pytest.raises(ValidationError, match=r"59 in common and 1 in one alone.*test-007"):
        on_common_items(first, second)
    ours, theirs, left_out = on_common_items(first, second, common=True)
    assert (len(ours.items), len(theirs.items), left_out) == (59, 59, 1)


def test_items_of_one_artist_alone_say_nothing_of_chance(tmp_path: Path) -> None:
    first = stored_result(tmp_path / "a", together=10)
    result = dataclasses.replace(read_result(first), predictions=None)
    table = read_predictions(first)
    others = table["id"].where(table["group"] == "artist 0", "other " + table["id"])
    path = write_result(tmp_path / "b", result, table.assign(id=others))
    with pytest.raises(ValidationError, match=r"two groups in common.*Got 10 items of one group"):
        on_common_items(first, path, common=True)


@pytest.mark.parametrize("column", ["reference", "group"])
def test_other_annotations_are_no_ground_for_a_comparison(column: str, tmp_path: Path) -> None:
    first = stored_result(tmp_path / "a")
    table = read_predictions(first)
    at = table["id"] == "test-007"
    other = "rock" if table.loc[at, column].iloc[0] != "rock" else "pop"
    result = dataclasses.replace(read_result(first), predictions=None)
    second = write_result(
        tmp_path / "b", result, table.assign(**{column: table[column].mask(at, other)})
    )
    with pytest.raises(ValidationError, match=rf"{column}s must agree.*test-007"):
        on_common_items(first, second)


def test_two_versions_of_a_task_are_not_compared(tmp_path: Path) -> None:
    first = stored_result(tmp_path / "a")
    task = dataclasses.replace(read_result(first).task, version=2)
    second = changed(first, tmp_path / "b", task=task)
    with pytest.raises(ValidationError, match=r"must be of one task.*version 1 and 2"):
        on_common_items(first, second)


def test_encoders_of_other_depths_are_paired_where_both_tried_every_layer(tmp_path: Path) -> None:
    for side, depth in (("a", 13), ("b", 25)):
        layers = tuple(str(each) for each in range(depth))
        for protocol in ("marble-v1", "quick"):
            path = stored_result(tmp_path / side / protocol, encoder=side)
            result = read_result(path)
            changed(
                path,
                path.parent,
                encoder=dataclasses.replace(result.encoder, layers=layers),
                choices=dataclasses.replace(result.choices, layers=(*layers, "sum")),
                protocol=dataclasses.replace(result.protocol, name=protocol),
            )
    found = find_pairs(tmp_path / "a", tmp_path / "b")
    names = [(a.path.parts[-3:-1], b.path.parts[-3:-1]) for a, b in found.pairs]
    assert names == [(("a", each), ("b", each)) for each in ("marble-v1", "quick")]


def test_two_trees_of_the_same_encoders_are_paired_encoder_by_encoder(tmp_path: Path) -> None:
    for side, encoders in (("a", ("one", "two")), ("b", ("two", "one", "three"))):
        for encoder in encoders:
            stored_result(tmp_path / side / encoder, encoder=encoder)
    found = find_pairs(tmp_path / "a", tmp_path / "b")
    names = [(a.result.encoder.name, b.result.encoder.name) for a, b in found.pairs]
    assert names == [("one", "one"), ("two", "two")]
    assert found.only_first == ()
    assert found.only_second == (f"GTZAN@1 in {tmp_path / 'b' / 'three'}",)


def test_labels_in_another_order_are_not_mixed(tmp_path: Path) -> None:
    first = stored_result(tmp_path / "a", "MTT")
    labels = read_result(first).labels
    second = changed(first, tmp_path / "b", labels=labels[::-1])
    with pytest.raises(ValidationError, match=r"same labels in the same order"):
        on_common_items(first, second)


def test_pieces_of_other_recordings_are_not_compared(tmp_path: Path) -> None:
    first = stored_result(tmp_path / "a", pieces=3, together=3)
    table = read_predictions(first)
    result = dataclasses.replace(read_result(first), predictions=None)
    second = write_result(tmp_path / "b", result, table.assign(recording=table["id"]))
    with pytest.raises(ValidationError, match=r"same recordings.*Got 20 and 60 recordings"):
        on_common_items(first, second)
