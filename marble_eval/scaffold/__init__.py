"""What to start from: a task folder with a little audio, or an encoder in one file.

What `marble-eval init` writes runs as it is, so that its owner can change one thing at
a time: the audio, the table, the card. The music is synthesised; each kind has its own.
"""

from marble_eval.scaffold.encoder import write_encoder
from marble_eval.scaffold.folder import task_name, write_task_folder

__all__ = ["task_name", "write_encoder", "write_task_folder"]
