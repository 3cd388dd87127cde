"""Reports: what result files say, for people.

`summary` is the text at the end of a run. Everything here is made from results alone,
nothing is measured anew.
"""

from marble_eval.report.summary import layer_curve, summary

__all__ = ["layer_curve", "summary"]
