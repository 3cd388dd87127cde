"""`marble-eval encoders`: what can be evaluated, and how to get the weights."""

from __future__ import annotations

import json
import sys
from typing import Any

from marble_eval.cli.arguments import Arguments
from marble_eval.configuration import config_names, read_config
from marble_eval.registry import encoder_names

HELP = """\
marble-eval encoders: the encoders, with licence and how to get the weights

usage: marble-eval encoders [--json]

examples:
  marble-eval encoders
  marble-eval encoders --json
"""


def main(argv: list[str]) -> int:
    """List the encoders."""
    parser = Arguments("encoders")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    facts = [_facts(name) for name in encoder_names()]
    if options.json:
        sys.stdout.write(json.dumps(facts, indent=1) + "\n")
        return 0
    width = max(len(each["name"]) for each in facts)
    for each in facts:
        licence = each["options"].get("licence") or "-"
        sys.stdout.write(f"{each['name']:<{width}}  {each['weights']}  licence: {licence}\n")
    return 0


def _facts(name: str) -> dict[str, Any]:
    if name not in config_names("encoder"):
        return {"name": name, "weights": "from another package", "options": {}}
    values = read_config("encoder", name)
    target = str(values.pop("target"))
    hub = values.get("hub")
    weights = (
        f"hf download {hub} --local-dir DIR, then encoder.path=DIR; or from the hub when it runs"
        if hub
        else "none needed"
    )
    return {"name": name, "weights": weights, "target": target, "options": values}
