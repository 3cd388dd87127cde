"""Free text for LaTeX: signs that would be commands are escaped, letters beyond ASCII spelt out.

Braces become commands, because BibTeX counts braces even behind a backslash.
"""

from __future__ import annotations

import unicodedata

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


def latex_text(text: str) -> str:
    r"""Escape free text."""
    return spelt_out("".join(_SPECIAL.get(sign, sign) for sign in text))


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
