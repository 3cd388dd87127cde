"""A checkpoint as fairseq writes it becomes a folder with the hidden states of transformers."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf  # noqa: TID251 - fairseq stores its objects
from transformers import HubertConfig, HubertModel

from marble_eval.encoders.checkpoints.fairseq import convert, convolutions, network_config
from marble_eval.encoders.networks.hubert import Hubert
from marble_eval.errors import MissingError, SpecError

POST_NORM: dict[str, Any] = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48,
    "conv_dim": (16,) * 3, "conv_kernel": (10, 3, 2), "conv_stride": (5, 2, 2),
    "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4,
}  # fmt: skip
PRE_NORM = {
    **POST_NORM, "do_stable_layer_norm": True, "feat_extract_norm": "layer", "conv_bias": True,
}  # fmt: skip


def configured(shape: dict[str, Any]) -> dict[str, Any]:
    """Write a shape in fairseq's words."""
    return {
        "_name": "hubert",
        "extractor_mode": "layer_norm" if shape.get("feat_extract_norm") == "layer" else "default",
        "encoder_layers": 2, "encoder_embed_dim": 32, "encoder_ffn_embed_dim": 48,
        "encoder_attention_heads": 4, "activation_fn": "gelu",
        "layer_norm_first": shape.get("do_stable_layer_norm", False),
        "conv_bias": shape.get("conv_bias", False), "conv_pos": 16, "conv_pos_groups": 4,
        "conv_feature_layers": "[(16,10,5)] + [(16,3,2)] + [(16,2,2)]*1",
        "mask_prob": 0.8, "dropout": 0.1, "untie_final_proj": True,
    }  # fmt: skip


def fairseq_names(state: dict[str, torch.Tensor], *, group: bool) -> dict[str, torch.Tensor]:
    """Give transformers' weights the names they have in fairseq (its conversion script)."""
    renamed = {}
    for name, weight in state.items():
        new = name.replace("encoder.pos_conv_embed.conv.parametrizations.weight.original0",
                           "encoder.pos_conv.0.weight_g")  # fmt: skip
        new = new.replace("encoder.pos_conv_embed.conv.parametrizations.weight.original1",
                          "encoder.pos_conv.0.weight_v")  # fmt: skip
        new = new.replace("encoder.pos_conv_embed.conv.bias", "encoder.pos_conv.0.bias")
        if name == "masked_spec_embed":
            new = "mask_emb"
        new = new.replace("feature_projection.projection", "post_extract_proj")
        new = new.replace("feature_projection.layer_norm", "layer_norm")
        new = re.sub(r"(conv_layers\.\d+)\.conv\.", r"\1.0.", new)
        new = re.sub(r"(conv_layers\.\d+)\.layer_norm\.", r"\1.2." if group else r"\1.2.1.", new)
        if ".layers." in new:
            new = new.replace(".layer_norm.", ".self_attn_layer_norm.")
            new = new.replace(".attention.", ".self_attn.")
            new = new.replace("feed_forward.intermediate_dense", "fc1")
            new = new.replace("feed_forward.output_dense", "fc2")
        renamed[new] = weight
    return renamed


def checkpoint(
    folder: Path, shape: dict[str, Any], *, style: str = "omegaconf", **changed: Any
) -> tuple[Path, Any]:
    """Save a random network as fairseq would, with all that training keeps."""
    torch.manual_seed(0)
    model: Any = HubertModel(HubertConfig(**shape))
    model.eval()
    with torch.no_grad():  # norms at rest would hide a mix-up of names
        for each in model.parameters():
            each.add_(0.05 * torch.randn_like(each))
    state = fairseq_names(model.state_dict(), group="feat_extract_norm" not in shape)
    state |= {
        "final_proj.weight": torch.randn(4, 32), "label_embs_concat": torch.randn(10, 4),
        "encoder_cqt_model.fc.weight": torch.randn(84, 32),
    }  # fmt: skip
    network = {**configured(shape), **changed.pop("network", {})}
    cfg: dict[str, Any] = {
        "model": network, "task": {"_name": "hubert_pretraining", "sample_rate": 16000},
        "common": {"fp16": True},
    }  # fmt: skip
    content: dict[str, Any] = {"args": None, "cfg": cfg, "model": {**state, **changed}}
    if style == "omegaconf":
        content["cfg"] = OmegaConf.create(cfg)
    elif style == "namespace":
        content |= {"cfg": None, "args": argparse.Namespace(**network, sample_rate=16000)}
    content |= {
        "criterion": None,
        "last_optimizer_state": {"state": {0: {"exp_avg": torch.zeros(3)}}},
        "optimizer_history": [{"num_updates": 5, "lr_scheduler_state": {"best": None}}],
        "extra_state": {"epoch": 3, "metrics": {"default": [(0, "loss", "AverageMeter", {})]}},
    }
    path = folder / "checkpoint_last.pt"
    torch.save(content, path)
    return path, model


