"""The paper kit: a table, a bibliography and the protocol as it was run, from result files.

Everything is made from the records alone, so the same results give the same text.
"""

from marble_eval.report.paper.bibliography import Bibliography, bibliography, collect
from marble_eval.report.paper.statement import statement
from marble_eval.report.paper.table import paper_table

__all__ = ["Bibliography", "bibliography", "collect", "paper_table", "statement"]
