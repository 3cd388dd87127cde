"""One file over HTTP: resumed where it stopped, and accepted only if its digest matches.

Range and If-Range (RFC 9110, 13.1.5 and 14) resume; a server that ignores them or has another
version restarts the file and never appends to it. Lost connections are retried with growing
pauses while they make progress. Proxies come from the environment.
"""

from __future__ import annotations

import http.client
import re
import ssl
import time
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path
from typing import TYPE_CHECKING

from marble_eval import __version__
from marble_eval.data.downloads.partial_file import PartialFile, Version, held_file
from marble_eval.data.downloads.receipts import digest_like
from marble_eval.data.downloads.space import require_space, spelled, unwritable
from marble_eval.errors import MissingError, ValidationError
from marble_eval.files.home import is_offline

if TYPE_CHECKING:
    from marble_eval.progress import Progress
    from marble_eval.spec import Download

_TIMEOUT = 60.0  # seconds without a byte
_PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)  # seconds, between tries that bring nothing new
_UNANSWERED = 3  # of them, for a host that never answered
_PATIENCE = 120.0  # seconds: the longest Retry-After that is waited for
_BLOCK = 1 << 20  # bytes; this much more than ever before is something new
_MEGABYTE = 10**6
_PASSING = {408, 425, 429, 500, 502, 503, 504}  # states of a server that may pass


class _Interrupted(Exception):
    """The transfer stopped, and a retry may succeed."""

    def __init__(self, why: str, *, answered: bool = True, pause: float = 0.0) -> None:
        super().__init__(why)
        self.answered, self.pause = answered, pause


