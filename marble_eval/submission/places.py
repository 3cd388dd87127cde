"""Where results lie in a submission: folder, manifest and record must say the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from marble_eval.results import Result, result_folder
from marble_eval.results.folder import FILE as RESULT
from marble_eval.submission.files import RESULTS
from marble_eval.submission.findings import Finding, shown
from marble_eval.submission.manifest import FILE, Manifest, result_entry
from marble_eval.submission.submitted import Submitted


def place_of(result: Result, variant: str) -> str:
    """Say where a result lies in a submission.

    Parameters
    ----------
    result : Result
        What was found.
    variant : str
        Last folder of it: the protocol, and the choices made.

    Returns
    -------
    str
        Path of its folder, from the submission's on.
    """
    return result_folder(
        Path(RESULTS),
        encoder=result.encoder.name,
        revision=result.encoder.revision,
        task=result.task.name,
        version=result.task.version,
        variant=variant,
    ).as_posix()


def check_places(
    manifest: Manifest, files: Sequence[str], submitted: Sequence[Submitted]
) -> list[Finding]:
    """Hold the manifest's list of results, and the folders they lie in, against the records.

    Parameters
    ----------
    manifest : Manifest
        What the submission says of itself.
    files : sequence of str
        Every `result.json` there is.
    submitted : sequence of Submitted
        Those that could be read.

    Returns
    -------
    list of Finding
        Every disagreement.
    """
    listed = {each.path: each for each in manifest.results}
    found = [
        Finding(FILE, "'results' must name results that are there", shown(path), "a result.json")
        for path in sorted(set(listed) - set(files))
    ]
    found += [
        Finding(path, "must stand in 'results' of the manifest", "no entry", "one")
        for path in sorted(set(files) - set(listed))
    ]
    for each in submitted:
        if each.file in listed:
            expected = result_entry(each.file, each.result)
            found += _differences(listed[each.file], expected)
        variant = PurePosixPath(each.file).parent.name
        place = f"{place_of(each.result, variant)}/{RESULT}"
        if each.file != place:
            found.append(each.says("must lie where its encoder and task belong", "here", place))
        if each.result.task.embedded != manifest.embedded:
            rule = "task.embedded must be that of the manifest: rehearsals are kept apart"
            found.append(each.says(rule, each.result.task.embedded, manifest.embedded))
    return found


def _differences(got: object, expected: object) -> list[Finding]:
    """Compare what the manifest says of a result with what the result does."""
    pairs = [dataclasses.asdict(each) for each in (got, expected)]  # type: ignore[call-overload]
    return [
        Finding(
            FILE,
            f"{name!r} of {pairs[1]['path']} must be what the result says",
            shown(pairs[0][name]),
            shown(value),
        )
        for name, value in pairs[1].items()
        if pairs[0][name] != value
    ]
