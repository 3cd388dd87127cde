"""A worker in a process of its own: it loads the encoder, greets, and answers.

The encoder is loaded there by the recipe that `load_encoder` left on it; one that was
made otherwise is sent whole. Either way it must be the same by its fingerprint. No
error ends the process: it is the answer.
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

import torch

from marble_eval import __version__
from marble_eval.audio import resampler_version
from marble_eval.errors import MarbleError, SpecError
from marble_eval.features.workers.worker import Worker
from marble_eval.features.workers.worker_messages import Failure, Greeting
from marble_eval.registry.encoders import EncoderRecipe, load_recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from marble_eval.encoders import Encoder
    from marble_eval.features.workers.assignment import Assignment, Parcel, Terms

_ENVIRONMENT = ("HF_HUB_OFFLINE", "MARBLE_EVAL_HOME")  # what a user set must hold there too
_KNOWN = ("builtins", "marble_eval", "torch")  # whose errors can be raised anywhere


class Outfit(NamedTuple):
    """What a worker elsewhere starts with.

    Attributes
    ----------
    encoder : bytes
        Its recipe, or itself; pickled.
    terms : Terms
        How it works.
    folder : str
        Which relative paths start from.
    search_path : list of str
        Where modules are found.
    environment : dict of str to str
        Variables that are set.
    threads : int
        Threads of arithmetic while the encoder is loaded: sums over its weights, such
        as norms, depend on them in the last bit.
    """

    encoder: bytes
    terms: Terms
    folder: str
    search_path: list[str]
    environment: dict[str, str]
    threads: int


def outfit_for(
    encoder: Encoder, terms: Terms, dumps: Callable[[object], bytes] = pickle.dumps
) -> Outfit:
    """Pack what a worker elsewhere needs.

    Parameters
    ----------
    encoder : Encoder
        What is to encode there.
    terms : Terms
        How.
    dumps : callable
        What pickles.

    Returns
    -------
    Outfit
        It can be sent.

    Raises
    ------
    SpecError
        If the encoder has no recipe and cannot be pickled.
    """
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
    threads = torch.get_num_threads()
    return Outfit(content, terms, str(Path.cwd()), list(sys.path), environment, threads)


def identity_of(encoder: Encoder, terms: Terms) -> dict[str, str]:
    """Return what must be the same for every worker of a run.

    Parameters
    ----------
    encoder : Encoder
        What encodes.
    terms : Terms
        How.

    Returns
    -------
    dict of str to str
        Fingerprint and versions, by their names.
    """
    return {
        "encoder's fingerprint": encoder.fingerprint(),
        "version of marble-eval": __version__,
        "resampler": resampler_version(terms.forms[0].cuts.windowing.resampler),
    }


class Outpost:
    """A worker that answers questions.

    Parameters
    ----------
    outfit : Outfit
        What it starts with.
    device : str
        Where an encoder that is loaded by its recipe computes.
    """

    def __init__(self, outfit: Outfit, device: str) -> None:
        self._outfit, self._device = outfit, device
        self._assignments: deque[Assignment] = deque()
        self._parcels: Iterator[list[Parcel] | None] = iter(())

    def greet(self) -> Greeting | Failure:
        """Load the encoder; to be called first."""
        outfit = self._outfit
        try:
            os.environ.update(outfit.environment)
            sys.path += [each for each in outfit.search_path if each not in sys.path]
            if Path(outfit.folder).is_dir():  # else paths must be absolute
                os.chdir(outfit.folder)
            torch.set_num_threads(outfit.threads)
            encoder = pickle.loads(outfit.encoder)
            if isinstance(encoder, EncoderRecipe):
                encoder = load_recipe(encoder, self._device)
            self._parcels = Worker(encoder, outfit.terms).parcels(self._source())
            return Greeting(_here(), identity_of(encoder, outfit.terms))
        except MarbleError as error:
            return Failure(error)
        except Exception as error:  # whatever somebody's encoder may raise
            return Failure(
                MarbleError(
                    f"{_here()}: the encoder must load there. Got {type(error).__name__}: {error}. "
                    f"Install its packages on every machine."
                )
            )

    def answer(self, assignments: list[Assignment]) -> list[Parcel] | Failure:
        """Take tracks, and return the next parcels; something must be in hand."""
        self._assignments += assignments
        try:
            return next(self._parcels) or []
        except Exception as error:  # it is raised where the run is
            return Failure(_portable(error))

    def _source(self) -> Iterator[Assignment | None]:
        while True:
            yield self._assignments.popleft() if self._assignments else None


def _here() -> str:
    return f"{socket.gethostname()}, process {os.getpid()}"


def _portable(error: Exception) -> Exception:
    """Make an error one that can be raised in another process, with its traceback told."""
    if isinstance(error, MarbleError):
        return error
    told = "".join(traceback.format_exception(error))
    if type(error).__module__.split(".")[0] not in _KNOWN:
        error = MarbleError(f"{type(error).__name__}: {error}")
    error.add_note(f"In a worker, {_here()}:\n{told}")
    return error
