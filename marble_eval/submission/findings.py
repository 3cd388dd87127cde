"""What a check of a submission has to say: findings, and a report that holds them all.

A finding names the file, the rule, what was got and what was expected. What a check
could not do is reported too, so that a pass never claims more than was checked.
Submissions come from anybody: text out of them is escaped before it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

_LONGEST = 200  # characters of a value in a message
_NAMED = 5  # names in a list; the others are counted


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that a file breaks; `rule` ends the sentence "FILE: …"."""

    file: str
    rule: str
    got: str
    expected: str

    def __str__(self) -> str:
        return f"{printable(self.file)}: {self.rule}. Got {self.got}, expected {self.expected}."


@dataclass
class Report:
    """The outcome of the checks of one submission; `unchecked` gives files by the reason."""

    submission: str
    results: int = 0
    files: int = 0
    findings: list[Finding] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    unchecked: dict[str, list[str]] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Return whether there is no finding."""
        return not self.findings

    def leave(self, reason: str, file: str) -> None:
        """Say what could not be checked in a file."""
        self.unchecked.setdefault(reason, []).append(file)

    def text(self) -> str:
        """Return the report as lines for a reader.

        Examples
        --------
        >>> print(Report("mine", 2, 9, checked=["checksums"]).text())
        mine: 2 results in 9 files, nothing wrong found
          checked: checksums
        """
        count = len(self.findings)
        verdict = f"{count} finding{'s' * (count != 1)}" if count else "nothing wrong found"
        lines = [
            f"{printable(self.submission)}: {self.results} result{'s' * (self.results != 1)} in "
            f"{self.files} files, {verdict}"
        ]
        lines += [f"  {each}" for each in self.findings]
        lines += [f"  checked: {each}" for each in self.checked]
        for reason, files in self.unchecked.items():
            where = printable(files[0]) if len(files) == 1 else f"{len(files)} results"
            lines.append(f"  not checked in {where}: {reason}")
        return "\n".join(lines)


def shown(value: Any) -> str:
    r"""Show a value from a submission: escaped, and not longer than a message should be.

    Examples
    --------
    >>> shown("bell\a"), shown(0.5), shown(None)
    ("'bell\\x07'", '0.5', 'None')
    """
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def printable(name: str) -> str:
    """Show a file's name as it is, or escaped if a terminal should not see it."""
    return name if name.isprintable() else ascii(name)


def some(names: list[str]) -> str:
    """Show the first few of a list of names, and count the others.

    Examples
    --------
    >>> some(["a", "b"]), some([])
    ("'a', 'b'", 'none')
    """
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(shown(each) for each in names[:_NAMED]) + more if names else "none"
