"""Results made from the example, and result files with predictions that say the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from marble_eval.results import Result, write_result
from marble_eval.results.schema import from_json, to_json

EXAMPLE = Path(__file__).parents[1] / "results" / "example_result.json"


def example(encoder: str = "toy-encoder", task: str = "GTZAN") -> Result:
    """Take the example under other names; its unit follows from them."""
    result = from_json(EXAMPLE.read_text(encoding="utf-8"), str(EXAMPLE))
    return replace(
        result,
        unit=(f"{encoder}{task}".encode().hex() + "0" * 32)[:32],
        encoder=replace(
            result.encoder, name=encoder, fingerprint=(encoder.encode().hex() * 32)[:32]
        ),
        task=replace(result.task, name=task, column=task),
    )


def embedded(result: Result) -> Result:
    """Say that the data of a result are embedded."""
    return replace(result, task=replace(result.task, embedded=True, column=""))


def write(root: Path, *results: Result) -> list[Path]:
    """Write results without predictions, each to a folder of its own."""
    paths = []
    for number, result in enumerate(results):
        path = root / f"{number}" / "result.json"
        path.parent.mkdir(parents=True)
        path.write_text(to_json(result, str(path)), encoding="utf-8")
        paths.append(path)
    return paths


def write_classified(
    folder: Path, result: Result, right: Sequence[bool], groups: Sequence[str]
) -> Path:
    """Write a result of two classes and one seed with predictions, right where it is said."""
    labels = [each.name for each in result.labels]
    classes = [number % 2 for number in range(len(right))]
    found = [each if good else 1 - each for each, good in zip(classes, right, strict=True)]
    outputs = np.eye(2, dtype=np.float32)[found]
    table = pd.DataFrame(
        {
            "split": "test",
            "id": [f"track {number}" for number in range(len(right))],
            "recording": "",
            "group": list(groups),
            "seed": 1234,
            "reference": [labels[each] for each in classes],
            "estimate": [labels[each] for each in found],
            "output_0": outputs[:, 0],
            "output_1": outputs[:, 1],
        }
    )
    share = sum(right) / len(right)
    score = replace(
        result.metrics["accuracy"], value=share, low=share - 0.1, high=share + 0.1,
        n=len(right), seed_values=(share,), seed_spread=0.0,
    )  # fmt: skip
    counts = replace(result.counts, expected=len(right), scored=len(right), missing=())
    chosen = replace(result.chosen, seeds=(1234,))
    scored = replace(result, metrics={"accuracy": score}, counts=counts, chosen=chosen)
    return write_result(folder, scored, table)
