"""Layer-wise evaluation of frozen music encoders under the MARBLE protocol.

Audio goes once through a frozen encoder, the hidden states of every layer are cached,
and small probes are trained on the cache. `evaluate` does the whole job, `rescored`
scores a result again from its predictions; the other names look up tasks and encoders.
Nothing is loaded before it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from marble_eval.registry import encoder_names, load_encoder, load_task, task_names
    from marble_eval.runs.run import evaluate
    from marble_eval.scores.rescoring import rescored

__version__ = "0.1.0"

__all__ = [
    "__version__",
    "encoder_names",
    "evaluate",
    "load_encoder",
    "load_task",
    "rescored",
    "task_names",
]

_HOME = {
    "encoder_names": "marble_eval.registry",
    "evaluate": "marble_eval.runs.run",
    "load_encoder": "marble_eval.registry",
    "load_task": "marble_eval.registry",
    "rescored": "marble_eval.scores.rescoring",
    "task_names": "marble_eval.registry",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'marble_eval' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
