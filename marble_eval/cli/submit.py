"""`marble-eval submit`: a folder of results to be sent, and its validation by whoever gets it."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from marble_eval.cli.arguments import Arguments
from marble_eval.errors import SpecError, ValidationError, near_misses

HELP = """\
marble-eval submit: build a folder of results that can be sent, or validate one

usage: marble-eval submit build OUT [FOLDER ...] [--contact TEXT] [--note TEXT] [--embedded]
       marble-eval submit validate FOLDER [--json]

  OUT             the folder to be made; must be absent or empty
  FOLDER          build: folders of results (default: results)
                  validate: a submission, or a folder of several, which must agree
  --contact TEXT  who is asked about it
  --note TEXT     what there is to say
  --embedded      a rehearsal, of results on embedded data, which are refused otherwise
  --json          the findings as JSON

Validating needs no model, no data and no network: checksums, schemas, protocol and choice are
checked, and every score is computed anew from the stored predictions. All findings are told,
and what could not be checked. Exit code 4 if there is a finding. results/SUBMISSION.md has the
format.

examples:
  marble-eval submit build my-submission results/ --contact "me@example.org"
  marble-eval submit validate my-submission
  marble-eval submit validate all-submissions/ --json
"""

_ACTIONS = ("build", "validate")


def main(argv: list[str]) -> int:
    """Build or validate a submission."""
    if not argv or argv[0] not in _ACTIONS:
        got = f"{argv[0]!r}" if argv else "nothing"
        raise SpecError(
            f"marble-eval submit: must be told what to do. Got {got}. "
            f"{near_misses(argv[0] if argv else '', _ACTIONS)} See marble-eval submit --help."
        )
    return _build(argv[1:]) if argv[0] == "build" else _validate(argv[1:])


def _build(argv: list[str]) -> int:
    from marble_eval.submission import build_submission

    parser = Arguments("submit build")
    parser.add_argument("out", type=Path)
    parser.add_argument("folders", nargs="*", type=Path, default=[Path("results")])
    parser.add_argument("--contact", default="")
    parser.add_argument("--note", default="")
    parser.add_argument("--embedded", action="store_true")
    options = parser.parse_intermixed_args(argv)
    report = build_submission(
        options.out,
        options.folders or [Path("results")],
        contact=options.contact,
        note=options.note,
        embedded=options.embedded,
    )
    sys.stderr.write(f"{report.text()}\n")
    sys.stdout.write(f"{report.submission}\n")
    return 0


def _validate(argv: list[str]) -> int:
    from marble_eval.submission import validate_submissions

    parser = Arguments("submit validate")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    reports = validate_submissions(options.folder)
    if options.json:
        said = [{**asdict(each), "passed": each.passed} for each in reports]
        sys.stdout.write(json.dumps(said, indent=1) + "\n")
    else:
        sys.stdout.write("\n".join(each.text() for each in reports) + "\n")
    passed = all(each.passed for each in reports)
    return 0 if passed else ValidationError.exit_code
