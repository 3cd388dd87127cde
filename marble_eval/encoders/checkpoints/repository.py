"""A checkpoint as transformers saves it: where it lies, what it says, whose code it brings.

It is a folder, or OWNER/NAME on the Hugging Face hub: `config.json`, the extractor's
`preprocessor_config.json`, weights in one of two formats, and a `README.md` whose first
lines state the licence. It may bring Python code, which is run only where the user says
so, and from the hub only at a commit that is named.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

from marble_eval.encoders.checkpoints.folder import CONFIG, PREPROCESSOR, WEIGHTS, read_json, shards
from marble_eval.encoders.checkpoints.hub import Place, located
from marble_eval.errors import MissingError, SpecError
from marble_eval.files.fingerprint import digest_of, file_digest

_README, _PROCESSOR = "README.md", "processor_config.json"
_HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}")


class Repository(NamedTuple):
    """A checkpoint that is here.

    Attributes
    ----------
    folder : Path
        Its files.
    origin : str
        OWNER/NAME on the hub, or the folder's name.
    commit : str or None
        Of the hub's repository; None for a folder.
    config : dict
        Content of ``config.json``.
    preprocessor : dict
        What is said of the extractor; empty if nothing.
    hub : str or None
        OWNER/NAME; None for a folder.
    """

    folder: Path
    origin: str
    commit: str | None
    config: dict[str, Any]
    preprocessor: dict[str, Any]
    hub: str | None

    @property
    def place(self) -> Place:
        """Where it is."""
        return Place(self.folder, self.commit, self.hub)


def open_repository(
    *, name: str, path: str | None, revision: str | None, code: bool, weights: bool
) -> Repository:
    """Find a checkpoint and read what it says of itself."""
    if path is None:
        raise SpecError(
            f"encoder {name}: 'path' must name a folder, or OWNER/NAME on the hub. Got nothing. "
            f"Add encoder.path=facebook/hubert-base-ls960."
        )
    hub = None if Path(path).expanduser().exists() else path
    if hub is None:
        place = located(name=name, path=path, hub=None, revision=revision, wanted=[])
    else:
        place = _fetched(name, hub, revision, code=code, weights=weights)
    config = read_json(place.folder / CONFIG)
    return Repository(
        folder=place.folder,
        origin=hub or place.folder.resolve().name,
        commit=place.commit,
        config=config,
        preprocessor=_preprocessor(place.folder),
        hub=hub,
    )


def _fetched(name: str, hub: str, revision: str | None, *, code: bool, weights: bool) -> Place:
    """Fetch the small files, then one format of weights, from one commit of the hub."""
    if not _HUB_NAME.fullmatch(hub):
        raise MissingError(
            f"{hub}: must be the folder of a checkpoint, or OWNER/NAME on the hub. It is neither."
        )
    if code and not _COMMIT.fullmatch(revision or ""):
        raise SpecError(
            f"encoder {name}: 'revision' must be a commit of 40 hexadecimal digits where code of "
            f"{hub} is to be run. Got {revision!r}. Read the code there, and name its commit."
        )
    indices = [f"{each}.index.json" for each in WEIGHTS]
    wanted = [CONFIG, PREPROCESSOR, _PROCESSOR, _README, *indices, *(["*.py"] if code else [])]
    try:
        place = located(name=name, path=None, hub=hub, revision=revision, wanted=wanted)
        for each in WEIGHTS if weights else ():
            index, files = place.folder / f"{each}.index.json", [each]
            if index.is_file():
                files = shards(index)
            located(name=name, path=None, hub=hub, revision=place.commit, wanted=files)
            if all((place.folder / file).is_file() for file in files):
                break
    except MissingError as error:
        pinned = f" --revision {revision}" if revision else ""
        raise MissingError(
            f"{error} There is no folder {hub!r} here either. Get the checkpoint where there is a "
            f"network, and name its folder:\n  hf download {hub}{pinned} --local-dir DIR\n"
            f"  marble-eval run ... encoder=hf encoder.path=DIR"
        ) from error
    return place


def _preprocessor(folder: Path) -> dict[str, Any]:
    """Read what is said of the extractor; newer files hold it beside a tokenizer."""
    if (folder / PREPROCESSOR).is_file():
        return read_json(folder / PREPROCESSOR)
    if (folder / _PROCESSOR).is_file():
        extractor = read_json(folder / _PROCESSOR).get("feature_extractor")
        return extractor if isinstance(extractor, dict) else {}
    return {}


def remote_code(repository: Repository, *, trusted: bool, known: bool, name: str) -> str | None:
    """Say whose code a checkpoint is run with, refusing what was not asked for."""
    maps = [each.get("auto_map") for each in (repository.config, repository.preprocessor)]
    classes = [str(name) for each in maps if isinstance(each, dict) for name in each.values()]
    if not classes or (known and not trusted):
        return None
    if not trusted:
        pinned = "" if repository.hub is None else f" encoder.revision={repository.commit}"
        raise SpecError(
            f"encoder {name}: {repository.origin} must be a network that transformers has. Got "
            f"{repository.config.get('model_type')!r}, which brings code of its own "
            f"({', '.join(classes)}). Read the code; to run it, add "
            f"encoder.trust_remote_code=true{pinned}."
        )
    if any("--" in each for each in classes):
        raise SpecError(
            f"encoder {name}: the code of {repository.origin} must lie beside its weights, so that "
            f"one commit names both. Got {', '.join(classes)}."
        )
    if repository.hub is not None:  # a folder's Python files may be others than its commit's
        return f"{repository.origin}@{repository.commit}"
    files = sorted(repository.folder.rglob("*.py"))
    digests = [
        [each.relative_to(repository.folder).as_posix(), file_digest(each)] for each in files
    ]
    return f"{repository.origin}@{digest_of(digests)[:12]}"
