"""What a cheat does: change something, then make every checksum and every table fit again."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from marble_eval.errors import MarbleError
from marble_eval.results import read_result
from marble_eval.scores.rescoring import relabelled, stored_scores
from marble_eval.submission.checking import check_submission
from marble_eval.submission.derived_files import environment_text, licences_text, write_tables
from marble_eval.submission.files import check_files, listed_file
from marble_eval.submission.findings import Finding
from marble_eval.submission.manifest import read_manifest

PLACE = "results/toy-encoder/v1/GTZAN@1/marble-v1"
RESULT, TABLE = f"{PLACE}/result.json", f"{PLACE}/predictions.parquet"


def edit(path: Path, change: Callable[[Any], None]) -> None:
    """Change what a file of JSON holds."""
    values = json.loads(path.read_text(encoding="utf-8"))
    change(values)
    path.write_text(json.dumps(values), encoding="utf-8")


def edit_table(path: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Change a table of predictions, and the checksum in the record beside it."""
    change(pd.read_parquet(path)).to_parquet(path, index=False)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    edit(path.with_name("result.json"), lambda record: record["predictions"].update(sha256=digest))


def rescore(path: Path) -> None:
    """Write down what the predictions of a result score now, as if it had always been so."""
    stored = stored_scores(path)
    scores = stored.scored(list(stored.result.metrics))
    labels, confusion = relabelled(stored)
    main = scores[next(iter(scores))]
    valid = float(stored_scores(path, "valid").values(next(iter(scores))).mean())

    def change(record: Any) -> None:
        record["metrics"] = {name: dataclasses.asdict(each) for name, each in scores.items()}
        record["labels"] = [dataclasses.asdict(each) for each in labels]
        record["confusion"] = confusion
        for layer in record["layers"]:
            if layer["layer"] == record["chosen"]["layer"]:
                layer["test"] = {end: getattr(main, end) for end in ("value", "low", "high")}
                layer["valid"] = valid

    edit(path, change)


def forge(folder: Path) -> None:
    """Make tables, licences, environment and checksums of a submission fit its results again."""
    manifest = json.loads((folder / "submission.json").read_text(encoding="utf-8"))
    files = sorted(str(each.relative_to(folder)) for each in folder.rglob("result.json"))
    try:
        results = {each: read_result(folder / each) for each in files}
        write_tables(folder, [folder / each for each in files], embedded=manifest["embedded"])
        (folder / "LICENCES.md").write_text(licences_text(results))
        (folder / "environment.json").write_text(environment_text(results))
        for each in manifest["results"]:
            result = results[each["path"]]
            each["conforms"], each["unit"] = result.protocol.conforms, result.unit
    except MarbleError:
        pass  # what cannot be read cannot be made to fit
    manifest["files"] = [
        dataclasses.asdict(listed_file(folder, each["path"]))
        for each in manifest["files"]
        if (folder / each["path"]).is_file()
    ]
    (folder / "submission.json").write_text(json.dumps(manifest))


def findings(folder: Path) -> list[Finding]:
    """Validate a submission."""
    return check_submission(folder)[0].findings


def file_findings(folder: Path) -> list[Finding]:
    """Validate its manifest and its files, whatever is in those."""
    manifest, found = read_manifest(folder)
    return found if manifest is None else check_files(folder, manifest)[1]


def rules(found: list[Finding], file: str = RESULT) -> list[str]:
    """Name the rules that a file breaks."""
    return [each.rule for each in found if each.file == file]
