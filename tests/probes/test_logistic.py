"""Logistic regression, against a pipeline put together from scikit-learn alone."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from marble_eval.probes import ProbeData
from marble_eval.probes.logistic import _all_classes, logistic_outputs, standardise

WIDTH = 8


def split(classes: np.ndarray, seed: int) -> ProbeData:
    """Draw two layers of noisy clusters, 1 to 4 clips a track."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 5, len(classes))
    centres = np.random.default_rng(99).normal(size=(4, WIDTH))
    features = centres[np.repeat(classes, counts)] + 2 * rng.normal(size=(2, counts.sum(), WIDTH))
    return ProbeData(
        torch.from_numpy(features).half(), torch.from_numpy(counts), torch.from_numpy(classes)
    )


def classes(tracks: int, seed: int, among: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).integers(among, size=tracks)


@pytest.mark.parametrize("among", [2, 4])
@pytest.mark.parametrize("aggregation", ["mean-logits", "mean-probabilities"])
def test_outputs_are_those_of_a_scikit_learn_pipeline(aggregation: str, among: int) -> None:
    train, test = split(classes(40, 0, among), 0), split(classes(25, 1, among), 1)
    penalties = (0.01, 1.0)
    found = logistic_outputs(
        train,
        [test],
        1,
        penalties,
        outputs=among,
        aggregation=aggregation,  # type: ignore[arg-type]
    )
    for (penalty, converged, (outputs,)), asked in zip(found, penalties, strict=True):
        pipeline = make_pipeline(
            StandardScaler(),
            FunctionTransformer(lambda values: values.clip(-5, 5)),
            LogisticRegression(C=asked, max_iter=2000),
        )
        targets = np.repeat(train.targets.numpy(), train.clips.numpy())
        pipeline.fit(train.features[1].double().numpy(), targets)
        of_clips = pipeline.predict_log_proba(test.features[1].double().numpy())
        if aggregation == "mean-probabilities":
            of_clips = np.exp(of_clips)
        parts = np.split(of_clips, np.cumsum(test.clips.numpy())[:-1])
        assert (penalty, converged) == (asked, True)
        np.testing.assert_allclose(outputs, [each.mean(0) for each in parts], atol=1e-3)


@pytest.mark.parametrize("aggregation", ["mean-logits", "mean-probabilities"])
def test_a_class_without_training_tracks_is_never_chosen(aggregation: str) -> None:
    some = classes(60, 0)
    train, test = split(some[some != 1], 0), split(classes(40, 1), 1)
    ((_, _, (outputs,)),) = logistic_outputs(
        train,
        [test],
        0,
        [1.0],
        outputs=4,
        aggregation=aggregation,  # type: ignore[arg-type]
    )
    assert outputs.shape == (40, 4)
    assert np.isfinite(outputs).all()
    assert set(outputs.argmax(1)) == {0, 2, 3}


def test_a_fit_that_runs_out_of_iterations_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marble_eval.probes.logistic._ITERATIONS", 3)
    train = split(classes(40, 0), 0)
    ((_, converged, _),) = logistic_outputs(
        train, [train], 0, [100.0], outputs=4, aggregation="mean-logits"
    )
    assert not converged


def test_very_sure_clips_do_not_lose_the_order_of_the_classes() -> None:
    model = LogisticRegression()
    model.classes_ = np.arange(3)
    model.coef_, model.intercept_ = np.array([[1000.0], [0.0], [-1000.0]]), np.zeros(3)
    found = _all_classes(model, np.array([[1.0], [-1.0], [-1.0]]), 3)
    # exp(-2000) is 0 in double precision, its logarithm is not: -4000/3, -3000/3, -2000/3.
    np.testing.assert_allclose(found.mean(0), [-4000 / 3, -1000, -2000 / 3])


def test_features_beyond_five_deviations_are_cut_off() -> None:
    known = torch.tensor([[0.0], [2.0], [0.0], [2.0]])  # mean 1, deviation 1
    unseen = torch.tensor([[7.0], [-9.0], [3.5]])
    assert standardise(unseen, known).flatten().tolist() == [5.0, -5.0, 2.5]


@pytest.mark.parametrize("value", [0.0, 0.1, -1234.567, 3e-8])
@pytest.mark.parametrize("kind", [torch.float16, torch.float32])
def test_a_unit_that_never_varies_becomes_nothing(value: float, kind: torch.dtype) -> None:
    known = torch.full((4097, 2), value, dtype=kind)
    known[:, 1] = torch.arange(4097)
    unseen = torch.tensor([[value, 0.0], [value + 100, 4096.0]], dtype=kind)
    for features in (known, unseen):
        found = standardise(features, known)
        assert torch.equal(found[:, 0], torch.zeros(len(features)))
        assert found[:, 1].abs().max() > 1.7


def test_standardising_is_what_scikit_learn_does() -> None:
    rng = np.random.default_rng(0)
    known = torch.from_numpy(rng.normal(3, 7, (200, 5))).half()
    official = StandardScaler().fit(known.double().numpy()).transform(known.double().numpy())
    np.testing.assert_allclose(standardise(known, known).numpy(), official.clip(-5, 5), atol=1e-6)
