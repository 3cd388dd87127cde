"""The grid: every layer and the learned sum × values of the probe's setting × seeds.

On the first seed every layer is trained with every learning rate; the rate that
is best on validation is then trained on the other seeds. The layer is the one
whose validation score, averaged over the seeds, is best; of equals the lower one.
Nothing here looks at the test split before the choice: its outputs are computed
from parameters that validation has already chosen.

`search` has the loop, `clips` and `frames` what differs between features in memory and on
disk, `fitted` the probes without gradient descent.
"""

from marble_eval.probes.grid.clips import run_grid
from marble_eval.probes.grid.plan import (
    GridOutcome,
    GridPlan,
    LayerOutcome,
    Trial,
    check_serves,
    layer_choices,
)

__all__ = [
    "GridOutcome",
    "GridPlan",
    "LayerOutcome",
    "Trial",
    "check_serves",
    "layer_choices",
    "run_grid",
]
