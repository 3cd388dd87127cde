"""Readers of annotation files, under the name scripts know; see `marble_eval.data.annotations`."""

import sys

from marble_eval.data import annotations

# A package under two names: `marble_eval.annotations.beat_files` is found as well.
sys.modules[__name__] = annotations