@pytest.mark.parametrize("style", ["omegaconf", "plain", "namespace"])
@pytest.mark.parametrize("shape", [POST_NORM, PRE_NORM], ids=["post-norm", "pre-norm"])
def test_hidden_states_are_those_of_transformers(
    shape: dict[str, Any], style: str, tmp_path: Path
) -> None:
    path, model = checkpoint(tmp_path, shape, style=style)
    converted = convert(path)
    audio = torch.randn(2, 4000, generator=torch.Generator().manual_seed(1))
    states = Hubert(converted.shape, converted.weights).hidden_states(audio)
    with torch.no_grad():
        outputs = model(audio, output_hidden_states=True)
    expected = torch.stack([*outputs.hidden_states[:-1], outputs.last_hidden_state], dim=1)
    torch.testing.assert_close(states, expected, rtol=0, atol=1e-5)
    assert set(converted.left_out) == {
        "mask_emb", "final_proj.weight", "label_embs_concat", "encoder_cqt_model.fc.weight"
    }  # fmt: skip


def test_the_config_is_what_transformers_takes(tmp_path: Path) -> None:
    converted = convert(checkpoint(tmp_path, PRE_NORM)[0])
    known: Any = HubertConfig(**{**converted.config, "model_type": "hubert"})
    assert known.do_stable_layer_norm and known.conv_bias
    assert tuple(known.conv_dim) == (16, 16, 16) and known.feat_extract_norm == "layer"
    assert converted.config["sample_rate"] == 16000


@pytest.mark.parametrize("normalise", [True, False])
def test_whether_waveforms_were_normalised_is_as_the_training_says(
    normalise: bool, tmp_path: Path
) -> None:
    path, _ = checkpoint(tmp_path, POST_NORM, style="plain")
    content = torch.load(path, weights_only=True)
    content["cfg"]["task"]["normalize"] = normalise
    torch.save(content, path)
    assert convert(path).normalise is normalise


def test_of_what_a_config_leaves_out_fairseqs_defaults_hold() -> None:
    config = network_config({"cfg": {"model": {}, "task": {"sample_rate": 24000}}}, "x.pt")
    assert config["conv_dim"] == [512] * 7 and config["conv_kernel"] == [10, 3, 3, 3, 3, 2, 2]
    assert (config["hidden_size"], config["num_hidden_layers"]) == (768, 12)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"encoder.gate": 0.5}, r"must hold tensors only\. Got encoder\.gate"),
        ({"extra.weight": torch.ones(2)}, r"Unexpected: extra\.weight"),
        ({"post_extract_proj.bias": torch.ones(5)}, r"projection\.bias \(5,\)"),
        ({"network": {"layer_type": "conformer"}}, "'layer_type' must be 'transformer'"),
        ({"network": {"pos_conv_depth": 5}}, "'pos_conv_depth' must be 1"),
        ({"network": {"extractor_mode": "none"}}, "'extractor_mode' must be"),
        ({"network": {"conv_feature_layers": "__import__('os')"}}, "must be lists of"),
        ({"network": {"encoder_layers": 3}}, "must hold every weight. Missing: .*layers.2"),
        ({"network": {"activation_fn": "swish"}}, "'hidden_act' must be one of"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    changed: dict[str, Any], said: str, tmp_path: Path
) -> None:
    path, _ = checkpoint(tmp_path, POST_NORM, style="plain", **changed)
    with pytest.raises((SpecError, MissingError), match=said):
        convert(path)


def test_a_checkpoint_without_a_rate_takes_the_one_it_is_given(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    torch.save({"model": {}, "cfg": {"model": {}}}, path)
    with pytest.raises(SpecError, match=r"Give --sample-rate\."):
        convert(path)
    with pytest.raises(MissingError, match="must hold every weight"):
        convert(path, 24000)


@pytest.mark.parametrize("rate", [24000, 0, -1])
def test_a_rate_that_contradicts_the_checkpoint_is_refused(rate: int, tmp_path: Path) -> None:
    path, _ = checkpoint(tmp_path, POST_NORM)
    with pytest.raises(SpecError, match=f"trained at 16000 Hz. Got --sample-rate {rate}"):
        convert(path, rate)
    assert convert(path, 16000).shape.sample_rate == 16000


@pytest.mark.parametrize("content", [[1, 2], {"weights": 1}, {"model": torch.ones(2)}])
def test_another_file_of_torch_is_told(content: Any, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    torch.save(content, path)
    with pytest.raises(SpecError, match="must be a checkpoint of fairseq"):
        convert(path)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "[(1,2)]", "[(1,2,3)] * n", "[(1,2,3)] ** 9", "[(1,2,3)] * 999", "[(-1,2,3)]"],
)
def test_only_lists_of_three_numbers_are_convolutions(text: str) -> None:
    with pytest.raises(SpecError, match="conv_feature_layers"):
        convolutions(text, "x.pt")
