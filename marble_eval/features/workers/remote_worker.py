"""A worker in a process of its own: it loads the encoder, greets, and answers.

The encoder is loaded there by the recipe that `load_encoder` left on it; one that was
made otherwise is sent whole. Either way it must have the run's fingerprint. Errors are
returned to the driver instead of ending the process.
"""

from __future__ import annotations

import os
import pickle
import socket
import sys
import traceback
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from marble_eval import __version__
from marble_eval.audio import resampler_version
from marble_eval.errors import MarbleError, SpecError
from marble_eval.features.workers.messages import Greeting
from marble_eval.features.workers.worker import Worker
from marble_eval.registry.encoders import EncoderRecipe, load_recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from marble_eval.encoders import Encoder
    from marble_eval.features.workers.messages import EncodedClips, Job, WorkerOptions

_ENVIRONMENT = ("HF_HUB_OFFLINE", "MARBLE_EVAL_HOME")  # what a user set must hold there too
_KNOWN = ("builtins", "marble_eval", "torch")  # whose errors can be raised anywhere


class WorkerSetup(NamedTuple):
    """What a worker elsewhere starts with."""

    encoder: bytes  # its recipe, or itself; pickled
    options: WorkerOptions  # how it works
    folder: str  # which relative paths start from
    search_path: list[str]  # where modules are found
    environment: dict[str, str]  # variables that are set


def worker_setup(
    encoder: Encoder, options: WorkerOptions, dumps: Callable[[object], bytes] = pickle.dumps
) -> WorkerSetup:
    """Pack what a worker elsewhere needs; SpecError if the encoder cannot be sent."""
    recipe = getattr(encoder, "recipe", None)
    try:
        content = dumps(recipe if isinstance(recipe, EncoderRecipe) else encoder)
    except Exception as error:  # whatever somebody's object may raise
        raise SpecError(
            f"encoder {encoder.name}: must be loaded by marble_eval.load_encoder, or be an object "
            f"that pickle takes, to be sent to another process. Got {type(error).__name__}: "
            f"{error}. Take engine=local engine.processes=0 to keep it in this one."
        ) from error
    environment = {each: os.environ[each] for each in _ENVIRONMENT if each in os.environ}
    return WorkerSetup(content, options, str(Path.cwd()), list(sys.path), environment)


def identity_of(encoder: Encoder, options: WorkerOptions) -> dict[str, str]:
    """Return what must be the same for every worker of a run: fingerprint and versions."""
    return {
        "encoder's fingerprint": encoder.fingerprint(),
        "version of marble-eval": __version__,
        "resampler": resampler_version(options.forms[0].cuts.windowing.resampler),
    }


class RemoteWorker:
    """A worker that answers; an encoder with a recipe is loaded on the device."""

    def __init__(self, setup: WorkerSetup, device: str) -> None:
        self._setup, self._device = setup, device
        self._jobs: deque[Job] = deque()
        self._encoded: Iterator[list[EncodedClips] | None] = iter(())

    def greet(self) -> Greeting | Exception:
        """Load the encoder; to be called first."""
        setup = self._setup
        try:
            os.environ.update(setup.environment)
            sys.path += [each for each in setup.search_path if each not in sys.path]
            if Path(setup.folder).is_dir():  # else paths must be absolute
                os.chdir(setup.folder)
            encoder = pickle.loads(setup.encoder)
            if isinstance(encoder, EncoderRecipe):
                encoder = load_recipe(encoder, self._device)
            self._encoded = Worker(encoder, setup.options).encoded(self._source())
            return Greeting(_here(), identity_of(encoder, setup.options))
        except MarbleError as error:
            return error
        except Exception as error:  # whatever somebody's encoder may raise
            return MarbleError(
                f"{_here()}: the encoder must load there. Got {type(error).__name__}: {error}. "
                f"Install its packages on every machine."
            )

    def answer(self, jobs: list[Job]) -> list[EncodedClips] | Exception:
        """Take tracks, and return the next encoded clips; something must be in hand."""
        self._jobs += jobs
        try:
            return next(self._encoded) or []
        except Exception as error:  # it is raised where the run is
            return _portable(error)

    def _source(self) -> Iterator[Job | None]:
        while True:
            yield self._jobs.popleft() if self._jobs else None


def _here() -> str:
    return f"{socket.gethostname()}, process {os.getpid()}"


def _portable(error: Exception) -> Exception:
    """Make an error one that can be raised in another process, with its traceback as a note."""
    if isinstance(error, MarbleError):
        return error
    trace = "".join(traceback.format_exception(error))
    if type(error).__module__.split(".")[0] not in _KNOWN:
        error = MarbleError(f"{type(error).__name__}: {error}")
    error.add_note(f"In a worker, {_here()}:\n{trace}")
    return error
