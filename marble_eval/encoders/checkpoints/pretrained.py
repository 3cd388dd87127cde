"""Networks of transformers' own classes: made, filled with weights, and accounted for.

transformers fills what a checkpoint lacks with random numbers and goes on; here that is
refused. Weights are read as tensors: safetensors, or a pickle that may hold nothing else.
"""

from __future__ import annotations

import contextlib
import copy
import pickle
from collections.abc import Iterator
from typing import Any

import torch
from safetensors import SafetensorError

from marble_eval.encoders.checkpoints.folder import CONFIG, require_weights
from marble_eval.encoders.checkpoints.repository import Repository
from marble_eval.errors import MissingError, SpecError

#: Types of network (of config.json) whose forward keeps nothing, so that threads may share it.
STATELESS_TYPES = (
    *("audio-spectrogram-transformer", "clap", "clap_audio_model", "data2vec-audio", "hubert"),
    *("sew", "sew-d", "unispeech", "unispeech-sat", "wav2vec2", "wavlm", "whisper"),
)
#: Types that are known to work, with two that cache positions; others are tried.
KNOWN_TYPES = tuple(sorted((*STATELESS_TYPES, "wav2vec2-bert", "wav2vec2-conformer")))
# What a constructor of somebody's network, or transformers' reader, raises for a bad checkpoint.
_BROKEN = (
    *(OSError, EOFError, RuntimeError, ValueError, TypeError, KeyError, AttributeError),
    *(ImportError, ArithmeticError, IndexError, AssertionError, MemoryError),
    *(pickle.UnpicklingError, SafetensorError),
)
_UNUSED = "masked_spec_embed"  # stands for masked frames in training


def is_known(model_type: object) -> bool:
    """Say whether transformers itself has a type of network."""
    from transformers import CONFIG_MAPPING  # noqa: PLC0415 - it takes seconds

    return model_type in CONFIG_MAPPING


def load_module(
    repository: Repository, *, random: int | None, trusted: bool, name: str
) -> tuple[torch.nn.Module, tuple[str, ...]]:
    """Make a network that takes audio, with its weights or random ones, in evaluation mode.

    It is float32, and the encoder of a network with a decoder, the audio tower of one with a
    text tower. Also named are buffers that had to be restored (`_restore_buffers`).
    """
    restored: tuple[str, ...] = ()
    if random is None:
        require_weights(repository.folder)
    with _quiet(), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0 if random is None else random)
        try:
            config = _config(repository, trusted=trusted)
            maker = _maker(config, trusted=trusted, repository=repository, name=name)
            options: dict[str, Any] = {"trust_remote_code": True} if trusted else {}
            options[_dtype_option()] = torch.float32
            if random is not None:
                made, report = _drawn(maker, config, options), None
            else:
                made, report = maker.from_pretrained(
                    repository.folder,
                    config=config,
                    local_files_only=True,
                    weights_only=True,
                    output_loading_info=True,
                    **options,
                )
                if trusted:
                    restored = _restore_buffers(made, config)
        except (MissingError, SpecError):
            raise
        except _BROKEN as error:
            first = " ".join(str(error).split())[:300]
            raise MissingError(
                f"{repository.folder}: must be a whole checkpoint that transformers can load. "
                f"Got {type(error).__name__}: {first}"
            ) from error
    tower = _audio_tower(made)
    if report is not None:
        _account(made, tower, report, repository)
    return tower.float().eval().requires_grad_(False), restored


def load_extractor(repository: Repository, *, trusted: bool) -> Any:
    """Make the extractor that turns a checkpoint's audio into its input."""
    import transformers  # noqa: PLC0415 - it takes seconds

    maker: Any = transformers.AutoFeatureExtractor
    try:
        with _quiet():
            return maker.from_pretrained(
                repository.folder, local_files_only=True, trust_remote_code=trusted
            )
    except _BROKEN as error:
        first = " ".join(str(error).split())[:300]
        raise MissingError(
            f"{repository.folder}: must hold the preprocessor_config.json of an extractor that "
            f"transformers can load. Got {type(error).__name__}: {first}"
        ) from error


def _config(repository: Repository, *, trusted: bool) -> Any:
    from transformers import AutoConfig  # noqa: PLC0415 - it takes seconds

    config = AutoConfig.from_pretrained(
        repository.folder, local_files_only=True, trust_remote_code=trusted
    )
    if getattr(config, "add_adapter", False):
        config.add_adapter = False  # stands behind the last layer, for another network
    return config


