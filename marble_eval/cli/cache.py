"""`marble-eval cache`: what is cached, whether it is intact, and room again."""

from __future__ import annotations

import json
import shutil
import sys
import time
from typing import TYPE_CHECKING, Any

from marble_eval.cli.arguments import Arguments
from marble_eval.errors import MarbleError, SpecError, near_misses
from marble_eval.features.stores import open_store
from marble_eval.files.home import home_folder

if TYPE_CHECKING:
    from pathlib import Path

    from marble_eval.features.stores import Store

HELP = """\
marble-eval cache: list, verify or prune cached features

usage: marble-eval cache ls [--json]
       marble-eval cache verify [--json]
       marble-eval cache prune (FINGERPRINT ... | --days N | --all)

  ls       every store: encoder, clips or tracks and frames, bytes, days since it was last written
  verify   check every record against its checksum; exit 4 if one is damaged
           (damaged records are computed again when they are next needed)
  prune    delete stores by fingerprint (its first digits are enough), those not
           written for N days, or all of them; the last two hold for the annotations
           remembered from slow files (MIDI) as well

examples:
  marble-eval cache ls
  marble-eval cache verify
  marble-eval cache prune 3f2a9c
  marble-eval cache prune --days 30
"""

_SECONDS_A_DAY = 86400
_COUNTED = ("clips", "tracks", "frames")


def main(argv: list[str]) -> int:
    """List, verify or prune."""
    actions = {"ls": _list, "verify": _verify, "prune": _prune}
    action = argv[0] if argv else ""
    if action not in actions:
        raise SpecError(
            f"marble-eval cache: no such action {action!r}. {near_misses(action, actions)}"
        )
    return actions[action](argv[1:])


def _folders() -> list[Path]:
    root = home_folder() / "features"
    return sorted(each for each in root.iterdir() if each.is_dir()) if root.is_dir() else []


def _opened() -> list[tuple[Path, Store]]:
    """Open every store; one that cannot be opened is named, and the others go on."""
    opened = []
    for folder in _folders():
        try:
            opened.append((folder, open_store(folder)))
        except MarbleError as error:
            sys.stderr.write(f"marble-eval: {error}\n")
    return opened


def _facts(folder: Path, store: Store) -> dict[str, Any]:
    about = store.describe()
    return {
        "fingerprint": folder.name,
        "encoder": about.get("name", "?"),
        "dtype": about["dtype"],
        "layers": about["layers"],
        "width": about["width"],
        **store.contents(),
        "bytes": store.data_bytes(),
        "days": _age(folder),
    }


def _list(argv: list[str]) -> int:
    parser = Arguments("cache ls")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    stores = [_facts(folder, store) for folder, store in _opened()]
    if options.json:
        sys.stdout.write(json.dumps(stores, indent=1) + "\n")
        return 0
    for each in stores:
        held = ", ".join(f"{each[name]} {name}" for name in _COUNTED if name in each)
        sys.stdout.write(
            f"{each['fingerprint'][:12]}  {each['encoder']:<20}  {held:>24}  "
            f"{each['bytes'] / 1e6:>10.1f} MB  {each['days']:>5.1f} days  "
            f"{each['layers']} × {each['width']} {each['dtype']}\n"
        )
    remembered = _remembered()
    if remembered:
        megabytes = sum(each.stat().st_size for each in remembered) / 1e6
        sys.stdout.write(f"annotations of {len(remembered)} files, {megabytes:.1f} MB\n")
    total = sum(each["bytes"] for each in stores)
    sys.stdout.write(f"{len(stores)} stores, {total / 1e6:.1f} MB, in {home_folder()}\n")
    return 0


def _verify(argv: list[str]) -> int:
    parser = Arguments("cache verify")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    checks = [(folder.name, store.verify()) for folder, store in _opened()]
    damaged = sum(check.damaged for _, check in checks)
    unread = len(_folders()) - len(checks)
    if options.json:
        facts = [
            {"fingerprint": name, "records": each.records, "damaged": each.damaged}
            for name, each in checks
        ]
        sys.stdout.write(json.dumps(facts, indent=1) + "\n")
    else:
        for name, each in checks:
            state = "ok" if not each.damaged else f"{each.damaged} DAMAGED"
            sys.stdout.write(f"{name[:12]}  {each.records:>8} records  {state}\n")
        sys.stdout.write(f"{damaged} damaged records in {len(checks)} stores\n")
    return 4 if damaged or unread else 0


def _prune(argv: list[str]) -> int:
    parser = Arguments("cache prune")
    parser.add_argument("fingerprints", nargs="*")
    parser.add_argument("--days", type=float)
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args(argv)
    if not (options.fingerprints or options.days is not None or options.all):
        raise SpecError("marble-eval cache prune: say what: FINGERPRINT ..., --days N or --all.")
    folders = _folders()
    for wanted in options.fingerprints:
        if not any(each.name.startswith(wanted) for each in folders):
            raise SpecError(f"marble-eval cache prune: no store begins with {wanted!r}.")
    freed = gone = 0
    for each in folders:
        named = any(each.name.startswith(wanted) for wanted in options.fingerprints)
        if options.all or named or (options.days is not None and _age(each) > options.days):
            freed += sum(file.stat().st_size for file in each.rglob("*") if file.is_file())
            shutil.rmtree(each)
            gone += 1
    sys.stdout.write(f"deleted {gone} stores, {freed / 1e6:.1f} MB\n")
    old = [
        each
        for each in _remembered()
        if options.all or (options.days is not None and _days_since(each) > options.days)
    ]
    for each in old:
        each.unlink(missing_ok=True)
    if old:
        sys.stdout.write(f"forgot the annotations of {len(old)} files\n")
    return 0


def _remembered() -> list[Path]:
    """List the annotations that were read from slow files."""
    return [each for each in (home_folder() / "annotations").rglob("*") if each.is_file()]


def _age(folder: Path) -> float:
    """Return the days since features were last written."""
    data = [*folder.glob("data.bin"), *folder.glob("??/*.frames")]
    return min(_days_since(each) for each in data or [folder])


def _days_since(path: Path) -> float:
    return (time.time() - path.stat().st_mtime) / _SECONDS_A_DAY
