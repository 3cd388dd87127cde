"""fairseq's checkpoints of HuBERT and MERT as released folders, without fairseq.

Names are mapped to those of transformers, the config is made from what the training was
configured with, and every weight must find its place at its size. What serves training
alone is left out by name; anything else that is not known is an error. Sources: fairseq's
models/hubert/hubert.py and models/wav2vec/wav2vec2.py; mert_fairseq/models/mert of MERT's
repository (arXiv 2306.00107).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from marble_eval.encoders.checkpoints.torch_file import StoredTensor, open_tensors
from marble_eval.encoders.networks.hubert_shape import HubertShape, read_shape
from marble_eval.encoders.networks.hubert_weights import placed
from marble_eval.errors import SpecError

if TYPE_CHECKING:
    import torch

# What serves training alone: predictions of clusters, of constant-Q and mel spectra, masks.
_TRAINING = re.compile(
    r"(final_projs?|label_embs_concat|label_embs|mask_emb|logit_temp\w*|target_glu|"
    r"encoder_cqt_model|encoder_mel_model|feature_extractor_cqt|_ema)(\.|$)"
)
_RENAMED = (
    (r"^post_extract_proj\.", "feature_projection.projection."),
    (r"^layer_norm\.", "feature_projection.layer_norm."),
    (r"^encoder\.pos_conv\.0\.", "encoder.pos_conv_embed.conv."),
    (r"^feature_extractor\.conv_layers\.(\d+)\.0\.", r"feature_extractor.conv_layers.\1.conv."),
    (r"^feature_extractor\.conv_layers\.(\d+)\.2\.(1\.)?",
     r"feature_extractor.conv_layers.\1.layer_norm."),
    (r"\.self_attn\.", ".attention."),
    (r"\.self_attn_layer_norm\.", ".layer_norm."),
    (r"\.fc1\.", ".feed_forward.intermediate_dense."),
    (r"\.fc2\.", ".feed_forward.output_dense."),
)  # fmt: skip
# fairseq's defaults: what a config leaves out.
_DEFAULTS: dict[str, Any] = {
    "extractor_mode": "default", "encoder_layers": 12, "encoder_embed_dim": 768,
    "encoder_ffn_embed_dim": 3072, "encoder_attention_heads": 12, "activation_fn": "gelu",
    "layer_norm_first": False, "conv_bias": False, "conv_pos": 128, "conv_pos_groups": 16,
    "conv_feature_layers": "[(512,10,5)] + [(512,3,2)] * 4 + [(512,2,2)] * 2",
    "deepnorm": False, "feature_extractor_cqt": False, "feature_extractor_cqt_bins": 84,
}  # fmt: skip
# Choices that ask for another network than this one.
_REFUSED: dict[str, Any] = {
    "layer_type": "transformer", "pos_conv_depth": 1, "audio_extract_type": "w2v_conv",
    "subln": False, "do_cnn_feat_stable_layernorm": False, "wav_normalize": False,
}  # fmt: skip


class Converted(NamedTuple):
    """A network in the released layout.

    Attributes
    ----------
    config : dict
        Content of ``config.json``.
    shape : HubertShape
        The network.
    weights : dict of str to torch.Tensor
        Under released names, float32.
    left_out : tuple of str
        Names of what serves training alone.
    normalise : bool
        Whether it was trained on waveforms of zero mean and unit variance.
    """

    config: dict[str, Any]
    shape: HubertShape
    weights: dict[str, torch.Tensor]
    left_out: tuple[str, ...]
    normalise: bool


def convert(path: Path, sample_rate: int | None = None) -> Converted:
    """Read a checkpoint of fairseq."""
    with open_tensors(path) as file:
        content = file.content
        if not isinstance(content, Mapping) or not isinstance(content.get("model"), Mapping):
            held = ", ".join(map(str, content)) if isinstance(content, Mapping) else type(content)
            raise SpecError(
                f"{path}: must be a checkpoint of fairseq, with 'model' and 'cfg'. It holds {held}."
            )
        config = network_config(content, str(path), sample_rate)
        stored = content["model"]
        left_out = tuple(name for name in stored if _TRAINING.match(name))
        other = [name for name in stored if not isinstance(stored[name], StoredTensor)]
        if unknown := [name for name in other if name not in left_out]:
            raise SpecError(f"{path}: 'model' must hold tensors only. Got {', '.join(unknown)}.")
        state = {
            _released(name): file.tensor(each).float()
            for name, each in stored.items()
            if name not in left_out
        }
    shape = read_shape(config, str(path))
    normalise = bool(_sections(content, str(path))[1].get("normalize", False))
    return Converted(config, shape, placed(state, shape, str(path)), left_out, normalise)


def _released(name: str) -> str:
    for pattern, instead in _RENAMED:
        name = re.sub(pattern, instead, name)
    return name


def network_config(
    content: Mapping[str, Any], subject: str, sample_rate: int | None = None
) -> dict[str, Any]:
    """Make a ``config.json`` from what a training was configured with."""
    model, task = _sections(content, subject)
    for name, value in _REFUSED.items():
        if model.get(name, value) != value:
            raise SpecError(f"{subject}: {name!r} must be {value!r}. Got {model[name]!r}.")
    known = {name: model.get(name, value) for name, value in _DEFAULTS.items()}
    said = task.get("sample_rate")
    rate = said if sample_rate is None else sample_rate
    if isinstance(said, int) and rate != said:
        raise SpecError(
            f"{subject}: was trained at {said} Hz. Got --sample-rate {rate}. Leave it out."
        )
    if not isinstance(rate, int) or rate < 1:
        raise SpecError(
            f"{subject}: must say the sample rate of its audio, a positive number. "
            f"Got {rate!r}. Give --sample-rate."
        )
    layers = convolutions(str(known["conv_feature_layers"]), subject)
    mode = str(known["extractor_mode"])
    if mode not in ("default", "layer_norm"):
        raise SpecError(f"{subject}: 'extractor_mode' must be default or layer_norm. Got {mode!r}.")
    return {
        "model_type": "mert_model",
        "architectures": ["MERTModel"],
        "sample_rate": rate,
        "conv_dim": [each[0] for each in layers],
        "conv_kernel": [each[1] for each in layers],
        "conv_stride": [each[2] for each in layers],
        "conv_bias": known["conv_bias"],
        "feat_extract_norm": "group" if mode == "default" else "layer",
        "feat_extract_activation": "gelu",
        "feat_proj_layer_norm": True,
        "hidden_size": known["encoder_embed_dim"],
        "num_hidden_layers": known["encoder_layers"],
        "num_attention_heads": known["encoder_attention_heads"],
        "intermediate_size": known["encoder_ffn_embed_dim"],
        "hidden_act": str(known["activation_fn"]),
        "num_conv_pos_embeddings": known["conv_pos"],
        "num_conv_pos_embedding_groups": known["conv_pos_groups"],
        "do_stable_layer_norm": known["layer_norm_first"],
        "layer_norm_eps": 1e-5,
        "deepnorm": known["deepnorm"],
        "feature_extractor_cqt": known["feature_extractor_cqt"],
        "feature_extractor_cqt_bins": known["feature_extractor_cqt_bins"],
    }


def _sections(
    content: Mapping[str, Any], subject: str
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return what the network and the task were configured with."""
    cfg, args = content.get("cfg"), content.get("args")
    if isinstance(cfg, Mapping) and isinstance(cfg.get("model"), Mapping):
        task = cfg.get("task")
        return cfg["model"], task if isinstance(task, Mapping) else {}
    if isinstance(args, Mapping):  # before fairseq had Hydra: everything in one namespace
        return args, args
    raise SpecError(f"{subject}: must hold the training's 'cfg' or 'args'. It holds neither.")


def convolutions(text: str, subject: str) -> list[tuple[int, int, int]]:
    """Read fairseq's list of convolutions, which is written as a sum in Python."""
    layers: list[tuple[int, int, int]] = []
    triple = r"\(\s*\d+\s*,\s*\d+\s*,\s*\d+\s*,?\s*\)"
    for term in text.split("+"):
        listed, _, times = term.partition("*")
        plain = re.fullmatch(rf"\s*\[\s*{triple}(\s*,\s*{triple})*\s*,?\s*\]\s*", listed)
        if plain is None or not re.fullmatch(r"\s*\d{0,2}\s*", times):
            raise SpecError(
                f"{subject}: 'conv_feature_layers' must be lists of (channels, samples, hop), "
                f"added and repeated. Got {text!r}."
            )
        numbers = [int(each) for each in re.findall(r"\d+", listed)]
        triples = list(zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True))
        layers += triples * int(times.strip() or 1)
    return layers
