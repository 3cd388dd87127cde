"""Text that people and programs write: tables, annotations, cards.

A file must be a regular one, in UTF-8, with or without a byte order mark. Names are
compared in Unicode's form NFC, since macOS writes "é" as two characters.
"""

from __future__ import annotations

import math
import re
import unicodedata
from pathlib import Path

from marble_eval.files.recognised import instead_of_content, instead_of_file

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_SURROGATE = re.compile("[\ud800-\udfff]")


def content_of(path: Path) -> bytes:
    """Read a regular file whole; a ValueError says why it cannot be read, or what it is instead."""
    try:
        if other := instead_of_file(path):
            raise ValueError(f"{path}: must be a file. Got {other}.")
        content = path.read_bytes()
    except FileNotFoundError:
        raise ValueError(f"{path}: there is no such file.{path_hint(str(path))}") from None
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror or error}.") from None
    if other := instead_of_content(content):
        raise ValueError(f"{path}: is {other}")
    return content


def text_of(path: Path) -> str:
    """Read a text file, without its byte order mark; a ValueError says what it is instead."""
    content = content_of(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ValueError(
            f"{path}, line {line}: must be UTF-8 text. Got {error.reason}. Save it as such."
        ) from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise ValueError(f"{path}, line {line}: must be UTF-8 text. Got a NUL byte.")
    return text


def nfc(text: str) -> str:
    """Return text in the form NFC."""
    return unicodedata.normalize("NFC", text)


def normal(text: str) -> str:
    """Return text like `nfc`; a ValueError names what no text has: NUL, half a surrogate."""
    if "\0" in text or (not text.isascii() and _SURROGATE.search(text)):
        raise ValueError(f"must be Unicode text without NUL. Got {text[:80]!r}.")
    return nfc(text)


def number_of(text: str) -> float:
    """Read a number as files write it; nan if it is none, such as Python's own 1_000."""
    return float(text) if _NUMBER.fullmatch(text.strip()) else math.nan


def found_file(path: Path) -> Path:
    """Return the path as the disk spells it, which may differ in Unicode's form; else as given."""
    if str(path).isascii() or is_there(path):
        return path
    for form in ("NFC", "NFD"):
        other = Path(unicodedata.normalize(form, str(path)))
        if is_there(other):
            return other
    return _spelt_on_disk(path) or path


def is_there(path: Path) -> bool:
    """Say whether there is such a file; no for a name that no file can have."""
    try:
        return path.exists()
    except (OSError, ValueError):  # too long
        return False


def _spelt_on_disk(path: Path) -> Path | None:
    """Find a path whose folders differ among themselves in Unicode's form."""
    here = Path(path.anchor or ".")
    for part in path.parts[1:] if path.anchor else path.parts:
        wanted = nfc(part)
        try:
            alike = [each for each in here.iterdir() if nfc(each.name) == wanted]
        except OSError:
            return None
        same = [each for each in alike if each.name == part] or alike
        if len(same) != 1:
            return None
        here = same[0]
    return here


def path_hint(path: str) -> str:
    """Say what is odd about a path under which nothing was found; empty if nothing is."""
    if "\\" in path or re.match(r"[A-Za-z]:[/\\]", Path(path).as_posix()):
        return r" Paths must be written with /, not with Windows' backslash or drive letter."
    return ""
