"""Data sets for golden runs: a GTZAN-shaped folder, own data of every kind, short beat tracks.

Run with the older tree, so that both trees read the same files.
"""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
import yaml

RATE = 22050  # Hz
SECONDS = 0.3
BEAT_TRACKS = 8


def write_gtzan(root: Path, card: Path) -> None:
    """Write the 930 tracks of the card's splits as 0.3 s of a tone, in the MARBLE v2 layout."""
    facts = yaml.safe_load(card.read_text())
    rng = np.random.default_rng(0)
    number = dict.fromkeys(facts["labels"], 0)
    time = np.arange(round(SECONDS * RATE)) / RATE
    for split, name in facts["data"][0]["files"].items():
        rows = []
        for at, (label, count) in enumerate(
            zip(facts["labels"], facts["label_counts"][split], strict=True)
        ):
            folder = root / "genres" / label
            folder.mkdir(parents=True, exist_ok=True)
            for _ in range(count):
                number[label] += (label, number[label]) == ("jazz", 54)  # as GTZAN lacks it
                file = folder / f"{label}.{number[label]:05d}.wav"
                number[label] += 1
                tone = np.sin(2 * np.pi * rng.uniform(200, 400) * (1 + at / 3) * time)
                soundfile.write(file, 0.1 * tone + 0.005 * rng.standard_normal(len(time)), RATE)
                rows.append(
                    {"audio_path": f"data/GTZAN/genres/{label}/{file.name}", "label": label}
                )
        (root / name).write_text("\n".join(json.dumps(each) for each in rows) + "\n")


def write_beats(root: Path) -> None:
    """Write the first tracks of EmbeddedBeat as somebody's own data."""
    from marble_eval.embedded.beats import annotation_of, beats
    from marble_eval.embedded.collection import write_collection

    whole = beats()
    some = []
    for split, count in (("train", BEAT_TRACKS // 2), ("valid", 2), ("test", 2)):
        some += [each for each in whole.clips if each.split == split][:count]
    write_collection(root / "music", replace(whole, clips=tuple(some)))
    (root / "task.yaml").write_text("name: ShortBeat\nkind: beat\n")
    with (root / "tracks.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "beats", "split"])
        for each in some:
            times, downbeats = annotation_of(each.recipe)
            name = f"{Path(each.path).stem}.beats"
            lines = [f"{beat:.6f}\t{1 if beat in downbeats else 2}\n" for beat in times]
            (root / name).write_text("".join(lines))
            table.writerow([f"music/{each.path}", name, each.split])


def main(root: Path, card: Path) -> None:
    """Write all inputs below a folder."""
    from marble_eval.cli import main as marble_eval
    from marble_eval.kinds import KINDS

    write_gtzan(root / "gtzan", card)
    (root / "short_beat").mkdir()
    write_beats(root / "short_beat")
    for kind in KINDS:
        marble_eval(["init", "task", str(root / f"own_{kind}"), "--kind", kind])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
