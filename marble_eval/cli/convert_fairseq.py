"""`marble-eval convert-fairseq`: a self-trained MERT or HuBERT as a folder for encoder.path."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from marble_eval.cli.arguments import Arguments
from marble_eval.errors import MarbleError, SpecError

if TYPE_CHECKING:
    from marble_eval.encoders.checkpoints.fairseq import Converted

_FILES = ("config.json", "model.safetensors", "preprocessor_config.json")

HELP = """\
marble-eval convert-fairseq: turn a fairseq checkpoint into a folder that encoder.path takes

usage: marble-eval convert-fairseq CHECKPOINT.pt FOLDER [--sample-rate HZ] [--force]

Neither fairseq nor any code of the checkpoint is run: a file that names code is refused. The
folder holds config.json, preprocessor_config.json and model.safetensors, as MERT is released. It
is a network of your own: name it; a card.yaml beside them states licence and training data.

  --sample-rate  of the training audio, where the checkpoint does not say
  --force        replace such a folder; one that holds anything else is left alone

examples:
  marble-eval convert-fairseq MERT-v1-95M_fairseq.pt out/
  marble-eval run task=GTZAN encoder=mert-v1-95m encoder.path=out/ encoder.name=my-mert
"""


def main(argv: list[str]) -> int:
    """Convert a checkpoint and say what came of it."""
    parser = Arguments("convert-fairseq")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sample-rate", type=int)
    parser.add_argument("--force", action="store_true")
    options = parser.parse_args(argv)
    source, folder = options.checkpoint.expanduser(), options.folder.expanduser()
    try:
        folder = folder.resolve()  # so that "." and a link are replaced in their own place
        _check_free(folder, force=options.force)
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        raise SpecError(f"{folder}: must be a path to write to. Got {error}.") from error
    from safetensors import SafetensorError

    from marble_eval.encoders.checkpoints.fairseq import convert

    converted = convert(source, options.sample_rate)
    try:
        _write(converted, folder)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MarbleError(
            f"{folder}: must be writable. Got: {reason}. Nothing new was kept there."
        ) from error
    shape = converted.shape
    count = sum(weight.numel() for weight in converted.weights.values())
    sys.stdout.write(
        f"{folder}: {shape.num_hidden_layers} layers of {shape.hidden_size}, {count:,} weights, "
        f"{shape.sample_rate} Hz, {shape.sample_rate / shape.hop_samples:g} frames a second\n"
        f"trained on {'normalised waveforms' if converted.normalise else 'waveforms as they are'}\n"
        f"left out, since it serves training alone: {', '.join(converted.left_out) or 'nothing'}\n"
        f"next:\n"
        f"  marble-eval encoders check encoder=mert-v1-95m encoder.path={shlex.quote(str(folder))} "
        f"encoder.name=my-mert{'' if converted.normalise else ' encoder.normalise=false'}\n"
    )
    return 0


def _check_free(folder: Path, *, force: bool) -> None:
    """Refuse a place where anything would be lost."""
    if not folder.exists():
        return
    if not force:
        raise SpecError(f"{folder}: must not be there yet. It is. Name another, or take --force.")
    held = {each.name for each in folder.iterdir()} if folder.is_dir() else {folder.name}
    if strange := sorted(held - set(_FILES)):
        raise SpecError(
            f"{folder}: is replaced only if it holds nothing but {', '.join(_FILES)}. "
            f"Got {strange[0]!r}. Name another."
        )


def _write(converted: Converted, folder: Path) -> None:
    """Write the folder beside its place, so that it is there whole or not at all."""
    from safetensors.torch import save_file

    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        save_file(
            {name: weight.contiguous() for name, weight in converted.weights.items()},
            made / "model.safetensors",
            metadata={"format": "pt"},
        )
        (made / "model.safetensors").chmod(0o644)  # safetensors writes for the owner alone
        rate = converted.shape.sample_rate
        extractor = {
            "feature_extractor_type": "Wav2Vec2FeatureExtractor",
            "feature_size": 1,
            "padding_value": 0.0,
            "do_normalize": converted.normalise,
            "return_attention_mask": converted.shape.feat_extract_norm == "layer",
            "sampling_rate": rate,
        }
        for name, values in (
            ("config.json", converted.config),
            ("preprocessor_config.json", extractor),
        ):
            (made / name).write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
        made.chmod(0o755)
        _put(made, folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _put(made: Path, folder: Path) -> None:
    """Move a folder to its place; what stood there goes only when it has arrived."""
    if not folder.exists():
        made.replace(folder)
        return
    old = made.with_name(f"{made.name}.old")
    folder.replace(old)
    try:
        made.replace(folder)
    except BaseException:
        old.replace(folder)
        raise
    shutil.rmtree(old)
