"""Figures for papers: PNG and SVG files drawn by matplotlib from result files.

Each kind has a function that takes results and returns a `matplotlib.figure.Figure`, or
None where they do not hold the data for it; `write_figures` draws all there are.
"""

from marble_eval.report.figures.writing import write_figures

__all__ = ["write_figures"]
