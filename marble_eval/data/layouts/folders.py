"""Audio in folders named by class, with the ids of each split in a published list."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from marble_eval.data.layouts import Reading
from marble_eval.data.text_files import found_file, is_there, normal
from marble_eval.spec import SPLITS, Layout, Track


def read(reading: Reading, layout: Layout) -> list[Track]:
    """Read the tracks of the lists; the first folder of an id is its class.

    ``folder`` may be a pattern, such as ``genres*``; none if no such folder holds any of them.
    """
    for folder in _matching(reading.root, layout.folder):
        if not _holds_audio(folder, layout):
            continue
        ids = {split: ids_of(reading.lists(split)) for split in SPLITS}
        tracks = [
            Track(
                id=name,
                path=_first_existing(folder, layout, name),
                split=split,
                label=reading.label_of(
                    {layout.label: PurePosixPath(name).parts[0]}, layout.label, reading.spec
                ),
                group=name,
            )
            for split in SPLITS
            for name in ids[split]
        ]
        if any(each.path.exists() for each in tracks):
            return tracks
    return []


def ids_of(content: bytes) -> tuple[str, ...]:
    """Read the ids of a published list."""
    lines = (normal(line.strip()) for line in content.decode("utf-8").splitlines())
    return tuple(str(PurePosixPath(line).with_suffix("")) for line in lines if line)


def _holds_audio(folder: Path, layout: Layout) -> bool:
    # "**" enters no linked folder, "*" does: somebody's genres may lie on another disk.
    patterns = [f"{stem}.{each}" for stem in ("*/*", "**/*") for each in layout.extensions]
    return any(True for pattern in patterns for _ in folder.glob(pattern))


def _matching(root: Path, pattern: str) -> list[Path]:
    return [root] if pattern == "." else sorted(p for p in root.glob(pattern) if p.is_dir())


def _first_existing(folder: Path, layout: Layout, name: str) -> Path:
    paths = [
        folder / layout.path.format(id=name, extension=extension) for extension in layout.extensions
    ]
    return next((path for path in map(found_file, paths) if is_there(path)), paths[0])
