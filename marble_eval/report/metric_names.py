"""Names of metrics as papers write them."""

from __future__ import annotations

_WRITTEN = {
    "20ms": "20 ms",
    "amlt": "AMLt",
    "cmlt": "CMLt",
    "f1": "F1",
    "r2": "R²",
    "roc": "ROC",
    "sdr": "SDR",
}


def written(metric: str) -> str:
    """Write a metric's name out.

    Parameters
    ----------
    metric : str
        As records have it.

    Returns
    -------
    str
        With spaces, and abbreviations as papers write them.

    Examples
    --------
    >>> written("macro_f1"), written("roc_auc"), written("r2_valence"), written("beat_cmlt")
    ('macro F1', 'ROC-AUC', 'R² valence', 'beat CMLt')
    """
    words = [_WRITTEN.get(word, word) for word in metric.split("_")]
    return " ".join(words).replace("ROC auc", "ROC-AUC")
