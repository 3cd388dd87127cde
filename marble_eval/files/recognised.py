"""What lies in a file's place: another kind of thing, a git-lfs pointer, a web page."""

from __future__ import annotations

import re
import stat
from pathlib import Path

HEAD_BYTES = 512  # of a file, enough for `instead_of_content`
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
_PAGE = re.compile(rb"(?:\s|<!--.*?-->)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S)


def instead_of_file(path: Path) -> str:
    """Say what a path is if no regular file: a FIFO would hang, /dev/zero has no end; else ""."""
    mode = stat.S_IFMT(path.stat().st_mode)
    return "" if mode == stat.S_IFREG else _KINDS.get(mode, "something else")


def instead_of_content(head: bytes) -> str:
    """Say what the first bytes of a file are instead of its content; "" if nothing is known."""
    if head.startswith(b"version https://git-lfs.github.com/spec/"):
        return "a git-lfs pointer, not the file itself. Run: git lfs pull"
    if _PAGE.match(head.removeprefix(b"\xef\xbb\xbf")[:HEAD_BYTES]):
        return "a web page (HTML), saved in the file's place. Get it again."
    return ""
