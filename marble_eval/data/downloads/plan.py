"""The plan of a task's downloads, made from the disk alone: no socket, no change.

Files whose names end in .001, .002, … are parts of one archive, unpacked together as a group; any
other download is a group of its own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from marble_eval.data.downloads.partial_file import bytes_here
from marble_eval.data.downloads.receipts import (
    are_there,
    file_receipt,
    read_receipt,
    repository_name,
    unpacked_name,
)
from marble_eval.data.downloads.space import free_bytes, spelled
from marble_eval.errors import SpecError

if TYPE_CHECKING:
    from marble_eval.spec import Download

State = Literal["here", "to unpack", "to check", "partial", "to fetch"]

_PART = re.compile(r"(.+)\.\d{3}")
_LINES = 20  # of a plan's text that name one download each


@dataclass(frozen=True, slots=True)
class Item:
    """One download and its state; "to check" is a file that this package did not fetch."""

    download: Download  # from the task card
    path: Path  # target file; the root for a repository
    state: State
    here_bytes: int  # bytes that have arrived

    @property
    def name(self) -> str:
        """Return the unique name of the download."""
        return self.download.file or self.download.address

    @property
    def missing_bytes(self) -> int | None:
        """Return the bytes still to fetch; None if unknown."""
        if self.state in ("here", "to unpack", "to check"):
            return 0
        if self.download.bytes is None:
            return None
        return max(0, self.download.bytes - self.here_bytes)


@dataclass(frozen=True, slots=True)
class Plan:
    """What remains to be done for a task's downloads."""

    root: Path  # the task's root
    items: tuple[Item, ...]  # in the card's order
    free_bytes: int  # room on the root's disk
    keep_archives: bool = True  # whether archives stay once they are unpacked

    @property
    def groups(self) -> list[tuple[Item, ...]]:
        """Return what is done together: the parts of one archive, in their order."""
        return _groups(self.items)

    @property
    def missing_bytes(self) -> int:
        """Return what is still to come, of those whose size is known."""
        return sum(each.missing_bytes or 0 for each in self.items)

    @property
    def needed_bytes(self) -> int:
        """Return the least room that is needed at any one time.

        What is unpacked counts as much as its archive, since it is no less; parts of
        a divided archive are joined first, which needs as much again.
        """
        used = most = 0
        for group in self.groups:
            size = sum(each.download.bytes or each.here_bytes for each in group)
            used += sum(each.missing_bytes or 0 for each in group)
            most = max(most, used)
            if group[0].download.unpack and any(each.state != "here" for each in group):
                used += size
                most = max(most, used + (size if len(group) > 1 else 0))
                used -= 0 if self.keep_archives else size
        return most

    @property
    def is_done(self) -> bool:
        """Return whether nothing remains to be done."""
        return all(each.state == "here" for each in self.items)

    def facts(self) -> dict[str, Any]:
        """Return the plan as plain data, for JSON."""
        return {
            "root": str(self.root),
            "items": [
                {
                    "address": each.download.address,
                    "path": str(each.path),
                    "state": each.state,
                    "bytes": each.download.bytes,
                    "here_bytes": each.here_bytes,
                    "version": each.download.digest or each.download.revision or None,
                }
                for each in self.items
            ],
            "missing_bytes": self.missing_bytes,
            "needed_bytes": self.needed_bytes,
            "free_bytes": self.free_bytes,
            "keep_archives": self.keep_archives,
        }

    def text(self) -> str:
        """Return the plan as text, a line for each of the first downloads."""
        lines = [_line(each, self.root) for each in self.items[:_LINES]]
        rest = self.items[_LINES:]
        if rest:
            fetched = sum(each.missing_bytes or 0 for each in rest)
            lines.append(f"and {len(rest)} more, {spelled(fetched)} of them to fetch")
        unknown = sum(each.missing_bytes is None for each in self.items)
        sizes = [spelled(self.missing_bytes)] if self.missing_bytes or not unknown else []
        sizes += [f"{unknown} of a size that is not known"] if unknown else []
        lines.append(f"to fetch: {' and '.join(sizes)}")
        needs = f"needs at least {spelled(self.needed_bytes)}, " if self.needed_bytes else ""
        lines.append(f"{needs}{self.root} has {spelled(self.free_bytes)} free")
        return "\n".join(lines)


