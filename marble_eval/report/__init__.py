"""Reports on result files, for people.

`summary` is the text at the end of a run, `difference_text` that of a comparison.
Everything here is made from results alone, nothing is measured anew.
"""

from marble_eval.report.difference import (
    configuration_text,
    difference_overview,
    difference_text,
)
from marble_eval.report.summary import curve_text, layer_curve, summary, write_curve

__all__ = [
    "configuration_text",
    "curve_text",
    "difference_overview",
    "difference_text",
    "layer_curve",
    "summary",
    "write_curve",
]
