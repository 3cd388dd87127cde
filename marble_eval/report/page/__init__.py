"""The report page: one HTML file that opens from a mail attachment.

`write_page` makes it from result files and published scores alone. The file holds its
tables as text, its data packed, its scripts and its styles, and asks nobody for more.
"""

from marble_eval.report.page.page import render, write_page

__all__ = ["render", "write_page"]
