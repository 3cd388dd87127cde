"""What is measured is what was done: operations against torch's own count, rates by their sense."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import HubertConfig, HubertModel

from marble_eval.cli import benchmark
from marble_eval.cli.speed import GridPace, disk_rate, encoding_rate, grid_pace, product_rate
from marble_eval.encoders.networks.hubert_shape import operations, read_shape
from marble_eval.encoders.networks.hubert_weights import SIZES
from marble_eval.registry import load_encoder

CPU = torch.device("cpu")


@pytest.mark.parametrize("size", sorted(SIZES))
def test_operations_are_those_that_torch_counts_in_transformers_network(size: str) -> None:
    with torch.device("meta"):
        model: Any = HubertModel(HubertConfig(**{**SIZES[size], "attn_implementation": "eager"}))
        audio = torch.zeros(1, 48000)
    model.eval()
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        model(audio)
    counted = counter.get_total_flops()
    shape = read_shape({**SIZES[size], "sample_rate": 24000}, size)
    # The positional convolution pads to one frame more, which is cut off and not counted here.
    assert operations(shape, 48000) == pytest.approx(counted, rel=2e-3)


def test_an_encoder_that_waits_is_as_fast_as_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    class Waits:
        name, sample_rate, frame_rate, width = "waits", 1000, 10.0, 1
        layers: Sequence[str] = ("0",)

        def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
            import time

            time.sleep(0.2)
            return torch.zeros(len(audio), 1, 10, 1)

        def fingerprint(self) -> str:
            return "waits"

    monkeypatch.setattr("marble_eval.cli.speed.cores", lambda: 2)
    # Two cores, four clips of 3 s: two rounds of 0.2 s for 12 s of audio.
    rate = encoding_rate(Waits(), seconds=3.0, clips=4, rounds=1)
    assert 12 < rate <= 12 / 0.4


def test_rates_are_positive_and_threads_are_given_back() -> None:
    threads = torch.get_num_threads()
    assert product_rate(CPU) > 1e9
    assert encoding_rate(load_encoder("mel"), seconds=1.0, clips=2, rounds=1) > 1
    assert torch.get_num_threads() == threads


def test_the_grid_is_timed_in_groups_and_alone() -> None:
    pace = grid_pace(CPU, epochs=1)
    assert pace.grouped > 0 and pace.alone > 0


def test_the_disk_is_left_as_it_was(tmp_path: Path) -> None:
    assert disk_rate(tmp_path, megabytes=4) > 0
    assert list(tmp_path.iterdir()) == []


def test_doctor_prints_the_machines_own_figures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(benchmark, "_SECONDS", 0.5)
    monkeypatch.setattr(benchmark, "_FEW", 2)
    monkeypatch.setattr("marble_eval.cli.speed.grid_pace", lambda device: GridPace(0.002, 0.003))
    monkeypatch.setattr("marble_eval.cli.speed.disk_rate", lambda folder: 5e8)
    benchmark.show_speed("cpu")
    text = capsys.readouterr().out
    for each in ("GFLOP/s", "MERT 95M in bfloat16", "moves pooled features by", "500 MB/s"):
        assert each in text
    assert "2.00 ms an epoch of one probe, 1.50 times as fast as one by one" in text
