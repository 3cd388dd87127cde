"""Peak picking: the events of an activation without a model of tempo.

Frame i stands for the time i / rate. Fast enough to be asked for every probe of a grid
after every epoch.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.ndimage import maximum_filter1d


def pick_peaks(
    activation: np.ndarray, rate: float, *, threshold: float, distance_seconds: float
) -> np.ndarray:
    """Pick the times, in seconds, of local maxima that are high enough and the largest around.

    A run of equal values counts as one frame at its middle. Before the first frame and after the
    last everything is lower, so a peak may be at either end. Of equal peaks that are too close the
    first is kept. A value is compared with all values around it, as in the peak picking of Böck,
    Krebs and Schedl (ISMIR 2012); `scipy.signal.find_peaks` compares peaks alone, and keeps a peak
    when a larger one next to it has itself been dropped.

    Examples
    --------
    >>> activation = np.array([0.0, 0.9, 0.3, 0.6, 0.1, 0.0, 0.8, 0.8, 0.0])
    >>> pick_peaks(activation, 10, threshold=0.5, distance_seconds=0.2).tolist()
    [0.1, 0.65]
    """
    _check(activation, rate, threshold, distance_seconds)
    if len(activation) == 0:
        return np.empty(0)
    # scipy's filter takes neither half precision nor bool.
    activation = activation.astype(np.result_type(activation, np.float32), copy=False)
    reach = math.floor(distance_seconds * rate + 1e-6)  # frames; 0.07 s at 100 Hz are 7
    starts, ends = _plateaus(activation)
    middles = (starts + ends) // 2
    largest = maximum_filter1d(activation, 2 * reach + 1, mode="nearest")
    heights = activation[middles]
    chosen = (heights >= threshold) & (heights == largest[middles])
    return _apart((starts[chosen] + ends[chosen]) / 2, reach) / rate


def _plateaus(activation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the first and last frames of the runs that are higher than what is beside them."""
    rises = activation[1:] > activation[:-1]
    falls = activation[1:] < activation[:-1]
    changes = np.flatnonzero(rises | falls)
    starts = np.concatenate(([0], changes + 1))
    ends = np.concatenate((changes, [len(activation) - 1]))
    reached = np.concatenate(([True], rises[changes]))
    left = np.concatenate((falls[changes], [True]))
    summits = reached & left
    return starts[summits], ends[summits]


def _apart(frames: np.ndarray, reach: int) -> np.ndarray:
    """Leave out what lies within reach of a frame that is kept; only equal peaks can."""
    if not (np.diff(frames) <= reach).any():
        return frames
    kept: list[float] = []
    for each in frames.tolist():
        if not kept or each - kept[-1] > reach:
            kept.append(each)
    return np.array(kept)


def _check(activation: np.ndarray, rate: float, threshold: float, distance_seconds: float) -> None:
    if activation.ndim != 1:
        raise ValueError(f"activation must have shape (frame,). Got {activation.shape}.")
    if np.isnan(activation).any():
        raise ValueError(f"activation must be numbers. Got {np.isnan(activation).sum()} nan.")
    if not (rate > 0 and math.isfinite(rate)):
        raise ValueError(f"rate must be positive and finite. Got {rate!r}.")
    if math.isnan(threshold):
        raise ValueError(f"threshold must be a number. Got {threshold!r}.")
    if not (distance_seconds >= 0 and math.isfinite(distance_seconds)):
        raise ValueError(
            f"distance_seconds must be finite and not negative. Got {distance_seconds!r}."
        )


def relative_threshold(activation: np.ndarray, share: float, passing: float) -> float:
    """Return from which activation a peak counts where its height is not known beforehand.

    Events are few, so a probe that is not sure is right to give them small probabilities. The
    threshold lies ``share`` of the way up from the floor, the median, to the height of events,
    which a share of ``passing`` frames reach: the largest activation may be a single accent's.
    """
    floor, height = np.quantile(activation, [0.5, 1 - passing])
    return float(floor + share * (height - floor))
