"""Comparison of two results: whether they differ, by how much, on which items, and in what.

Made from result files and stored predictions alone.
"""

from marble_eval.scores.comparison.difference import (
    PERMUTATIONS,
    Difference,
    Side,
    adjusted,
    difference_of,
)
from marble_eval.scores.comparison.items import item_changes
from marble_eval.scores.comparison.pairing import Pairs, find_pairs, on_common_items
from marble_eval.scores.comparison.setting_changes import (
    SettingChange,
    cautions,
    configuration_changes,
)

__all__ = [
    "PERMUTATIONS",
    "Difference",
    "Pairs",
    "SettingChange",
    "Side",
    "adjusted",
    "cautions",
    "configuration_changes",
    "difference_of",
    "find_pairs",
    "item_changes",
    "on_common_items",
]
