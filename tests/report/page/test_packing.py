"""What a page packs, read again by a reader of our own making."""

from __future__ import annotations

import base64
import gzip
import json
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from marble_eval.errors import ValidationError
from marble_eval.report.page import data
from marble_eval.report.page.data import detail_blocks
from marble_eval.report.page.listing import listed_results
from marble_eval.report.page.packing import NO_VALUE, Coded, pack, scaled, whole
from marble_eval.results import Missing
from marble_eval.results.record import Counts
from tests.report.page.many_results import SEEDS, example, many_results


def unpacked(text: str) -> tuple[dict[str, Any], dict[str, list[int | None]]]:
    """Read a block number by number, as its description says."""
    content = gzip.decompress(base64.b64decode(text))
    (length,) = struct.unpack("<I", content[:4])
    header = json.loads(content[4 : 4 + length])
    place = 4 + length
    columns: dict[str, list[int | None]] = {}
    for name, width, count in header["columns"]:
        codes = [
            sum(content[place + byte * count + i] << 8 * byte for byte in range(width))
            for i in range(count)
        ]
        columns[name] = [meaning(code) for code in codes]
        place += width * count
    assert place == len(content)
    return header, columns


def meaning(code: int) -> int | None:
    """0 no value, 1 is 0, 2 is -1, 3 is 1, 4 is -2, ..."""
    if code == 0:
        return None
    half, odd = divmod(code, 2)
    return half if odd else -half


@pytest.mark.parametrize(
    "values",
    [[], [0], [None], [1, -1, 127, -128, None, 255, 256], [2**51, -(2**51), 0, None], [3] * 1000],
)
def test_what_is_packed_is_read_again(values: list[int | None]) -> None:
    header, columns = unpacked(pack({"name": "é </script>"}, {"column": whole(values)}))
    assert header["name"] == "é </script>"
    assert columns == {"column": values}


def test_scores_keep_four_decimals_and_what_is_absent_stays_absent() -> None:
    assert scaled([0.74826, -0.00004, None, float("nan")]).tolist() == [7483, 0, NO_VALUE, NO_VALUE]


def test_a_number_that_javascript_would_round_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"'big' must hold numbers below 2\*\*52"):
        pack({}, {"big": whole([2**52])})


def test_equal_things_share_a_number() -> None:
    coded = Coded()
    assert [coded.code(each) for each in ({"a": 1, "b": 2}, [1], {"b": 2, "a": 1})] == [0, 1, 0]


def test_the_same_content_makes_the_same_text() -> None:
    assert pack({"a": [1]}, {"b": whole([5])}) == pack({"a": [1]}, {"b": whole([5])})


def test_the_details_of_a_result_are_its_own() -> None:
    """Of three results of one task, the second one's numbers lie behind the first one's."""
    shown = listed_results(many_results(3, 1), ())
    blocks = detail_blocks(shown)
    header, columns = unpacked(blocks.texts[0])
    second = shown[1].result
    assert blocks.starts == [0] and blocks.every_seed
    assert header["unit"] == [each.result.unit for each in shown]
    points = header["lengths"]["grid"]
    assert points == len(second.grid) == 14 * 6 * 3
    differences = columns["grid"][points : 2 * points]
    valid = np.cumsum(np.array(differences, dtype=float)) / 10_000
    np.testing.assert_allclose(valid, [each.valid for each in second.grid], atol=5.1e-5)
    epochs = columns["epochs"][points : 2 * points]
    assert epochs == [each.epochs for each in second.grid]


def test_results_of_one_task_stand_in_blocks_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "LARGEST_BLOCK", 2)
    shown = listed_results(many_results(3, 2), ())
    blocks = detail_blocks(shown)
    assert blocks.starts == [0, 2, 3, 5]
    units = [unpacked(text)[0]["unit"] for text in blocks.texts]
    assert [each for part in units for each in part] == [entry.result.unit for entry in shown]
    assert [len(each) for each in units] == [2, 1, 2, 1]


def test_a_large_page_keeps_the_means_over_the_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "EVERY_SEED_UP_TO", 251)
    shown = listed_results(many_results(1, 1), ())
    blocks = detail_blocks(shown)
    header, columns = unpacked(blocks.texts[0])
    grid = shown[0].result.grid
    by_hand = [
        sum(each.valid for each in grid[i : i + 3]) / 3 for i in range(0, len(grid), len(SEEDS))
    ]
    assert not blocks.every_seed
    assert header["tables"]["design"][0][2] == [None] * 84
    found = np.cumsum(np.array(columns["grid"], dtype=float)) / 10_000
    np.testing.assert_allclose(found, by_hand, atol=5.1e-5)


def test_a_confusion_keeps_the_cells_that_are_not_zero() -> None:
    table = ((3, 0, 1), (0, 0, 0), (0, 0, 2))
    result = example()
    labels = tuple(replace(result.labels[0], name=name) for name in "abc")
    shown = listed_results([replace(result, labels=labels, confusion=table)], ())
    _, columns = unpacked(detail_blocks(shown).texts[0])
    assert columns["cells"] == [0, 2, 6]  # places 0, 2 and 8 of the nine
    assert columns["cell_counts"] == [3, 1, 2]


def test_missing_tracks_are_counted_and_the_first_ones_named() -> None:
    missing = tuple(Missing(f"track {i}", "no such file") for i in range(25))
    shown = listed_results([replace(example(), counts=Counts(30, 5, missing))], ())
    header, columns = unpacked(detail_blocks(shown).texts[0])
    assert columns["counts"] == [30, 5, 25]
    assert header["tables"]["missing"] == [[[f"track {i}", "no such file"] for i in range(10)]]
