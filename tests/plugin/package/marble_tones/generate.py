"""Make the audio of the task: python -m marble_tones.generate FOLDER."""

from __future__ import annotations

import csv
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import soundfile

SAMPLE_RATE = 16000  # Hz


def generate(folder: Path) -> None:
    """Write the table that comes with the package, and a tone for each of its rows."""
    text = (files(__package__) / "tasks" / "tones" / "tracks.csv").read_text(encoding="utf-8")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tracks.csv").write_text(text, encoding="utf-8")
    time = np.arange(SAMPLE_RATE // 4) / SAMPLE_RATE
    for number, row in enumerate(csv.DictReader(text.splitlines())):
        frequency = 440 * 2 ** ((int(row["label"]) - 69) / 12)
        noise = np.random.default_rng(number).standard_normal(len(time))
        path = folder / row["path"]
        path.parent.mkdir(exist_ok=True)
        soundfile.write(
            path, 0.3 * np.sin(2 * np.pi * frequency * time) + 0.01 * noise, SAMPLE_RATE
        )


if __name__ == "__main__":
    generate(Path(sys.argv[1]))
