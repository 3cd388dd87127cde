r"""Names and other text that somebody else chose: shown without harm, and compared by their looks.

What no reader can see (control and format characters, bidirectional overrides, zero-width signs,
Unicode's default ignorables) is written as an escape, `\u001b`, which JSON reads as the same text.
Look-alikes follow the idea of Unicode TR 39: one script, and a skeleton of how the letters look.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping

# Cc without tab and line feed, Cf, Zl, Zp, lone surrogates, letters and marks that draw nothing.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)
_BREAKS = re.compile(r"[\t\n\r\v\f\x85\u2028\u2029]+")
# Scripts that are written together with Latin letters in names.
_BESIDE_LATIN = frozenset({"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO"})
# Letters of other scripts, small and capital, by the Latin letter or digit they look like.
_LIKE = {
    "a": "аɑα", "b": "ЬВʙΒв", "c": "сϲᴄ", "d": "ԁ", "e": "еҽ℮ΕεЕ", "g": "ɡԍ", "h": "һНΗнհ",
    "i": "іıɩιΙІӏ", "j": "јϳ", "k": "кκΚКĸ", "l": "ⅼΙӀ", "m": "мМΜᴍ", "n": "ոΝпη", "o": "оοՕօσОΟ",
    "p": "рρΡР", "q": "ԛգ", "r": "гᴦ", "s": "ѕՏ", "t": "тτΤТ", "u": "սυ", "v": "ѵνᴠ", "w": "ѡԝωᴡ",
    "x": "хχΧХ", "y": "уүγΥУ", "z": "ᴢΖ", "3": "зЗ", "-": "‐‑‒–—―−﹣ー", "'": "’‘ʼ`´",
}  # fmt: skip
_LOOKS = {ord(sign): latin for latin, signs in _LIKE.items() for sign in signs}
_LOOKS |= {ord(each): "l" for each in "1i|ıіӏ"} | {ord("0"): "o"}


def visible(text: str) -> str:
    """Write what cannot be seen as an escape; line feeds and tabs stay."""
    return _HIDDEN.sub(lambda found: _escape(ord(found.group())), text)


def one_line(text: str) -> str:
    """Put a text on one line: a space for its breaks, escapes for what cannot be seen."""
    return visible(_BREAKS.sub(" ", text))


def _escape(code: int) -> str:
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)  # a pair, as JSON has it
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


def odd_signs(name: str) -> str:
    """Say what of a name cannot be trusted to be what it looks like; empty if nothing."""
    if hidden := _HIDDEN.findall(name.replace("\n", "\x85").replace("\t", "\x85")):
        return f"has signs that cannot be seen ({', '.join(dict.fromkeys(map(_said, hidden)))})"
    if name != " ".join(name.split(" ")).strip() or any(
        each.isspace() and each != " " for each in name
    ):
        return "has spaces that cannot be seen"
    other = [each for each in name if each.isalnum() and not _is_plain(each)]
    if other:
        return f"has forms of other letters ({', '.join(map(_said, dict.fromkeys(other)))})"
    words = list(_words(name))
    latin = any("LATIN" in _scripts(word) for word in words)
    for word in words:
        scripts = dict.fromkeys(_scripts(word))
        disguised = latin and all(ord(sign) in _LOOKS for sign in word)
        if len(scripts) > 1 or (disguised and "LATIN" not in scripts):
            if not _BESIDE_LATIN.issuperset(set(scripts) - {"LATIN"}):
                both = dict.fromkeys([*scripts, "LATIN"] if disguised else scripts)
                return f"mixes letters of several scripts ({', '.join(map(str.title, both))})"
    return ""


def _said(sign: str) -> str:
    return f"U+{ord(sign):04X} {unicodedata.name(sign, 'control character').lower()}"


def _is_plain(sign: str) -> bool:
    return sign == "µ" or unicodedata.normalize("NFKC", sign) == unicodedata.normalize("NFC", sign)


def _words(name: str) -> Iterator[str]:
    """Yield the runs of letters; a Greek letter by itself is a symbol, as in "β-VAE"."""
    for word in re.findall(r"[^\W\d_]+", name):
        if not (len(word) == 1 and unicodedata.name(word, "").startswith(("GREEK", "MICRO"))):
            yield word


def _scripts(word: str) -> list[str]:
    return [unicodedata.name(sign, "UNKNOWN").split(" ")[0] for sign in word]


def skeleton(name: str) -> str:
    """Reduce a name to what it looks like: equal for names that a reader takes for one."""
    seen = _HIDDEN.sub("", unicodedata.normalize("NFKD", name))
    bare = "".join(sign for sign in seen if not unicodedata.combining(sign))
    folded = "".join(bare.split()).translate(_LOOKS).casefold().translate(_LOOKS)
    return folded.replace("rn", "m").replace("vv", "w")


def look_alikes(names: Iterable[str], known: Iterable[str] = ()) -> Mapping[str, str]:
    """Say of each suspicious name why: its odd signs, or another name that looks the same.

    Of names that differ in case alone none is suspicious; a known one never is.
    """
    trusted = set(known)
    first = {skeleton(each): each for each in sorted(trusted, reverse=True)}
    said = {}
    for name in sorted(set(names) - trusted):
        other = first.setdefault(skeleton(name), name)
        if why := odd_signs(name):
            said[name] = why
        elif other.casefold() != name.casefold():
            said[name] = f"looks like {other!r}, which is another name"
    return said
