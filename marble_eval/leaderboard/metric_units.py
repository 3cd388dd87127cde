"""In which unit the tables give a metric: shares in percent, as the papers print them."""

from __future__ import annotations

# Metrics whose best value is 1; every other one but SDR stays as it was computed.
_SHARES = frozenset(
    {
        "accuracy",
        "average_precision",
        "chroma_accuracy",
        "macro_f1",
        "majmin",
        "mirex_score",
        "r2",
        "roc_auc",
        "root",
        "weighted_score",
    }
)
# How the names of others begin: of a dimension, of beats, of notes, of frames.
_SHARE_STEMS = ("beat_", "downbeat_", "frame_", "note_", "r2_")
_DECIMALS = 4


def metric_unit(metric: str) -> str:
    """Say in which unit the tables give a metric.

    Parameters
    ----------
    metric : str
        Name of the metric.

    Returns
    -------
    str
        "percent" for shares (a stored 0.748 is given as 74.8), "dB" for
        signal-to-distortion ratios, "1" for any other, given as it is stored.

    Examples
    --------
    >>> metric_unit("accuracy"), metric_unit("sdr_vocals"), metric_unit("tempo_error")
    ('percent', 'dB', '1')
    """
    is_share = metric in _SHARES or metric.startswith(_SHARE_STEMS)
    if is_share or metric.removesuffix("_by_recording") in _SHARES:
        return "percent"
    return "dB" if metric.startswith("sdr_") else "1"


def in_unit(value: float, unit: str) -> float:
    """Give a stored score in the unit of the tables.

    Parameters
    ----------
    value : float
        As the metric gives it: accuracy as a share.
    unit : str
        What `metric_unit` says.

    Returns
    -------
    float
        Rounded to four decimals; never -0.0.

    Examples
    --------
    >>> in_unit(0.748276, "percent"), in_unit(-0.00000001, "1")
    (74.8276, 0.0)
    """
    # Adding 0.0 turns -0.0 into 0.0.
    return round(value * (100 if unit == "percent" else 1), _DECIMALS) + 0.0
