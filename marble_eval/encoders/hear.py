"""Any module that follows the HEAR API (https://hearbenchmark.com/hear-api.html) as an encoder.

Its layers are "timestamp", the embeddings at regular intervals, and "scene", the one of the
whole clip, the same in every frame, so that its mean over frames is itself. Where one is
narrower than the other, columns behind its width are 0, which tells a probe nothing.
The module is other people's code, and is run.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from marble_eval.encoders.hear_module import HearModule
from marble_eval.encoders.placement import found_device
from marble_eval.errors import SpecError
from marble_eval.files.fingerprint import digest_of, weights_digest
from marble_eval.spec import UNSTATED, EncoderCard

_IMPLEMENTATION = 1  # raised when the same module and audio give other hidden states
_TRIAL_SECONDS = 4  # of the clip from which the frame rate is read


class HearEncoder:
    """A HEAR module as an encoder (see `marble_eval.encoders.Encoder`).

    Parameters
    ----------
    name : str
        Name shown in results.
    module : HearModule
        The module with its model.
    card : EncoderCard
        Licence, training data and citation.
    device : torch.device
        Where it computes.

    Raises
    ------
    SpecError
        If it breaks the API on a trial of 4 s.
    """

    def __init__(
        self, *, name: str, module: HearModule, card: EncoderCard, device: torch.device
    ) -> None:
        generator = torch.Generator().manual_seed(0)
        samples = _TRIAL_SECONDS * module.sample_rate
        trial = 0.1 * torch.randn(1, samples, generator=generator)
        self._step = module.step_ms(module.timestamps(trial)[1])
        module.scenes(trial)
        state = module.model.state_dict()
        digest = weights_digest(state.items())
        package = module.distribution()
        self.name = name
        self.sample_rate = module.sample_rate
        self.frame_rate = round(1000 / self._step, 6)  # timestamps may be of single precision
        self.layers: Sequence[str] = ["timestamp", "scene"]
        self.width = max(module.timestamp_size, module.scene_size)
        self.minimum_samples = max(1, round(module.sample_rate * self._step / 1000))
        self.parameters = sum(each.numel() for each in module.model.parameters())
        self.revision = f"{package or 'local'}-{digest[:12]}"
        self.card = card
        self.normalise = False
        self.device = device
        self._module = module
        self._fingerprint = digest_of(["hear", _IMPLEMENTATION, digest, module.sources(), package])

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        """Encode clips of equal length.

        Parameters
        ----------
        audio : torch.Tensor [shape=(batch, samples), float32]
            Mono audio at ``sample_rate``, at least ``minimum_samples`` long.

        Returns
        -------
        torch.Tensor [shape=(batch, 2, frame, width), float32]
            Timestamp embeddings, and the scene embedding in every frame.

        Raises
        ------
        ValueError
            If the audio has other axes or another type, or is too short.
        SpecError
            If the module breaks the API, or its timestamps have another step here.
        """
        if audio.ndim != 2 or audio.dtype != torch.float32:
            raise ValueError(
                f"audio must be float32 of shape (batch, samples). "
                f"Got {audio.dtype} of shape {tuple(audio.shape)}."
            )
        if audio.shape[1] < self.minimum_samples:
            raise ValueError(
                f"audio must have at least {self.minimum_samples} samples. "
                f"Got {audio.shape[1]}. Use longer clips."
            )
        embeddings, times = self._module.timestamps(audio)
        self._check(times)
        scenes = self._module.scenes(audio)
        states = embeddings.new_zeros(len(audio), 2, embeddings.shape[1], self.width)
        states[:, 0, :, : embeddings.shape[2]] = embeddings
        states[:, 1, :, : scenes.shape[1]] = scenes[:, None]
        return states

    def fingerprint(self) -> str:
        """Return what identifies weights, the package's source and version."""
        return self._fingerprint

    def _check(self, times: torch.Tensor) -> None:
        """Refuse a clip whose frames do not come at the frame rate."""
        if len(times) < 2:
            return
        step = self._module.step_ms(times)
        if abs(step - self._step) * (len(times) - 1) > 2 * self._step:
            raise SpecError(
                f"{self.name}: timestamps must have the step of other clips, {self._step:g} ms. "
                f"Got {step:g} ms."
            )


def load_hear(
    *,
    name: str | None,
    module: str | None,
    weights: str | None,
    card: EncoderCard = UNSTATED,
    device: str = "auto",
) -> HearEncoder:
    """Load a module that follows the HEAR API.

    Parameters
    ----------
    name : str or None
        Name shown in results; None for the module's.
    module : str
        What is imported: "hearbaseline.naive". Its code is run.
    weights : str or None
        Path that is handed to its ``load_model``, which reads it in its own way; None to
        call that without.
    card : EncoderCard
        Licence, training data and citation.
    device : str
        "auto" (a GPU where there is one), "cpu", "cuda" or a numbered device.

    Returns
    -------
    HearEncoder
        Its ``frame_rate`` is 1000 by the mean step of the timestamps, in milliseconds, of
        4 s of noise; ``revision`` the package's version and the weights' digest.

    Raises
    ------
    MissingError
        If the module or the weights are not there.
    SpecError
        If no module is named, or it breaks the API.
    """
    if not module or not isinstance(module, str) or module.startswith("."):
        raise SpecError(
            f"encoder {name or 'hear'}: 'module' must name a module that follows the HEAR API. "
            f"Got {module!r}. Write encoder=hear encoder.module=hearbaseline.naive, or another."
        )
    where = found_device(device, name or module)
    found = HearModule(module, weights, where)
    return HearEncoder(name=name or module, module=found, card=card, device=where)
