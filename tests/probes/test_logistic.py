"""Logistic regression, against a pipeline put together from scikit-learn alone."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from marble_eval.probes.logistic import LogisticProbe, _all_classes, standardise

WIDTH = 8


def clusters(classes: np.ndarray, seed: int) -> np.ndarray:
    """Draw noisy embeddings, exact in half precision as a cache has them."""
    centres = np.random.default_rng(99).normal(size=(4, WIDTH))
    noise = np.random.default_rng(seed).normal(size=(len(classes), WIDTH))
    return np.asarray(centres[classes] + 2 * noise, np.float16).astype(np.float32)


def classes(clips: int, seed: int, among: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).integers(among, size=clips)


@pytest.mark.parametrize("among", [2, 4])
def test_outputs_are_those_of_a_scikit_learn_pipeline(among: int) -> None:
    known, unknown = classes(80, 0, among), classes(50, 1, among)
    train, test, penalties = clusters(known, 0), clusters(unknown, 1), (0.01, 1.0)
    found = LogisticProbe(penalties).fit(train, known, among)
    for (penalty, outputs, remark), asked in zip(found, penalties, strict=True):
        pipeline = make_pipeline(
            StandardScaler(),
            FunctionTransformer(lambda values: values.clip(-5, 5)),
            LogisticRegression(C=asked, max_iter=2000),
        )
        pipeline.fit(train.astype(float), known)
        assert (penalty, remark) == (asked, "")
        expected = pipeline.predict_log_proba(test.astype(float))
        np.testing.assert_allclose(outputs(test), expected, atol=1e-3)


def test_a_class_without_training_clips_is_never_chosen() -> None:
    some, unknown = classes(60, 0), classes(40, 1)
    known = some[some != 1]
    (fit,) = LogisticProbe((1.0,)).fit(clusters(known, 0), known, 4)
    outputs = fit.outputs(clusters(unknown, 1))
    assert outputs.shape == (40, 4)
    assert np.isfinite(outputs).all()
    assert set(outputs.argmax(1)) == {0, 2, 3}


def test_a_fit_that_runs_out_of_iterations_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marble_eval.probes.logistic._ITERATIONS", 3)
    known = classes(40, 0)
    (fit,) = LogisticProbe((100.0,)).fit(clusters(known, 0), known, 4)
    assert fit.remark == "the fit did not converge"


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
