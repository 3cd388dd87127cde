"""Several tasks with one encoder, in one go: all whose data is here.

A suite is a list of tasks (`configs/suite/*.yaml`, or a file of one's own). A task
without data is told as missing, and one that fails does not sink the others. Every
result is written as if its task had been run alone.
"""

from marble_eval.runs.suites.listing import Suite, load_suite, suite_names
from marble_eval.runs.suites.outcome import Outcome, exit_code, summary_table
from marble_eval.runs.suites.running import run_suite

__all__ = [
    "Outcome",
    "Suite",
    "exit_code",
    "load_suite",
    "run_suite",
    "suite_names",
    "summary_table",
]
