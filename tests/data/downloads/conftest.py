"""A host for every test that wants one, no proxies, and no waiting between tries."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from marble_eval.data.downloads import transfer
from tests.data.downloads.host import Host, running_host


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(transfer, "_PAUSES", (0.01,) * len(transfer._PAUSES))
    with running_host() as found:
        yield found
