"""Data fetched from where it is published: resumable, checked, safely unpacked.

`plan` says what a task's downloads would do, `execution` does it; `transfer` fetches
one file over HTTP, `hub` a data set repository, `archives` unpacks. Nothing is taken
unchecked, and what was interrupted is continued.
"""

from marble_eval.data.downloads.execution import Outcome, carry_out
from marble_eval.data.downloads.plan import Item, Plan, survey

__all__ = ["Item", "Outcome", "Plan", "carry_out", "survey"]
