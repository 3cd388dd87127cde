"""Leave a caller's program as it was: train mode, random state, threads."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from marble_eval.one_thread import one_blas_thread

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def preserved_state(*objects: object) -> Iterator[None]:
    """Put modules into evaluation mode and BLAS on one thread for a block; give all back."""
    modules = [module for each in objects for module in _modules(each)]
    modes = [(module, module.training) for module in modules]
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=devices), one_blas_thread():  # intervals are sums too
        try:
            for module in modules:
                module.training = False
            yield
        finally:
            for module, mode in modes:
                module.training = mode
            torch.set_num_threads(threads)


def _modules(holder: object) -> list[torch.nn.Module]:
    """Find an object's modules: itself, or its attributes, with all they contain."""
    if isinstance(holder, torch.nn.Module):
        return list(holder.modules())
    held = getattr(holder, "__dict__", {}).values()
    return [
        each for value in held if isinstance(value, torch.nn.Module) for each in value.modules()
    ]
