"""Any module that follows the HEAR API (https://hearbenchmark.com/hear-api.html) as an encoder.

Its layers are "timestamp", the embeddings at regular intervals, and "scene", the one of the
whole clip, the same in every frame, so that its mean over frames is itself. Where one is
narrower than the other, columns behind its width are 0, which tells a probe nothing.
The module is other people's code, and is run: what its functions return is checked, and the
random state that they may draw from or set is seeded while they run and given back.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from marble_eval.encoders.loaded import LoadedEncoder, found_device
from marble_eval.errors import MissingError, SpecError
from marble_eval.files.fingerprint import digest_of, file_digest, weights_digest
from marble_eval.spec import UNSTATED, EncoderCard

_IMPLEMENTATION = 1  # raised when the same module and audio give other hidden states
_TRIAL_SECONDS = 4  # of the clip from which the frame rate is read
_API = "https://hearbenchmark.com/hear-api.html"
_FUNCTIONS = ("load_model", "get_timestamp_embeddings", "get_scene_embeddings")
_JITTER_MS = 1.0  # of timestamps that are whole milliseconds


def load_hear(
    *,
    name: str | None,
    module: str | None,
    weights: str | None,
    card: EncoderCard = UNSTATED,
    device: str = "auto",
) -> LoadedEncoder:
    """Load a module by its name, as it is imported: "hearbaseline.naive".

    ``weights`` is a path handed to its ``load_model``, which reads it in its own way. The
    frame rate is read from the timestamps of 4 s of noise.
    """
    if not module or not isinstance(module, str) or module.startswith("."):
        raise SpecError(
            f"encoder {name or 'hear'}: 'module' must name a module that follows the HEAR API. "
            f"Got {module!r}. Write encoder=hear encoder.module=hearbaseline.naive, or another."
        )
    where = found_device(device, f"encoder {name or module}")
    found = HearModule(module, weights, where)
    trial = 0.1 * torch.randn(
        *(1, _TRIAL_SECONDS * found.sample_rate), generator=torch.Generator().manual_seed(0)
    )
    step = found.step_ms(found.timestamps(trial)[1])
    found.scenes(trial)
    digest, package = weights_digest(found.model.state_dict().items()), found.distribution()
    return LoadedEncoder(
        name=name or module,
        sample_rate=found.sample_rate,
        frame_rate=round(1000 / step, 6),  # timestamps may be of single precision
        layers=["timestamp", "scene"],
        width=max(found.timestamp_size, found.scene_size),
        minimum_samples=max(1, round(found.sample_rate * step / 1000)),
        revision=f"{package or 'local'}-{digest[:12]}",
        card=card,
        parameters=sum(each.numel() for each in found.model.parameters()),
        device=where,
        network=lambda audio: _hidden_states(found, step, audio),
        identity=digest_of(["hear", _IMPLEMENTATION, digest, found.sources(), package]),
    )


def _hidden_states(module: HearModule, step: float, audio: torch.Tensor) -> torch.Tensor:
    """Return both embeddings: (batch, samples) -> (batch, 2, frame, width)."""
    embeddings, times = module.timestamps(audio)
    if len(times) > 1:
        here = module.step_ms(times)
        if abs(here - step) * (len(times) - 1) > 2 * step:
            raise SpecError(
                f"{module.name}: timestamps must have the step of other clips, {step:g} ms. "
                f"Got {here:g} ms."
            )
    scenes = module.scenes(audio)
    width = max(module.timestamp_size, module.scene_size)
    states = embeddings.new_zeros(len(audio), 2, embeddings.shape[1], width)
    states[:, 0, :, : embeddings.shape[2]] = embeddings
    states[:, 1, :, : scenes.shape[1]] = scenes[:, None]
    return states


class HearModule:
    """A HEAR module with its model, called by one thread at a time."""

    def __init__(self, module: str, weights: str | None, device: torch.device) -> None:
        self.name, self._device = module, device
        self._lock = threading.Lock()  # nothing says that other people's code is thread-safe
        self._module = _imported(module)
        if weights is not None and not Path(weights).expanduser().exists():
            raise MissingError(f"{weights}: must be the weights of {module}. It is not there.")
        given = [] if weights is None else [str(Path(weights).expanduser())]
        with _seeded():
            model: Any = self._module.load_model(*given)
        if not isinstance(model, torch.nn.Module):
            raise self._breach("'load_model' must return a torch.nn.Module", type(model).__name__)
        self.model = model.to(device).eval()
        self.sample_rate = self._fact("sample_rate")
        self.timestamp_size = self._fact("timestamp_embedding_size")
        self.scene_size = self._fact("scene_embedding_size")

    def timestamps(self, audio: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Embed clips at regular intervals; also their times (frame,) in ms."""
        answer = self._called("get_timestamp_embeddings", audio)
        if not isinstance(answer, tuple) or len(answer) != 2:
            raise self._breach(
                "'get_timestamp_embeddings' must return embeddings and timestamps",
                type(answer).__name__,
            )
        embeddings = self._checked(answer[0], "get_timestamp_embeddings", len(audio), 3)
        times = torch.as_tensor(answer[1]).detach().double().cpu()
        if times.shape != embeddings.shape[:2]:
            raise self._breach(
                f"timestamps must have the shape {tuple(embeddings.shape[:2])} of the embeddings",
                str(tuple(times.shape)),
            )
        if not torch.equal(times, times[:1].expand_as(times)):
            raise self._breach("timestamps must be those of every clip", "different ones")
        return embeddings, times[0]

    def scenes(self, audio: torch.Tensor) -> torch.Tensor:
        """Return one embedding for each clip: (batch, samples) -> (batch, scene_size)."""
        answer = self._called("get_scene_embeddings", audio)
        return self._checked(answer, "get_scene_embeddings", len(audio), 2)

    def step_ms(self, times: torch.Tensor) -> float:
        """Return the interval between timestamps, in milliseconds: (frame,) -> ."""
        if len(times) < 2:
            raise self._breach("a clip of some seconds must have several timestamps", "one or none")
        step = float(times[-1] - times[0]) / (len(times) - 1)
        places = times[0] + step * torch.arange(len(times), dtype=torch.float64)
        apart = float((times - places).abs().max())
        if step <= 0 or apart > _JITTER_MS:
            raise self._breach(
                "timestamps must rise by equal steps", f"a mean step of {step:g} ms, {apart:g} off"
            )
        return step

    def sources(self) -> str:
        """Return the digest of the Python files that the module's package holds."""
        top = self.name.partition(".")[0]
        file = getattr(sys.modules[top], "__file__", None) or str(self._module.__file__)
        path = Path(file)
        if path.name != "__init__.py":
            return file_digest(path)  # a loose file may have any name
        files = sorted(path.parent.rglob("*.py"))
        return digest_of({str(each.relative_to(path.parent)): file_digest(each) for each in files})

    def distribution(self) -> str | None:
        """Return the package that the module comes from, "name-version"; None for loose files."""
        found = packages_distributions().get(self.name.partition(".")[0])
        return f"{found[0]}-{version(found[0])}" if found else None

    def _fact(self, fact: str) -> int:
        value: object = getattr(self.model, fact, None)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise self._breach(f"the model's {fact!r} must be a positive integer", repr(value))
        return value

    def _called(self, function: str, audio: torch.Tensor) -> Any:
        with self._lock, _seeded(), torch.no_grad():
            return getattr(self._module, function)(audio.to(self._device).clone(), self.model)

    def _checked(self, found: Any, function: str, batch: int, axes: int) -> torch.Tensor:
        width = self.timestamp_size if axes == 3 else self.scene_size
        if not torch.is_tensor(found) or not found.is_floating_point():
            kind = str(found.dtype) if torch.is_tensor(found) else type(found).__name__
            raise self._breach(f"{function!r} must return a tensor of float32", kind)
        wanted = f"({batch}, timestamps, {width})" if axes == 3 else f"({batch}, {width})"
        if found.ndim != axes or found.shape[0] != batch or found.shape[-1] != width:
            raise self._breach(
                f"{function!r} must return embeddings of shape {wanted}", str(tuple(found.shape))
            )
        return found.detach().float()

    def _breach(self, rule: str, got: str) -> SpecError:
        return SpecError(f"{self.name}: {rule}. Got {got}. See {_API}.")


def _imported(name: str) -> Any:
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        raise MissingError(
            f"{name}: must be a module that can be imported. {error}. "
            f"Install its package, go to its folder, or put that on PYTHONPATH."
        ) from error
    absent = [each for each in _FUNCTIONS if not callable(getattr(module, each, None))]
    if absent:
        raise SpecError(
            f"{name}: must have the functions of the HEAR API. Missing: {', '.join(absent)}. "
            f"A package may keep them in one of its modules. See {_API}."
        )
    return module


@contextmanager
def _seeded() -> Iterator[None]:
    """Give other people's code a random state of its own, always the same."""
    numpy_state = np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        np.random.seed(0)
        try:
            yield
        finally:
            np.random.set_state(numpy_state)
