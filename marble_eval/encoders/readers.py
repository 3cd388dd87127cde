"""Which reader a network of transformers has: by its type, or by what it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from marble_eval.encoders.extracted_models import ExtractedReader
from marble_eval.encoders.pretrained import load_extractor
from marble_eval.encoders.repository import Repository
from marble_eval.encoders.spectrogram_models import AstReader, ClapReader, WhisperReader
from marble_eval.encoders.waveform_models import Reader, WaveformReader
from marble_eval.errors import SpecError

_BY_TYPE: dict[str, Callable[[Any, Any, str], Reader]] = {
    "audio-spectrogram-transformer": AstReader,
    "clap": ClapReader,
    "clap_audio_model": ClapReader,
    "whisper": WhisperReader,
}


def reader_of(
    module: Any, repository: Repository, sample_rate: int | None, name: str, *, trusted: bool
) -> Reader:
    """Return how a network takes audio.

    Parameters
    ----------
    module : torch.nn.Module
        The network.
    repository : Repository
        Its checkpoint.
    sample_rate : int or None
        What the user says, in Hz.
    name : str
        Of the encoder, for messages.
    trusted : bool
        Whether code of the checkpoint's own may be run.

    Returns
    -------
    Reader
        On the waveform where the config lists its convolutions, else with an extractor.

    Raises
    ------
    SpecError
        If the checkpoint contradicts itself or the user, or the network lists no hidden
        states.
    MissingError
        If it needs an extractor and brings none.
    """
    kind, config = str(repository.config.get("model_type")), module.config
    waveform = getattr(module, "main_input_name", None) == "input_values"
    if waveform and not trusted and hasattr(config, "conv_stride"):
        return WaveformReader(config, repository, sample_rate, name)
    if sample_rate is not None:
        raise SpecError(
            f"encoder {name}: 'sample_rate' must be null where an extractor says it. "
            f"Got {sample_rate!r}."
        )
    extractor = load_extractor(repository, trusted=trusted)
    if kind in _BY_TYPE and not trusted:
        return _BY_TYPE[kind](config, extractor, name)
    return ExtractedReader(module, extractor, name)
