"""Results of one submission, and of several, must not contradict each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from marble_eval.results import EncoderRecord, Missing, PredictionFile
from marble_eval.submission.copied_predictions import sketch_of
from marble_eval.submission.cross_checks import Claim, claim_of, disagreements
from marble_eval.submission.predictions import read_table
from marble_eval.submission.submitted import Submitted


@pytest.fixture(scope="module")
def claim(submitted: Submitted) -> Claim:
    """Say what the built result claims."""
    table, _ = read_table(submitted)
    return claim_of("ada", submitted, table)


def renamed(claim: Claim, **parts: Any) -> EncoderRecord:
    return replace(claim.result.encoder, name="other", **parts)


def other(claim: Claim, submission: str = "ada", **parts: Any) -> Claim:
    """Make a result of another encoder that says the same, but for what is given."""
    given = {"encoder": renamed(claim), **parts}
    own = PredictionFile("predictions.parquet", "1" * 64)
    result = replace(claim.result, unit="1" * 32, predictions=own, **given)
    parts = {"submission": submission, "file": "results/other", "result": result}
    return replace(claim, **parts, sketch=None)


def test_results_that_agree_are_let_be(claim: Claim) -> None:
    assert disagreements([claim, other(claim)], between=False) == []
    assert disagreements([claim, other(claim, "bob")], between=True) == []


@pytest.mark.parametrize("field", ["data_digest", "split_digest"])
def test_two_digests_of_one_task_are_both_named(claim: Claim, field: str) -> None:
    digest: Any = {field: "f" * 32}
    changed = other(claim, task=replace(claim.result.task, **digest))
    (found,) = disagreements([claim, changed], between=False)
    assert found.file == "results/other"
    assert found.rule.startswith("GTZAN@1 must be on one ")
    assert found.got == "f" * 32
    assert found.expected == f"{getattr(claim.result.task, field)} as in {claim.file}"


def test_another_version_of_the_task_is_another_task(claim: Claim) -> None:
    task = replace(claim.result.task, version=2, data_digest="f" * 32)
    assert disagreements([claim, other(claim, task=task)], between=False) == []


def test_a_result_that_misses_tracks_has_other_data_by_its_nature(claim: Claim) -> None:
    task = replace(claim.result.task, data_digest="f" * 32)
    counts = replace(claim.result.counts, missing=(Missing("test/0001", "missing"),))
    assert disagreements([claim, other(claim, task=task, counts=counts)], between=False) == []


def test_the_same_data_has_the_same_references(claim: Claim) -> None:
    changed = replace(other(claim), references="another")
    (found,) = disagreements([claim, changed], between=False)
    assert found.rule == "GTZAN@1 must have the same items and references on the same data"
    unusable = replace(other(claim), references="")
    assert disagreements([claim, unusable], between=False) == []


def test_references_are_digested_whatever_the_order_of_the_rows(
    claim: Claim, submitted: Submitted
) -> None:
    table, _ = read_table(submitted)
    assert table is not None
    assert claim_of("ada", submitted, table[::-1]).references == claim.references
    table.loc[table["id"] == "test/0003", "reference"] = "jazz"
    assert claim_of("ada", submitted, table).references != claim.references


def test_one_encoder_has_one_fingerprint_and_shape(claim: Claim) -> None:
    encoder = replace(claim.result.encoder, fingerprint="f" * 32, width=1)
    found = disagreements([claim, other(claim, encoder=encoder)], between=False)
    assert [each.rule.partition(" must ")[2] for each in found] == [
        "have one fingerprint",
        "have one shape",
    ]
    half = replace(encoder, precision="bfloat16")
    assert disagreements([claim, other(claim, encoder=half)], between=False) == []


def _table(seed: int, sources: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    outputs = rng.normal(size=(sources, 3)).astype(np.float32)
    return pd.DataFrame(
        {
            **dict.fromkeys(("recording", "group"), ""),
            "split": "test",
            "id": [f"{each:03}" for each in range(sources)],
            "seed": 1234,
            "reference": [str(each % 3) for each in range(sources)],
            "estimate": outputs.argmax(axis=1).astype(str),
            **{f"output_{each}": outputs[:, each] for each in range(3)},
        }
    )


def _scaled(table: pd.DataFrame) -> pd.DataFrame:
    names = [each for each in table if each.startswith("output_")]
    return table.assign(**{each: table[each] * np.float32(1 + 5e-7) for each in names})


def _other_outputs(table: pd.DataFrame) -> pd.DataFrame:
    return _table(9).assign(estimate=table["estimate"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda table: table, "all its rows"),
        (lambda table: table[::-1][table.columns[::-1]], "all its rows"),
        (_scaled, "outputs that correlate by 1.0"),
        (_other_outputs, "mistaken estimates"),
    ],
)
def test_predictions_of_one_encoder_are_not_those_of_another(
    claim: Claim, change: Callable[[pd.DataFrame], pd.DataFrame], said: str
) -> None:
    one = replace(claim, sketch=sketch_of(_table(0)))
    copied = other(claim, encoder=renamed(claim, fingerprint="f" * 32))
    copy = replace(copied, sketch=sketch_of(change(_table(0))))
    (found,) = disagreements([one, copy], between=False)
    assert found.rule == "predictions must be of one encoder alone"
    assert said in found.got
    own = replace(copied, sketch=sketch_of(_table(1)))
    assert disagreements([one, own], between=False) == []


def test_one_run_has_one_score(claim: Claim) -> None:
    accuracy = replace(claim.result.metrics["accuracy"], value=0.123)
    result = replace(claim.result, metrics={**claim.result.metrics, "accuracy": accuracy})
    again = replace(claim, submission="bob", result=result)
    (found,) = disagreements([claim, again], between=True)
    assert (found.file, found.got) == (f"bob/{claim.file}", "0.123")
    assert found.expected == f"{claim.result.metrics['accuracy'].value} as in ada/{claim.file}"


def test_what_is_within_one_submission_is_not_told_again_of_several(claim: Claim) -> None:
    changed = other(claim, task=replace(claim.result.task, data_digest="f" * 32))
    assert disagreements([claim, changed], between=True) == []
    elsewhere = replace(changed, submission="bob")
    assert disagreements([claim, elsewhere], between=False) == []
    (found,) = disagreements([claim, elsewhere], between=True)
    assert found.file == "bob/results/other"


@pytest.mark.parametrize(
    "name", ["\u041cERT-v1-95M", "toy\u200b-encoder", "t0y-encoder", "MERT-vl-95M"]
)
def test_a_name_that_looks_like_another_is_named(claim: Claim, name: str) -> None:
    odd = other(claim, encoder=replace(renamed(claim), name=name))
    found = disagreements([claim, odd], between=False)
    assert [each.rule.partition(";")[0] for each in found] == [
        "encoder.name must not be taken for another"
    ]


def test_names_of_two_submissions_that_look_the_same_are_named(claim: Claim) -> None:
    odd = other(claim, "bob", encoder=replace(renamed(claim), name="toy-enc0der"))
    (found,) = disagreements([claim, odd], between=True)
    assert "looks like" in found.rule
