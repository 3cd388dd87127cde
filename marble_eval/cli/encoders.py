"""`marble-eval encoders`: what can be evaluated, how to get the weights, and is it sound."""

from __future__ import annotations

import copy
import json
import sys
from dataclasses import asdict
from typing import Any

from marble_eval.cli.arguments import Arguments
from marble_eval.cli.table import brief, table
from marble_eval.errors import ValidationError
from marble_eval.registry import encoder_names
from marble_eval.registry.configuration import config_names, read_config
from marble_eval.spec import EncoderCard, from_mapping

HELP = """\
marble-eval encoders: the encoders, with licence and how to get the weights; check one

usage: marble-eval encoders [--json]
       marble-eval encoders check encoder=NAME [encoder.KEY=VALUE ...]

The list shows parameters, layers, width, sample rate, frames a second, licence of the weights,
and whether they are here. `check` tries an encoder: contract, determinism, batches, padding,
silence and full scale, frame rate, threads, speed; a line each, "ok" or "BAD"; exit 4 if one
is bad.

examples:
  marble-eval encoders
  marble-eval encoders check encoder=mert-v1-330m encoder.path=/models/MERT-v1-330M
  marble-eval encoders check encoder.target=my_package:MyEncoder
"""

_OPEN = "-"


def main(argv: list[str]) -> int:
    """List the encoders, or check one."""
    if argv and argv[0] == "check":
        from marble_eval.cli.jobs import launch

        return launch(_check, argv[1:])
    parser = Arguments("encoders")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    facts = [_facts(name) for name in encoder_names()]
    if options.json:
        sys.stdout.write(json.dumps(facts, indent=1) + "\n")
        return 0
    header = ("encoder", "parameters", "layers", "width", "Hz", "frames/s", "licence", "weights")
    sys.stdout.write(table([header, *(_row(each) for each in facts)]) + "\n")
    return 0


def _facts(name: str) -> dict[str, Any]:
    if name not in config_names("encoder"):
        card = asdict(EncoderCard())
        return {"name": name, "weights": "from another package", "options": {}, "card": card}
    values = read_config("encoder", name)
    target = str(values.pop("target"))
    card = asdict(from_mapping(EncoderCard, values.pop("card"), f"encoder {name}: card"))
    weights = _weights(values, card)
    return {"name": name, "weights": weights, "target": target, "options": values, "card": card}


def _weights(values: dict[str, Any], card: dict[str, Any]) -> str:
    """Say where the weights are, or how to get them."""
    from marble_eval.encoders.checkpoints.hub import is_cached

    hub = values.get("hub")
    if card["source"]:
        return str(card["source"])
    if not hub:
        return "none needed"
    if is_cached(str(hub), values.get("revision")):
        return f"here, in the hub's cache ({hub})"
    return f"from the hub, or hf download {hub} --local-dir DIR and encoder.path=DIR"


def _row(facts: dict[str, Any]) -> tuple[str, ...]:
    card = facts["card"]
    numbers = (card[each] for each in ("layers", "width", "sample_rate", "frame_rate"))
    return (
        str(facts["name"]),
        _OPEN if card["parameters"] is None else _counted(card["parameters"]),
        *(_OPEN if each is None else f"{each:g}" for each in numbers),
        brief(card["licence"]),
        str(facts["weights"]),
    )


def _counted(number: int) -> str:
    """Write a number of weights as people say it."""
    return f"{number / 1e6:.3g} M" if number else "0"


def _check(config: dict[str, Any]) -> int:
    from marble_eval.cli.composed import encoders
    from marble_eval.runs.encoder_check import check

    options, device = config["encoder"], str(config["engine"]["device"])
    seconds = encoders(copy.deepcopy(options), device)
    bad = 0
    for encoder, again in zip(encoders(options, device), seconds, strict=True):
        found = check(encoder, again)
        bad += sum(not each.ok for each in found)
        for each in found:
            sys.stdout.write(f"{'ok  ' if each.ok else 'BAD '} {each.name:<14} {each.said}\n")
    if bad:
        raise ValidationError(
            f"{bad} of the rules above must be kept by an encoder and are not. "
            f"marble_eval/encoders/__init__.py says what an encoder is."
        )
    return 0
