"""Which layers are probed, and what each probe reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marble_eval.errors import SpecError
from marble_eval.probes import LEARNED_SUM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from marble_eval.spec import ProtocolSpec


def layer_choices(
    names: Sequence[str], wanted: str | Sequence[int | str], protocol: ProtocolSpec
) -> dict[str, tuple[int, ...]]:
    """Say which layers are probed and what each probe reads.

    Parameters
    ----------
    names : sequence of str
        Layers of the encoder.
    wanted : "all" or sequence
        Layer numbers or names; `LEARNED_SUM` for the learned sum.
    protocol : ProtocolSpec
        Its ``sum_from_layer`` is the first layer in the sum.

    Returns
    -------
    dict of str to tuple of int
        Positions read, by name of the layer; the sum last. The learned sum is
        left out of "all" when it would have fewer than two layers.

    Raises
    ------
    SpecError
        If a layer does not exist.
    """
    singles: dict[str, tuple[int, ...]] = {name: (at,) for at, name in enumerate(names)}
    summed = tuple(range(protocol.sum_from_layer, len(names)))
    everything = dict(singles)
    if len(summed) > 1:
        everything[LEARNED_SUM] = summed
    if wanted == "all":
        return everything
    listed = [wanted] if isinstance(wanted, str | int) else list(wanted)
    chosen = {}
    for each in listed:
        name = names[each] if isinstance(each, int) and 0 <= each < len(names) else str(each)
        if name not in everything:
            raise SpecError(
                f"layers: {each!r} must be a layer of the encoder. It has "
                f"{', '.join(everything)}. Give numbers, names or 'all'."
            )
        chosen[name] = everything[name]
    if not chosen:
        raise SpecError("layers: at least one layer must be named. Got an empty list.")
    return {name: reads for name, reads in everything.items() if name in chosen}
