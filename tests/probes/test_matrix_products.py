"""The switch to faster products is made only where it is accurate, and always given back."""

from collections.abc import Iterator

import pytest
import torch

from marble_eval.probes import matrix_products
from marble_eval.probes.matrix_products import fast_products

CPU = torch.device("cpu")


@pytest.fixture(autouse=True, params=["highest", "high"])
def _precision(request: pytest.FixtureRequest) -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(request.param)
    yield
    assert torch.get_float32_matmul_precision() == request.param
    torch.set_float32_matmul_precision(before)


def test_the_switch_is_made_and_given_back() -> None:
    before = torch.get_float32_matmul_precision()
    with fast_products(CPU) as made:
        assert torch.get_float32_matmul_precision() == ("medium" if made else before)
    assert torch.get_float32_matmul_precision() == before


def test_the_switch_is_given_back_after_an_error() -> None:
    with pytest.raises(KeyError, match="lost"), fast_products(CPU):
        raise KeyError("lost")


def test_an_inner_block_leaves_the_outer_one_its_switch() -> None:
    with fast_products(CPU) as outer:
        inside = torch.get_float32_matmul_precision()
        with fast_products(CPU) as inner:
            assert inner == outer
        assert torch.get_float32_matmul_precision() == inside


def test_a_processor_on_which_it_costs_accuracy_keeps_its_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = torch.get_float32_matmul_precision()
    monkeypatch.setattr(matrix_products, "_is_accurate", lambda: False)
    with fast_products(CPU) as made:
        assert not made
        assert torch.get_float32_matmul_precision() == before


def test_another_device_is_left_alone() -> None:
    before = torch.get_float32_matmul_precision()
    with fast_products(torch.device("meta")) as made:
        assert not made
        assert torch.get_float32_matmul_precision() == before


def test_products_in_bfloat16_would_not_pass_as_accurate(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = torch.Tensor.__matmul__

    def rounded(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        if left.dtype == torch.float32:
            left, right = left.bfloat16().float(), right.bfloat16().float()
        return whole(left, right)

    assert matrix_products._is_accurate()
    monkeypatch.setattr(torch.Tensor, "__matmul__", rounded)
    assert not matrix_products._is_accurate()


@pytest.mark.parametrize(
    ("rows", "inner", "columns"),
    [(64, 768, 512), (768, 64, 512), (59, 512, 10), (197, 768, 512), (64, 1024, 512)],
)
def test_a_probe_s_products_are_as_accurate_as_in_single_precision(
    rows: int, inner: int, columns: int
) -> None:
    draws = torch.Generator().manual_seed(0)
    left = torch.randn(1, rows, inner, generator=draws)
    right = torch.randn(1, inner, columns, generator=draws)
    exact = torch.bmm(left.double(), right.double())
    with fast_products(CPU):
        fast = torch.bmm(left, right)
    # A product of size sqrt(n) in single precision is off by some 2**-24 of that for every
    # partial sum; in bfloat16 each factor is off by 2**-9 = 2e-3.
    assert (fast - exact).abs().max() < 1e-5 * inner**0.5
