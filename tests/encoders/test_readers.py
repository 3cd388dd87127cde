"""The hop of a network that says nothing of it, from how many frames two clips have."""

from __future__ import annotations

import pytest

from marble_eval.encoders.networks.readers import measured_hop


def frames(samples: int, hop: int, reach: int) -> int:
    return (samples - reach) // hop + 1


@pytest.mark.parametrize(
    ("hop", "rate"),
    [
        *((160, 16000), (320, 16000), (384, 16000), (640, 16000), (1280, 16000), (1600, 16000)),
        *((240, 24000), (320, 24000), (960, 24000), (512, 22050), (441, 44100), (480, 48000)),
    ],
)
@pytest.mark.parametrize("reach_in_hops", [0.1, 1.0, 1.24, 2.5])
def test_the_hop_is_found_whatever_the_first_frame_needs(
    hop: int, rate: int, reach_in_hops: float
) -> None:
    reach = round(hop * reach_in_hops)
    more = frames(9 * rate, hop, reach) - frames(rate, hop, reach)
    assert measured_hop(8 * rate, more, rate) == hop
