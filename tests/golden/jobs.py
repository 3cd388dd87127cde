"""What one tree is asked to do in a golden run; only names that users have are used."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import marble_eval
from marble_eval.cli import main as command_line

EMBEDDED = (
    "EmbeddedInstrument",
    "EmbeddedKey",
    "EmbeddedPitch",
    "EmbeddedTagging",
    "EmbeddedGenre",
    "EmbeddedRecipe",
)
#: Encoders that need no download, and options of each.
ENCODERS: dict[str, tuple[str, dict[str, object]]] = {
    "mel": ("mel", {}),
    "mel-64": ("mel", {"n_mels": 64}),
    "mfcc": ("mfcc", {}),
    "cqt": ("cqt", {}),
    "chroma": ("chroma", {}),
    "mert-random-small": ("mert-random", {"size": "small"}),
    "mert-random-95M": ("mert-random", {"size": "95M"}),
}


def fingerprints() -> dict[str, str]:
    """Name what identifies each encoder's features."""
    return {
        label: marble_eval.load_encoder(name, **options).fingerprint()
        for label, (name, options) in ENCODERS.items()
    }


def run(inputs: Path, results: Path) -> None:
    """Evaluate the encoders on embedded tasks, a GTZAN-shaped folder and own data."""
    encoders = [
        marble_eval.load_encoder(name, **options)
        for name, options in (ENCODERS[each] for each in ("mel", "chroma", "mert-random-small"))
    ]
    for encoder in encoders:
        for task in EMBEDDED:
            marble_eval.evaluate(encoder, task, protocol="quick", results=results / "embedded")
    marble_eval.evaluate(
        encoders[0], "GTZAN", root=inputs / "gtzan", protocol="quick", results=results / "own"
    )
    for folder in sorted(each for each in inputs.iterdir() if (each / "task.yaml").exists()):
        for encoder in encoders[:2]:
            marble_eval.evaluate(encoder, str(folder), protocol="quick", results=results / "own")
        probe = "linear" if (folder.name != "own_classification") else "logreg"
        marble_eval.evaluate(
            encoders[0], str(folder), protocol="quick", probe=probe, results=results / "own"
        )
    # The protocol as it stands, all rates and seeds, once for clips and once for frames.
    marble_eval.evaluate(encoders[2], "EmbeddedRecipe", results=results / "embedded")
    marble_eval.evaluate(
        encoders[2],
        str(inputs / "short_beat"),
        protocol="quick",
        features={"in_turn": True},
        layers=["1", "2"],
        results=results / "in_turn",
    )


def tables(results: Path, out: Path) -> None:
    """Write every form of the leaderboard, and a submission."""
    for name in ("embedded", "own"):
        folder = out / name
        folder.mkdir(parents=True)
        line = ["leaderboard", str(results / name)]
        for form, ending in (("csv", "csv"), ("md", "md"), ("latex", "tex"), ("json", "json")):
            line += [f"--{form}", str(folder / f"leaderboard.{ending}")]
        for each in [line, ["submit", "build", str(folder / "submission"), str(results / name)]]:
            command_line([*each, *(["--embedded"] if name == "embedded" else [])])
    table = [str(results / "embedded" / name) for name in ("mel", "mert-random-small")]
    command_line(["compare", *table])


def main(inputs: Path, out: Path) -> None:
    """Do everything, and leave it below a folder."""
    (out / "fingerprints.json").write_text(json.dumps(fingerprints(), indent=1))
    run(inputs, out / "results")
    tables(out / "results", out / "tables")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
