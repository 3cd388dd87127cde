"""Comparison of two results, under the name that users import; see `scores.comparison`."""

from marble_eval.scores.comparison import *  # noqa: F403
from marble_eval.scores.comparison import __all__  # noqa: F401
