"""Tiny checkpoints of each family, made and saved by transformers itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers as typed_transformers

transformers: Any = typed_transformers  # half of it has no types

#: Convolutions with a hop of 20 samples, for a rate of 1 kHz.
CONVOLUTIONS: dict[str, Any] = {
    "conv_dim": (8, 8, 12),
    "conv_kernel": (10, 3, 2),
    "conv_stride": (5, 2, 2),
    "num_feat_extract_layers": 3,
}
TINY: dict[str, Any] = {
    **CONVOLUTIONS,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 4,
    "vocab_size": 7,
}
LARGE: dict[str, Any] = {
    "do_stable_layer_norm": True,
    "feat_extract_norm": "layer",
    "conv_bias": True,
}
_CLAP_TEXT: dict[str, Any] = {
    "vocab_size": 20,
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 8,
    "max_position_embeddings": 10,
}
_CLAP_AUDIO: dict[str, Any] = {
    "window_size": 4,
    "num_mel_bins": 16,
    "spec_size": 32,
    "patch_stride": [4, 4],
    "depths": [1, 1],
    "num_attention_heads": [2, 2],
    "num_hidden_layers": 2,
    "patch_embeds_hidden_size": 16,
    "hidden_size": 32,
    "num_classes": 3,
}
README = "---\nlicense: cc-by-4.0\ndatasets:\n- tones\n- noises\n---\n# A tiny network\n"


def made(kind: Callable[[Any], Any], config: Any, seed: int = 0) -> Any:
    """Make a network whose norms, biases and statistics matter."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = kind(config).requires_grad_(False)
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


def waveform(folder: Path, family: str, head: str = "Model", **options: Any) -> Any:
    """Save a network on the waveform, "Wav2Vec2" or the like, and return it."""
    rate, normalise = options.pop("rate", 1000), options.pop("do_normalize", True)
    config = getattr(transformers, f"{family}Config")(**{**TINY, **options})
    model = made(getattr(transformers, f"{family}{head}"), config)
    model.save_pretrained(folder)
    extractor = transformers.Wav2Vec2FeatureExtractor(sampling_rate=rate, do_normalize=normalise)
    extractor.save_pretrained(folder)
    (folder / "README.md").write_text(README)
    return model


def ast(folder: Path, head: str = "Model") -> Any:
    """Save an Audio Spectrogram Transformer of 0.655 s at 16 kHz, 40 ms a frame."""
    config = transformers.ASTConfig(
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=40,
        patch_size=8,
        frequency_stride=8,
        time_stride=4,
        max_length=64,
        num_mel_bins=24,
    )
    kind = transformers.ASTModel if head == "Model" else transformers.ASTForAudioClassification
    model = made(kind, config)
    model.save_pretrained(folder)
    transformers.ASTFeatureExtractor(num_mel_bins=24, max_length=64).save_pretrained(folder)
    return model


