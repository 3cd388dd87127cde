"""Result folders on disk: names, whole writes, and files that were changed."""

import dataclasses
import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from marble_eval.errors import MissingError, ValidationError
from marble_eval.results import (
    Result,
    find_results,
    read_predictions,
    read_result,
    result_folder,
    write_result,
)

EXAMPLE = Path(__file__).with_name("example_result.json")


def _result() -> Result:
    return dataclasses.replace(read_result(EXAMPLE), predictions=None)


def _predictions() -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "split": ["valid", "test"],
            "id": ["blues.00001", "rock.00002"],
            "recording": ["", ""],
            "group": ["B. B. King", "Queen"],
            "seed": [1234, 1234],
            "reference": [0, 1],
            "estimate": [0, 0],
        }
    )
    outputs = np.array([[2.5, -1.0], [1.5, 0.25]], dtype=np.float32)
    return table.assign(output_0=outputs[:, 0], output_1=outputs[:, 1])


def _folder(root: Path, **changes: str) -> Path:
    names = {"encoder": "toy-encoder", "revision": "v1", "task": "GTZAN", "variant": "marble-v1"}
    names |= changes
    return result_folder(root, version=1, **names)


def test_a_result_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = write_result(_folder(tmp_path), _result(), _predictions())
    assert path == tmp_path / "toy-encoder" / "v1" / "GTZAN@1" / "marble-v1" / "result.json"
    read = read_result(path)
    assert dataclasses.replace(read, predictions=None) == _result()
    assert_frame_equal(read_predictions(path), _predictions())
    assert find_results(tmp_path) == [path]


def test_writing_twice_gives_the_same_bytes_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = write_result(tmp_path / "a", _result(), _predictions())
    before = path.read_bytes()
    write_result(tmp_path / "a", _result(), _predictions())
    assert path.read_bytes() == before
    names = sorted(each.name for each in path.parent.iterdir())
    assert names == ["predictions.parquet", "result.json"]


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("m-a-p/MERT-v1-95M", "m-a-p-MERT-v1-95M"),
        ("..", "none"),
        ("", "none"),
        (".", "none"),
        ("../../etc", "..-..-etc"),
        ("a\\b:c*d\0e", "a-b-c-d-e"),
        ("/absolute", "-absolute"),
        ("épreuve 2", "-preuve-2"),
        ("x_y=1,z+2@3.4", "x_y=1,z+2@3.4"),
    ],
)
def test_names_become_names_of_one_folder(tmp_path: Path, name: str, safe: str) -> None:
    folder = _folder(tmp_path, encoder=name)
    assert folder.relative_to(tmp_path).parts == (safe, "v1", "GTZAN@1", "marble-v1")
    assert folder.resolve().is_relative_to(tmp_path.resolve())


def test_an_unknown_revision_has_a_folder_too(tmp_path: Path) -> None:
    assert _folder(tmp_path, revision="").parts[-3] == "none"


def test_a_changed_predictions_file_is_refused_and_the_result_still_read(tmp_path: Path) -> None:
    path = write_result(tmp_path / "a", _result(), _predictions())
    file = path.with_name("predictions.parquet")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert read_result(path).unit == _result().unit
    with pytest.raises(ValidationError, match=f"^{re.escape(str(file))}: must have the sha256"):
        read_predictions(path)


def test_a_folder_without_predictions_says_which_file_is_missing(tmp_path: Path) -> None:
    path = write_result(tmp_path / "a", _result(), _predictions())
    file = path.with_name("predictions.parquet")
    file.unlink()
    with pytest.raises(MissingError, match=f"^{re.escape(str(file))}: no such file"):
        read_predictions(path)


def test_a_foreign_table_with_the_right_digest_is_checked_too(tmp_path: Path) -> None:
    path = write_result(tmp_path / "a", _result(), _predictions())
    other = write_result(tmp_path / "b", _result(), _predictions().assign(seed=9))
    record = json.loads(path.read_text())
    file = path.with_name("predictions.parquet")
    pd.DataFrame({"id": ["a"]}).to_parquet(file)
    record["predictions"]["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    path.write_text(json.dumps(record))
    with pytest.raises(ValidationError, match=r"predictions\.parquet: columns must be"):
        read_predictions(path)
    assert read_predictions(other)["seed"].tolist() == [9, 9]


def test_nothing_is_written_when_the_record_is_refused(tmp_path: Path) -> None:
    nan = dataclasses.replace(_result().cost, train_seconds=float("nan"))
    with pytest.raises(ValidationError, match="/cost/train_seconds"):
        write_result(tmp_path / "a", dataclasses.replace(_result(), cost=nan), _predictions())
    with pytest.raises(ValidationError, match=r"predictions\.parquet: columns must be"):
        write_result(tmp_path / "a", _result(), _predictions().drop(columns="group"))
    assert not (tmp_path / "a").exists()


def test_a_run_between_the_two_files_is_noticed(tmp_path: Path) -> None:
    path = write_result(tmp_path / "a", _result(), _predictions())
    record = path.read_bytes()
    write_result(tmp_path / "a", _result(), _predictions().assign(estimate=[1, 1]))
    path.write_bytes(record)  # as if the second run had been killed before its record
    with pytest.raises(ValidationError, match="must have the sha256"):
        read_predictions(path)


def test_a_result_is_replaced_by_a_new_run_but_not_by_another_encoder(tmp_path: Path) -> None:
    path = write_result(tmp_path / "a", _result(), _predictions())
    write_result(tmp_path / "a", dataclasses.replace(_result(), unit="ab" * 16), _predictions())
    assert read_result(path).unit == "ab" * 16
    other = dataclasses.replace(_result().encoder, name="toy/encoder")
    with pytest.raises(ValidationError, match="must be of encoder 'toy/encoder'"):
        write_result(tmp_path / "a", dataclasses.replace(_result(), encoder=other), _predictions())
    assert read_result(path).encoder.name == "toy-encoder"


def test_a_broken_result_is_mended_by_a_new_run(tmp_path: Path) -> None:
    path = write_result(tmp_path / "a", _result(), _predictions())
    path.write_text("{", encoding="utf-8")
    assert read_result(write_result(tmp_path / "a", _result(), _predictions())).task.name == "GTZAN"


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[1]"])
def test_a_file_that_cannot_be_read_is_an_error_that_starts_with_its_path(
    tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "result.json"
    file.write_bytes(content)
    with pytest.raises(ValidationError, match=f"^{re.escape(str(file))}: "):
        read_result(file)


def test_absent_files_and_folders_are_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no such result file"):
        read_result(tmp_path / "result.json")
    with pytest.raises(MissingError, match="no such folder of results"):
        find_results(tmp_path / "results")


def test_results_are_found_in_order_and_broken_ones_too(tmp_path: Path) -> None:
    for name in ("b/1", "a/2", "a/1"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "result.json").write_text("{", encoding="utf-8")
    found = [each.relative_to(tmp_path).as_posix() for each in find_results(tmp_path)]
    assert found == ["a/1/result.json", "a/2/result.json", "b/1/result.json"]
