"""Arithmetic by one thread.

Threads divide a sum among them, and a sum in another order differs in its last bit: OpenBLAS
below librosa moved one of 86,016 cached values, which moved a score by 0.1. So features are
computed, encoders loaded and probes fitted with one thread of arithmetic each; the cores are
used by working on several clips or probes at once.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def arithmetic_pool(threads: int, name: str) -> ThreadPoolExecutor:
    """Return a pool whose threads leave PyTorch one thread each."""
    import torch  # noqa: PLC0415

    # Each for itself: a thread does not ask for the process's number before its first product.
    return ThreadPoolExecutor(threads, name, initializer=torch.set_num_threads, initargs=(1,))


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread."""
    # Imported here, since the registry is loaded without it. NumPy and SciPy have a BLAS each, and
    # only what is loaded can be limited.
    import scipy.linalg  # noqa: F401, PLC0415
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    with threadpool_limits(limits=1, user_api="blas"):
        yield


@contextmanager
def one_thread() -> Iterator[int]:
    """Limit BLAS and PyTorch to one thread; yield how many PyTorch had."""
    import torch  # noqa: PLC0415

    before = torch.get_num_threads()
    with one_blas_thread():
        torch.set_num_threads(1)
        try:
            yield before
        finally:
            torch.set_num_threads(before)
