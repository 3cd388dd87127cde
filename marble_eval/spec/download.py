"""What a task card says of a download: where it is, what it must be, where it goes.

A file over HTTP is always pinned by its digest. A data set repository on the
Hugging Face hub is pinned by a commit, and its files carry digests of their own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

_HUB = r"hf://datasets/[\w.-]+/[\w.-]+"


@dataclass(frozen=True, slots=True)
class Download:
    """One file, or one repository of the hub."""

    address: str  # web address, or ``hf://datasets/<owner>/<name>``
    # Name below the task's root; empty for a repository, which goes to the root. Files that end in
    # .001, .002, … are the parts of one archive.
    file: str = ""
    bytes: int | None = None  # size, for the forecast; None where unknown
    digest: str = ""  # ``sha256:`` or ``md5:`` and hexadecimal digits; empty for a repository
    unpack: Literal["", "zip", "tar"] = ""  # what kind of archive it is
    into: str = "."  # folder below the root in which an archive is unpacked; "." for the root
    revision: str = ""  # of a repository: the commit; empty for the newest
    patterns: tuple[str, ...] = ()  # of a repository: which files; empty for all

    def __post_init__(self) -> None:
        for name in ("file", "into"):
            path = PurePosixPath(getattr(self, name))
            if path.is_absolute() or ".." in path.parts:
                raise ValueError(f"{name!r} must lie below the task's root. Got {str(path)!r}.")
        if self.bytes is not None and self.bytes < 0:
            raise ValueError(f"'bytes' must not be negative. Got {self.bytes!r}.")
        if self.into != "." and not self.unpack:
            raise ValueError(
                f"'into' must be left out for what is not unpacked. Got {self.into!r}."
            )
        if self.is_repository:
            if self.digest or self.file or self.unpack:
                raise ValueError(
                    f"'digest', 'file' and 'unpack' must be empty for {self.address!r}: the "
                    f"files of a repository have their own. Leave them out."
                )
            if not re.fullmatch(r"([0-9a-f]{40})?", self.revision):
                raise ValueError(
                    f"'revision' must be a commit, 40 hexadecimal digits, since a branch moves. "
                    f"Got {self.revision!r}."
                )
            if not all(self.patterns):
                raise ValueError(f"'patterns' must not be empty. Got {self.patterns!r}.")
            return
        if not re.fullmatch(r"https?://[!-~]+", self.address):
            raise ValueError(
                f"'address' must be https://… or http://… without blanks, or "
                f"hf://datasets/<owner>/<name>. Got {self.address!r}."
            )
        if not re.fullmatch(r"sha256:[0-9a-f]{64}|md5:[0-9a-f]{32}", self.digest):
            raise ValueError(
                f"'digest' must be sha256: or md5: and the digits, since {self.address} is "
                f"fetched only if it can be checked. Got {self.digest!r}."
            )
        if not PurePosixPath(self.file).name:
            raise ValueError(f"'file' must be given for {self.address!r}. Add it.")
        if self.revision or self.patterns:
            raise ValueError("'revision' and 'patterns' belong to repositories of the hub.")

    @property
    def is_repository(self) -> bool:
        """Return whether it is a repository of the hub."""
        return re.fullmatch(_HUB, self.address) is not None
