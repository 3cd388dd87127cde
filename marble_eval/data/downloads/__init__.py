"""Downloads of a task's data: resumable, verified, safely unpacked.

`plan` lists what is to do, `execution` does it; `transfer` fetches a file over HTTP (`partial_file`
holds what has arrived), `hub` a data set repository; `archives` unpacks; `receipts` records what
was verified.
"""

from marble_eval.data.downloads.execution import Outcome, carry_out
from marble_eval.data.downloads.plan import Item, Plan, survey

__all__ = ["Item", "Outcome", "Plan", "carry_out", "survey"]
