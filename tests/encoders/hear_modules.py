"""A small module that follows the HEAR API, written to disk: framed spectra, projected."""

from __future__ import annotations

from pathlib import Path

SOURCE = """
import torch

FRAME, HOP = 400, 200


class Projection(torch.nn.Module):
    sample_rate = 16000
    timestamp_embedding_size = 6
    scene_embedding_size = 9

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)  # as many do: not for the library to keep
        self.linear = torch.nn.Linear(FRAME // 2 + 1, self.timestamp_embedding_size)
        self.scene = torch.nn.Linear(self.timestamp_embedding_size, self.scene_embedding_size)
        self.dropout = torch.nn.Dropout(0.5)  # heard outside of evaluation mode


def load_model(model_file_path=""):
    model = Projection()
    if model_file_path:
        model.load_state_dict(torch.load(model_file_path, weights_only=True))
    return model


def get_timestamp_embeddings(audio, model):
    padded = torch.nn.functional.pad(audio, (FRAME // 2, FRAME // 2))
    frames = padded.unfold(1, FRAME, HOP)
    spectra = torch.log(torch.fft.rfft(frames).abs() + 1e-4)
    times = torch.arange(frames.shape[1]) * (1000 * HOP / model.sample_rate)
    return model.dropout(model.linear(spectra)), times.expand(len(audio), -1)


def get_scene_embeddings(audio, model):
    return model.scene(get_timestamp_embeddings(audio, model)[0].mean(dim=1))
"""


def write_module(folder: Path, name: str, *changes: tuple[str, str]) -> str:
    """Write the module, with some of its text replaced, and return its name."""
    source = SOURCE
    for old, new in changes:
        if old not in source:
            raise ValueError(f"{old!r} is not in the module")
        source = source.replace(old, new)
    (folder / f"{name}.py").write_text(source, encoding="utf-8")
    return name