def whisper(folder: Path, head: str = "Model") -> Any:
    """Save a Whisper of 2 s at 16 kHz, 20 ms a frame."""
    config = transformers.WhisperConfig(
        vocab_size=30,
        num_mel_bins=16,
        encoder_layers=2,
        encoder_attention_heads=2,
        encoder_ffn_dim=24,
        decoder_layers=1,
        decoder_attention_heads=2,
        decoder_ffn_dim=24,
        d_model=16,
        max_source_positions=100,
        max_target_positions=8,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    kind = (
        transformers.WhisperModel
        if head == "Model"
        else transformers.WhisperForConditionalGeneration
    )
    model = made(kind, config)
    model.save_pretrained(folder)
    extractor = transformers.WhisperFeatureExtractor(feature_size=16, chunk_length=2)
    extractor.save_pretrained(folder)
    return model


def clap(folder: Path, *, fused: bool = False, tower: bool = False) -> Any:
    """Save a CLAP of 1 s at 4,096 Hz, 256 samples a frame."""
    audio = {**_CLAP_AUDIO, "enable_fusion": fused}
    if tower:
        model = made(
            transformers.ClapAudioModelWithProjection, transformers.ClapAudioConfig(**audio)
        )
    else:
        config = transformers.ClapConfig(text_config=_CLAP_TEXT, audio_config=audio)
        model = made(transformers.ClapModel, config)
    model.save_pretrained(folder)
    transformers.ClapFeatureExtractor(
        feature_size=16,
        sampling_rate=4096,
        hop_length=80,
        max_length_s=1,
        fft_window_size=512,
        frequency_min=50,
        frequency_max=2000,
        truncation="fusion" if fused else "rand_trunc",
    ).save_pretrained(folder)
    return model


def wav2vec2_bert(folder: Path) -> Any:
    """Save a wav2vec 2.0 BERT on log-mel frames, 20 ms a frame."""
    config = transformers.Wav2Vec2BertConfig(
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=40,
        feature_projection_input_dim=32,
        vocab_size=7,
    )
    model = made(transformers.Wav2Vec2BertModel, config)
    model.save_pretrained(folder)
    extractor = transformers.SeamlessM4TFeatureExtractor(feature_size=16, num_mel_bins=16)
    extractor.save_pretrained(folder)
    return model


def speech_to_text(folder: Path) -> Any:
    """Save a Speech2Text network on log-mel frames, 40 ms a frame."""
    config = transformers.Speech2TextConfig(
        vocab_size=30,
        encoder_layers=2,
        encoder_ffn_dim=24,
        encoder_attention_heads=2,
        decoder_layers=1,
        decoder_ffn_dim=24,
        decoder_attention_heads=2,
        d_model=16,
        conv_channels=16,
        input_feat_per_channel=20,
    )
    model = made(transformers.Speech2TextModel, config)
    model.save_pretrained(folder)
    extractor = transformers.Speech2TextFeatureExtractor(feature_size=20, num_mel_bins=20)
    extractor.save_pretrained(folder)
    return model


def moonshine(folder: Path) -> Any:
    """Save a Moonshine, whose three convolutions have a hop of 384 samples at 16 kHz."""
    config = transformers.MoonshineConfig(
        vocab_size=30,
        hidden_size=24,
        intermediate_size=32,
        encoder_num_hidden_layers=2,
        decoder_num_hidden_layers=1,
        encoder_num_attention_heads=2,
        decoder_num_attention_heads=2,
    )
    model = made(transformers.MoonshineModel, config)
    model.save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=False).save_pretrained(folder)
    return model


#: By name: what makes a checkpoint in a folder and returns the network.
FAMILIES: dict[str, Callable[[Path], Any]] = {
    "hubert": lambda folder: waveform(folder, "Hubert"),
    "hubert-large": lambda folder: waveform(folder, "Hubert", **LARGE),
    "wav2vec2": lambda folder: waveform(folder, "Wav2Vec2", "ForPreTraining"),
    "wav2vec2-large": lambda folder: waveform(folder, "Wav2Vec2", "ForPreTraining", **LARGE),
    "wavlm": lambda folder: waveform(folder, "WavLM"),
    "wavlm-large": lambda folder: waveform(folder, "WavLM", **LARGE),
    "data2vec": lambda folder: waveform(
        folder, "Data2VecAudio", conv_pos_kernel_size=5, num_conv_pos_embeddings=2
    ),
    "unispeech": lambda folder: waveform(folder, "UniSpeech", **LARGE),
    "unispeech-sat": lambda folder: waveform(folder, "UniSpeechSat"),
    "wav2vec2-conformer": lambda folder: waveform(folder, "Wav2Vec2Conformer"),
    "sew": lambda folder: waveform(folder, "SEW"),
    "sew-d": lambda folder: waveform(folder, "SEWD"),
    "ast": ast,
    "whisper": whisper,
    "clap": clap,
    "clap-fused": lambda folder: clap(folder, fused=True),
    "wav2vec2-bert": wav2vec2_bert,
    "speech-to-text": speech_to_text,
    "moonshine": moonshine,
}