def survey(downloads: Sequence[Download], root: Path, *, keep_archives: bool = True) -> Plan:
    """Compare a task's downloads with its root, which need not exist, and plan the rest."""
    items = [Item(each, root / each.file, "to fetch", 0) for each in downloads]
    for each, count in Counter(each.name for each in items).items():
        if count > 1:
            raise SpecError(f"'downloads' must have different names. Got {each} {count} times.")
    found: dict[str, Item] = {}
    for group in _groups(items):
        _refuse_gaps(group)
        unpacked = _is_unpacked(group, root)
        for item in group:
            found[item.name] = _looked_at(item.download, root, unpacked)
    ordered = tuple(found[each.name] for each in items)
    return Plan(root, ordered, free_bytes(root), keep_archives)


def whole_of(download: Download) -> str | None:
    """Return the archive that a download is a part of (mp3.zip for mp3.zip.001), else None."""
    divided = _PART.fullmatch(download.file) if download.unpack else None
    return None if divided is None else divided[1]


def _groups(items: Sequence[Item]) -> list[tuple[Item, ...]]:
    """Put the parts of one archive together, in the order of their numbers."""
    groups: dict[str, list[Item]] = {}
    for each in items:
        groups.setdefault(whole_of(each.download) or each.name, []).append(each)
    return [tuple(sorted(each, key=lambda item: item.download.file)) for each in groups.values()]


def _refuse_gaps(group: Sequence[Item]) -> None:
    """Refuse the parts of an archive that do not make one."""
    whole = whole_of(group[0].download)
    names = [each.download.file for each in group]
    if whole and names != [f"{whole}.{number:03d}" for number in range(1, len(names) + 1)]:
        raise SpecError(
            f"'downloads' must have every part of {whole}, from .001 on. Got {', '.join(names)}."
        )
    if len({(each.download.unpack, each.download.into) for each in group}) > 1:
        raise SpecError(f"'downloads' must say the same of every part of {whole}. They differ.")


def _looked_at(download: Download, root: Path, unpacked: bool) -> Item:
    path = root / download.file
    if download.is_repository:
        known = read_receipt(root, repository_name(download))
        right = download.revision in ("", known.get("commit"))
        right = right and are_there(root, known.get("files", ()))
        return Item(download, path, "here" if right else "to fetch", 0)
    if unpacked:
        return Item(download, path, "here", path.stat().st_size if path.is_file() else 0)
    if path.exists():
        checked = read_receipt(root, download.file) == file_receipt(download, path)
        done: State = "to unpack" if download.unpack else "here"
        return Item(download, path, done if checked else "to check", path.stat().st_size)
    here = bytes_here(path, download)
    return Item(download, path, "partial" if here else "to fetch", here)


def _is_unpacked(group: Sequence[Item], root: Path) -> bool:
    download = group[0].download
    if not download.unpack:
        return False
    known = read_receipt(root, unpacked_name(download))
    same = known.get("digests") == [each.download.digest for each in group]
    return same and are_there(root / download.into, known.get("files", ()))


def _line(item: Item, root: Path) -> str:
    """Describe a download: place, state, size, address."""
    size = "size not known" if item.download.bytes is None else spelled(item.download.bytes)
    what = {
        "here": "here",
        "to unpack": "here, to unpack",
        "to check": "here, to check",
        "partial": f"{spelled(item.here_bytes)} of it here",
        "to fetch": "to fetch",
    }[item.state]
    place = item.download.file or str(root)
    return f"{place}: {what}; {size}, {item.download.address}"
