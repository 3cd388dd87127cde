"""Find tasks, encoders and probes by name, built-in ones and other packages' alike.

Nothing is registered: `tasks` looks for folders with a card, `encoders` and `probes` for
configs and entry points, whenever they are asked.
"""

from marble_eval.registry.cards import read_card
from marble_eval.registry.checkpoints import checkpoint_series, load_checkpoints
from marble_eval.registry.encoders import check_encoder, encoder_names, load_encoder
from marble_eval.registry.probes import (
    check_probe,
    load_probe,
    probe_names,
    probe_options,
    probe_record,
)
from marble_eval.registry.tasks import (
    Task,
    TaskFolder,
    load_task,
    task_folders,
    task_names,
)

__all__ = [
    "Task",
    "TaskFolder",
    "check_encoder",
    "check_probe",
    "checkpoint_series",
    "encoder_names",
    "load_checkpoints",
    "load_encoder",
    "load_probe",
    "load_task",
    "probe_names",
    "probe_options",
    "probe_record",
    "read_card",
    "task_folders",
    "task_names",
]
