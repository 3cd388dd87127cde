"""Logistic regression by scikit-learn, as a second read-out without a schedule.

Features are standardised on the training clips and clipped to ±5 standard
deviations: a unit that is nearly dead in training can be huge elsewhere, and one
such unit has thrown a whole split.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from marble_eval.probes.heads import track_means

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

    from marble_eval.probes import ProbeData
    from marble_eval.spec import Aggregation

_CLIP = 5.0  # standard deviations
_ITERATIONS = 2000


def standardise(features: torch.Tensor, of: torch.Tensor) -> torch.Tensor:
    """Standardise features by the statistics of others, and clip them.

    Parameters
    ----------
    features : torch.Tensor [shape=(clip, width)]
        What is standardised.
    of : torch.Tensor [shape=(clip, width)]
        Whose mean and standard deviation are used.

    Returns
    -------
    torch.Tensor [shape=(clip, width), float32]
        Within ±5; a unit that never varies becomes 0.

    Examples
    --------
    >>> standardise(torch.tensor([[9.0]]), torch.tensor([[-1.0], [1.0]])).tolist()
    [[5.0]]
    """
    # Both in one pass: its running mean of a constant is that constant, to the last bit.
    deviation, mean = torch.std_mean(of.float(), dim=0, correction=0)
    safe = torch.where(deviation > 0, deviation, torch.inf)
    return ((features.float() - mean) / safe).clamp_(-_CLIP, _CLIP)


def logistic_outputs(
    train: ProbeData,
    others: Sequence[ProbeData],
    layer: int,
    inverse_penalties: Sequence[float],
    *,
    outputs: int,
    aggregation: Aggregation,
) -> Iterator[tuple[float, bool, list[np.ndarray]]]:
    """Fit one layer with each penalty and predict other splits.

    Parameters
    ----------
    train : ProbeData
        What is fitted; each clip carries its track's class.
    others : sequence of ProbeData
        Splits to predict.
    layer : int
        Position of the layer.
    inverse_penalties : sequence of float
        Values of C, scikit-learn's inverse strength of the L2 penalty.
    outputs : int
        Number of classes.
    aggregation : {"mean-logits", "mean-probabilities"}
        How the outputs of a track's clips become the track's.

    Yields
    ------
    C : float
        The penalty.
    converged : bool
        False if the fit ran into its bound on iterations.
    predictions : list of np.ndarray [shape=(track, class)]
        Outputs for each of ``others``.
    """
    raw = train.features[layer]
    known = standardise(raw, raw).numpy()
    classes = torch.repeat_interleave(train.targets, train.clips).numpy()
    unseen = [standardise(each.features[layer], raw).numpy() for each in others]
    for penalty in inverse_penalties:
        model = LogisticRegression(C=penalty, max_iter=_ITERATIONS)
        with warnings.catch_warnings():
            # Told by the second value instead.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(known, classes)
        predictions = []
        for each, features in zip(others, unseen, strict=True):
            scores = _all_classes(model, features, outputs)
            of_tracks = track_means(scores[None], each.clips, aggregation)
            predictions.append(of_tracks[0].numpy())
        yield penalty, bool(model.n_iter_.max() < _ITERATIONS), predictions


def _all_classes(model: LogisticRegression, features: np.ndarray, outputs: int) -> torch.Tensor:
    """Return log-probabilities; of classes that training lacks, minus infinity's stand-in."""
    logits = torch.as_tensor(model.decision_function(features), dtype=torch.float64)
    if logits.dim() == 1:  # two classes: the second against the first
        logits = torch.stack([torch.zeros_like(logits), logits], dim=1)
    scores = torch.full((len(features), outputs), -1e9, dtype=torch.float64)
    # Not predict_log_proba, which takes the logarithm of what may have become 0.
    scores[:, torch.as_tensor(model.classes_)] = torch.log_softmax(logits, dim=1)
    return scores