def fetch(download: Download, target: Path, progress: Progress) -> Path:
    """Fetch a file unless it is there, and verify its digest in either case."""
    try:
        if target.exists():
            return _the_published(target, download, progress)
        if is_offline():
            raise MissingError(
                f"{target}: is not here, and HF_HUB_OFFLINE forbids fetching it. "
                f"{_by_hand(download, target)}."
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        with held_file(target, progress) as part:
            if target.exists():  # another process was faster
                return _the_published(target, download, progress)
            _complete(download, part, progress)
            _check(download, part, progress)
            part.finish()
    except OSError as error:  # those of the network have become MissingError
        kept = "What has come is kept, and the same command goes on with it."
        raise unwritable(error, target.parent, kept) from error
    return target


def _the_published(target: Path, download: Download, progress: Progress) -> Path:
    found = _digest(target, download, progress)
    if found != download.digest:
        raise ValidationError(
            f"{target}: must be the published file, {download.digest}. Got {found}. "
            f"Move it away, and the published one is fetched."
        )
    return target


def _check(download: Download, part: PartialFile, progress: Progress) -> None:
    found = _digest(part.path, download, progress)
    if found == download.digest:
        return
    with part.path.open("rb") as stream:
        is_page = re.match(rb"\s*<(!doctype|html)", stream.read(64), re.IGNORECASE)
    part.discard()
    raise ValidationError(
        f"{download.address}: must be the published file, {download.digest}. Got "
        f"{'a web page, ' if is_page else ''}{found}; it was removed. Run it again to fetch it "
        f"from the beginning; if that ends so too, what is published there has changed."
    )


def _digest(path: Path, download: Download, progress: Progress) -> str:
    if path.stat().st_size > 500 * _MEGABYTE:  # a second or more
        progress.say(f"{path}: checking its digest.")
    return digest_like(path, download.digest)


def _complete(download: Download, part: PartialFile, progress: Progress) -> None:
    """Request until the file is complete, or retries bring nothing new."""
    if part.version is None or part.version[:2] != (download.address, download.digest):
        part.clear()
    most, tries, answered = part.size, 0, False
    while True:
        try:
            _ask(download, part, progress)
            return
        except _Interrupted as error:
            answered |= error.answered
            if part.size >= most + _BLOCK:
                most, tries = part.size, 0
            pauses = _PAUSES if answered else _PAUSES[:_UNANSWERED]
            if tries == len(pauses):
                kept = f"{spelled(part.size)} are kept and continued next time. "
                raise MissingError(
                    f"{download.address}: cannot be fetched: {error}, after {tries + 1} tries. "
                    f"{kept if part.size else ''}{_by_hand(download, part.target)}."
                ) from error
            pause = max(pauses[tries], error.pause)
            tries += 1
            progress.say(f"{part.target.name}: {error}. Again in {pause:g} s.")
            time.sleep(pause)


def _ask(download: Download, part: PartialFile, progress: Progress) -> None:
    """Send one request and store the reply; return once the file is complete."""
    headers = {"User-Agent": f"marble-eval/{__version__}", "Accept-Encoding": "identity"}
    if part.size:
        headers["Range"] = f"bytes={part.size}-"
        if part.version is not None and part.version.mark:
            headers["If-Range"] = part.version.mark
    try:
        request = urllib.request.Request(download.address, headers=headers)
        # A new one each time: the shared one keeps the proxies it first saw.
        reply = urllib.request.build_opener().open(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416 and part.size:
                _settle_unsatisfiable(error.headers, part)
                return
            why = _why(f"HTTP {error.code} {error.reason}")
            if error.code in _PASSING:
                raise _Interrupted(why, pause=_asked_pause(error.headers)) from error
            raise _unfetchable(download, part, why) from error
    except (http.client.InvalidURL, ValueError) as error:
        raise _unfetchable(download, part, str(error)) from error
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise _unfetchable(download, part, str(reason)) from error
        raise _Interrupted(_why(reason), answered=False) from error
    with reply:
        if not isinstance(reply, http.client.HTTPResponse) or reply.status not in (200, 206):
            raise _unfetchable(download, part, f"got {reply.status}, not a file")
        _receive(reply, download, part, progress)


def _receive(
    reply: http.client.HTTPResponse, download: Download, part: PartialFile, progress: Progress
) -> None:
    name, here = part.target.name, part.size
    mark = _mark(reply.headers)
    if reply.status == 206:
        start, total = _range(reply.headers)
        known = part.version
        if (
            known is None
            or start != here
            or _differ(mark, known.mark)
            or _differ(total, known.total)
        ):
            part.clear()
            raise _Interrupted("another version is published by now; from the beginning")
        total = total or known.total
    else:
        total = _number(reply.headers["Content-Length"])
        if here:
            progress.say(f"{name}: the server sends it from the beginning.")
        part.begin(Version(download.address, download.digest, mark, total))
    size = total or download.bytes or 0
    require_space(part.path.parent, max(0, size - part.size), f"the rest of {name}")
    told = part.size // _MEGABYTE
    progress.begin(f"{name} (MB)", size // _MEGABYTE)
    try:
        progress.advance(told)
        while block := _read(reply):
            part.append(block)
            progress.advance(part.size // _MEGABYTE - told)
            told = part.size // _MEGABYTE
    finally:
        progress.end()
    if total is not None and part.size < total:
        raise _Interrupted(f"the connection ended after {part.size} of {total} bytes")


def _read(reply: http.client.HTTPResponse) -> bytes:
    try:
        return reply.read1(_BLOCK)  # what is there by now, so that little is lost
    except (http.client.HTTPException, OSError) as error:
        raise _Interrupted(_why(error)) from error


def _settle_unsatisfiable(headers: Message, part: PartialFile) -> None:
    """Accept a partial file that is in fact complete; empty one that is too long."""
    found = re.fullmatch(r"bytes \*/(\d+)", headers["Content-Range"] or "")
    if found is None or int(found[1]) != part.size:
        part.clear()
        raise _Interrupted("the file is shorter than what has come of it; from the beginning")


def _mark(headers: Message) -> str:
    """Return the validator of the version; a weak ETag is none (RFC 9110, 13.1.5)."""
    tag = headers["ETag"] or ""
    return tag if tag.startswith('"') else headers["Last-Modified"] or ""


def _range(headers: Message) -> tuple[int | None, int | None]:
    """Return where the bytes start, and the total size."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers["Content-Range"] or "")
    return (None, None) if found is None else (int(found[1]), _number(found[2]))


def _differ(mine: str | int | None, theirs: str | int | None) -> bool:
    """Check whether both are known and differ."""
    return bool(mine) and bool(theirs) and mine != theirs


def _number(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"\d+", text) else None


def _asked_pause(headers: Message) -> float:
    return min(float(_number(headers["Retry-After"]) or 0), _PATIENCE)


def _why(error: object) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _unfetchable(download: Download, part: PartialFile, why: str) -> MissingError:
    return MissingError(
        f"{download.address}: cannot be fetched: {why}. {_by_hand(download, part.target)}."
    )


def _by_hand(download: Download, target: Path) -> str:
    return f"If you can get it otherwise, put it at {target}; from {download.address}"