def _maker(config: Any, *, trusted: bool, repository: Repository, name: str) -> Any:
    """Return the class that makes the network, refusing one that takes no audio."""
    import transformers  # noqa: PLC0415 - it takes seconds

    if config.model_type == "clap_audio_model":  # the tower alone, which AutoModel does not know
        return transformers.ClapAudioModelWithProjection
    if trusted or config.model_type == "clap":
        return transformers.AutoModel
    known: Any = transformers.MODEL_MAPPING
    found = known[type(config)] if type(config) in known else None
    taken = getattr(found, "main_input_name", None)
    if taken not in ("input_values", "input_features"):
        raise SpecError(
            f"encoder {name}: {repository.folder / CONFIG} must be of a network that takes audio "
            f"and lists its hidden states. Got 'model_type' {config.model_type!r}, which takes "
            f"{taken or 'nothing that is known'}. Known: {', '.join(KNOWN_TYPES)}."
        )
    return transformers.AutoModel


def _drawn(maker: Any, config: Any, options: dict[str, Any]) -> torch.nn.Module:
    """Make a network as training would begin with it."""
    made: torch.nn.Module
    if hasattr(maker, "from_config"):
        made = maker.from_config(config, **options)
    else:
        made = maker(config)
    return made


def _restore_buffers(made: Any, config: Any) -> tuple[str, ...]:
    """Give buffers that no checkpoint holds what the class computes for them; name the changed.

    transformers 5 makes a network on no device and fills it from the checkpoint: what the
    code of others computes into a non-persistent buffer is lost, and its memory is whatever
    was there before (transformers issue 48892).
    """
    torch.default_generator.manual_seed(0)
    with torch.device("cpu"):
        plain = type(made)(copy.deepcopy(config))
    parts, restored = dict(plain.named_modules()), []
    for path, module in made.named_modules():
        for name in sorted(module._non_persistent_buffers_set):
            found, computed = module._buffers.get(name), parts[path]._buffers.get(name)
            if not _same_bytes(found, computed):
                module._buffers[name] = None if computed is None else computed.detach().clone()
                restored.append(f"{path}.{name}" if path else name)
    return tuple(restored)


def _same_bytes(one: torch.Tensor | None, other: torch.Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    if one.is_meta or one.dtype != other.dtype or one.shape != other.shape:
        return False
    first, second = (each.detach().cpu().contiguous().reshape(-1) for each in (one, other))
    return torch.equal(first.view(torch.uint8), second.view(torch.uint8))


def _dtype_option() -> str:
    """Return what the installed transformers calls the type of the weights."""
    import transformers  # noqa: PLC0415 - it takes seconds

    return "torch_dtype" if transformers.__version__.startswith("4.") else "dtype"


def _audio_tower(made: Any) -> torch.nn.Module:
    """Return the part of a network that takes the audio."""
    tower: torch.nn.Module = made
    if hasattr(made, "audio_model"):  # CLAP
        tower = made.audio_model
    elif getattr(made.config, "is_encoder_decoder", False) and hasattr(made, "get_encoder"):
        tower = made.get_encoder()
    return tower


def _account(
    made: Any, tower: torch.nn.Module, report: dict[str, Any], repository: Repository
) -> None:
    """Refuse a checkpoint that lacks weights of the tower, or has more than it takes."""
    stem = next((path for path, part in made.named_modules() if part is tower), "")
    stem = f"{stem}." if stem else ""
    missing = sorted(
        each for each in report["missing_keys"] if each.startswith(stem) and _UNUSED not in each
    )
    if missing:
        raise MissingError(
            f"{repository.folder}: must hold every weight of {type(tower).__name__}. "
            f"Missing: {_listed(missing)}."
        )
    parts = dict(tower.named_children())
    prefix = getattr(made, "base_model_prefix", "") or "-"
    # Buffers that older versions saved may go; a weight inside the tower may not.
    astray = sorted(
        each
        for each in report["unexpected_keys"]
        if each.endswith((".weight", ".bias"))
        and (inner := each.removeprefix(f"{prefix}.")).startswith(stem)
        and inner.removeprefix(stem).partition(".")[0] in parts
    )
    if astray:
        raise SpecError(
            f"{repository.folder}: must hold weights that its config has places for. "
            f"Unexpected: {_listed(astray)}."
        )


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return ", ".join(names[:6]) + more


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' bars and reports back while it loads: all they say is checked here."""
    import transformers  # noqa: PLC0415 - it takes seconds

    logging: Any = transformers.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
