"""Submissions: a folder of results that can be sent, and checked by whoever gets it.

The format is `results/SUBMISSION.md`: results with their predictions, tables, licences,
environments, and a manifest with checksums. Validation needs no model and no data: every
score is computed anew from the predictions, and what cannot be checked is said.
"""

from marble_eval.submission.building import build_submission
from marble_eval.submission.checking import validate_submissions
from marble_eval.submission.findings import Finding, Report
from marble_eval.submission.manifest import MANIFEST_VERSION, Manifest, manifest_schema

__all__ = [
    "MANIFEST_VERSION",
    "Finding",
    "Manifest",
    "Report",
    "build_submission",
    "manifest_schema",
    "validate_submissions",
]
