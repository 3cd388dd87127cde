"""BibTeX: entries read strictly and written, and free text made safe for it.

Read is what BibTeX itself accepts: `@type{key, field = value, …}`, a value in braces or quotes with
balanced braces, a number or a macro, joined by `#`; text between entries is a comment. In free text
braces become commands, because BibTeX counts them even behind a backslash.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from marble_eval.names import visible

_NAME = re.compile(r"[^\s\"#%'(),={}@]+")
_SPACE = re.compile(r"\s*")
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\textbraceleft{}",
    "}": r"\textbraceright{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    **{sign: f"\\{sign}" for sign in "$&#_%"},
}
# Combining accents of Unicode, and LaTeX's command for each.
_ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u ",
    "\u0307": ".", "\u0308": '"', "\u030a": "r ", "\u030b": "H ", "\u030c": "v ", "\u0327": "c ",
    "\u0328": "k ",
}  # fmt: skip
_LETTERS = {
    "ß": r"{\ss}", "ø": r"{\o}", "Ø": r"{\O}", "ł": r"{\l}", "Ł": r"{\L}", "æ": r"{\ae}",
    "Æ": r"{\AE}", "œ": r"{\oe}", "Œ": r"{\OE}", "ı": r"{\i}", "–": "--", "—": "---", "‘": "`",
    "’": "'", "“": "``", "”": "''", "…": r"{\ldots}", "×": r"{$\times$}", "±": r"{$\pm$}",
    "−": r"{$-$}", "²": r"{$^2$}", "µ": r"{$\mu$}", "°": r"{$^\circ$}", "§": r"{\S}",
    "©": r"{\copyright}", "\u00a0": "~",
}  # fmt: skip


class BibEntry(NamedTuple):
    """An entry; fields are names in lower case with values as written, braces or quotes too."""

    kind: str
    key: str
    fields: tuple[tuple[str, str], ...]

    def value(self, name: str) -> str:
        """Return a field without its outer braces or quotes; empty if there is none."""
        found = dict(self.fields).get(name, "")
        return found[1:-1] if found[:1] in ('"', "{") else found

    def text(self) -> str:
        """Return the entry as BibTeX, a field a line; the same for the same entry."""
        width = max(len(name) for name, _ in self.fields)
        lines = [f"  {name:<{width}} = {value}" for name, value in self.fields]
        return f"@{self.kind}{{{self.key},\n" + ",\n".join(lines) + "\n}"


def parse_entries(text: str) -> list[BibEntry]:
    """Read the entries of a text; signs that cannot be seen become spaces."""
    reader = _Reader("".join(each if visible(each) == each else " " for each in text))
    entries = []
    while reader.skip_to("@"):
        entries.append(_entry(reader))
    return entries


class _Reader:
    """A place in a text."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def skip_to(self, sign: str) -> bool:
        found = self.text.find(sign, self.at)
        self.at = found if found >= 0 else len(self.text)
        return found >= 0

    def take(self, sign: str) -> None:
        if not self.take_if(sign):
            raise self.error(f"{sign!r}")

    def take_if(self, sign: str) -> bool:
        self._skip_space()
        there = self.text.startswith(sign, self.at)
        self.at += len(sign) if there else 0
        return there

    def name(self, what: str) -> str:
        self._skip_space()
        found = _NAME.match(self.text, self.at)
        if found is None:
            raise self.error(what)
        self.at = found.end()
        return found[0]

    def delimited(self) -> str:
        """Take a value in braces or quotes, in which braces balance."""
        closing = "}" if self.text[self.at] == "{" else '"'
        start, depth = self.at, 0
        for at in range(start + 1, len(self.text)):
            sign = self.text[at]
            if sign == closing and depth == 0:
                self.at = at + 1
                return " ".join(self.text[start : self.at].split())
            depth += {"{": 1, "}": -1}.get(sign, 0)
            if depth < 0:
                break
        raise self.error("a value with balanced braces")

    def peek(self) -> str:
        self._skip_space()
        return self.text[self.at : self.at + 1]

    def error(self, wanted: str) -> ValueError:
        line = self.text.count("\n", 0, self.at) + 1
        got = self.text[self.at : self.at + 20]
        return ValueError(f"BibTeX must have {wanted} in line {line}. Got {got!r}.")

    def _skip_space(self) -> None:
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at


def _entry(reader: _Reader) -> BibEntry:
    reader.take("@")
    kind = reader.name("a type of entry").lower()
    reader.take("{")
    key = reader.name("a key")
    fields: dict[str, str] = {}
    while reader.take_if(","):
        if reader.peek() == "}":
            break
        name = reader.name("a field").lower()
        if name in fields:
            raise ValueError(f"BibTeX must have each field once in {key!r}. Got {name!r} twice.")
        reader.take("=")
        fields[name] = _value(reader)
    reader.take("}")
    if not fields:
        raise ValueError(f"BibTeX must have at least one field in {key!r}. Got none.")
    return BibEntry(kind, key, tuple(fields.items()))


def _value(reader: _Reader) -> str:
    parts = []
    while True:
        if reader.peek() in ("{", '"'):
            parts.append(reader.delimited())
        else:
            parts.append(reader.name("a value"))
        if not reader.take_if("#"):
            return " # ".join(parts)


def bibtex_text(text: str) -> str:
    r"""Escape free text."""
    return spelt_out("".join(_SPECIAL.get(sign, sign) for sign in visible(text)))


def spelt_out(text: str) -> str:
    r"""Spell letters beyond ASCII with LaTeX's commands, and leave the rest alone."""
    composed = unicodedata.normalize("NFC", text)
    return "".join(sign if sign.isascii() else _spelt(sign) for sign in composed)


def _spelt(sign: str) -> str:
    if sign in _LETTERS:
        return _LETTERS[sign]
    decomposed = unicodedata.normalize("NFD", sign)
    letter, accents = decomposed[0], decomposed[1:]
    if len(accents) != 1 or accents not in _ACCENTS or not letter.isascii():
        return sign
    dotless = f"\\{letter}" if letter in "ij" else letter  # an accent stands in the dot's place
    accent = _ACCENTS[accents]
    if dotless != letter:
        return f"{{\\{accent.strip()}{{{dotless}}}}}"
    return f"{{\\{accent}{letter}}}"
