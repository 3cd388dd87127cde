"""How data lies on disk, and the published lists that say how it is split."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

SPLITS = ("train", "valid", "test")


@dataclass(frozen=True, slots=True)
class Layout:
    """One way in which the data lies on disk; `marble_eval.data.layouts` has a reader for each.

    Attributes
    ----------
    form : {"folders", "jsonl", "table", "pairs", "jamendo", "nsynth", "vocalset"}
        Audio at paths made from the split list's ids; one JSON Lines file for each
        split, as MARBLE v2 has them; one table (CSV or JSON Lines) for all; audio with
        an annotation file for each track; or the data set's own release.
    folder : str
        Where it starts, below the task's root; "." for the root itself.
    path : str
        "folders": pattern of the audio file, with ``{id}`` (an id of the split
        list) and ``{extension}``. "table": the file's name. "pairs": name of a
        track's annotation file, with ``{stem}``, the name of its audio file without
        extension. The others say in their module what it is.
    extensions : tuple of str
        "folders": tried in this order. "pairs": those of audio, in any case.
    files : mapping of str to str
        "jsonl": file of each split.
    label : str
        "jsonl", "table": the field that holds the label. "pairs": the field under
        which the kind is handed the annotation file's name.
    group, recording : str
        "jsonl": the fields that hold them; empty if there is none.
    """

    form: Literal["folders", "jsonl", "table", "pairs", "jamendo", "nsynth", "vocalset"]
    folder: str = "."
    path: str = ""
    extensions: tuple[str, ...] = ()
    files: Mapping[str, str] | None = None
    label: str = "label"
    group: str = ""
    recording: str = ""

    def __post_init__(self) -> None:
        if PurePosixPath(self.folder).is_absolute():
            raise ValueError(f"'folder' must lie below the task's root. Got {self.folder!r}.")
        if self.form == "jsonl":
            if set(self.files or ()) != set(SPLITS):
                raise ValueError(
                    f"'files' must name a file for each of {', '.join(SPLITS)}. Got {self.files!r}."
                )
            return
        if not self.path and self.form in ("folders", "table", "pairs"):
            raise ValueError(f"'path' must be given for the form {self.form!r}. Add it.")
        if not self.extensions and self.form in ("folders", "pairs"):
            raise ValueError(f"'extensions' must be given for the form {self.form!r}. Add them.")
        if self.form == "folders":
            _check_pattern(self.path)
        if self.form == "pairs":
            _check_name(self.path, self.extensions)


def _check_pattern(pattern: str) -> None:
    try:
        names = {name for _, name, _, _ in string.Formatter().parse(pattern) if name is not None}
    except ValueError:  # a brace without its partner
        names = set()
    if "id" not in names or names - {"id", "extension"}:
        raise ValueError(
            f"'path' must hold {{id}}, and nothing else in braces but {{extension}}. "
            f"Got {pattern!r}."
        )


def _check_name(pattern: str, extensions: tuple[str, ...]) -> None:
    rest = pattern.replace("{stem}", "", 1)
    if rest == pattern or any(each in rest for each in "{}/\\"):
        raise ValueError(
            f"'path' must be the name of a file, without folder, and hold {{stem}} once and no "
            f"other braces. Got {pattern!r}."
        )
    dotted = [each for each in extensions if not each or each.startswith(".")]
    if dotted:
        raise ValueError(f"'extensions' must be written without a dot. Got {dotted[0]!r}.")
    suffix = PurePosixPath(pattern).suffix[1:].lower()
    if suffix in ("", *(each.lower() for each in extensions)):
        raise ValueError(
            f"'path' must end with the extension of an annotation file, none of audio. "
            f"Got {pattern!r}."
        )


@dataclass(frozen=True, slots=True)
class SplitList:
    """A published list: the ids of a split, or a table of splits and labels."""

    file: str  # path below the source's address
    sha256: str  # digest of the published bytes, 64 hexadecimal digits in lower case

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ValueError(
                f"'sha256' must be 64 hexadecimal digits in lower case. Got {self.sha256!r}."
            )
