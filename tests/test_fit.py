"""What is fitted to practice questions: weights that rank, and the network that refuses."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from eval.fit import fit_listwise, fit_network
from rag import confidence as refusal


def _sums(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows whose label the first feature tells, but not by its sign."""
    drawn = np.random.default_rng(0)
    rows = np.zeros((n, len(refusal.FEATURES)))
    rows[:, :3] = drawn.normal(size=(n, 3))
    return rows, (np.abs(rows[:, 0]) > 0.7).astype(float)


@pytest.fixture
def network(tmp_path, monkeypatch):
    rows, labels = _sums(1_500)
    save_file(fit_network(rows, labels, np.ones(len(rows))), tmp_path / "refusal.safetensors")
    monkeypatch.setattr(refusal, "FILE", tmp_path / "refusal.safetensors")
    refusal.network.cache_clear()
    yield rows, labels
    refusal.network.cache_clear()


class _Found:
    def __init__(self, fits: bool) -> None:
        self.fits = fits


def test_confidence_falls_where_the_kind_of_answer_is_missing(network, monkeypatch) -> None:
    rows, _ = network
    monkeypatch.setattr(refusal, "features", lambda _found: rows[0].tolist())
    fits, other = (refusal.confidence([_Found(fits)]) for fits in (True, False))
    assert other == pytest.approx(refusal.UNFIT * fits)
    assert refusal.confidence([]) == 0


def test_the_same_rows_give_the_same_network() -> None:
    rows, labels = _sums(300)
    first, second = (fit_network(rows, labels, np.ones(300)) for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_listwise_weights_rank_the_relevant_row_first() -> None:
    drawn = np.random.default_rng(1)
    groups = []
    for _ in range(60):
        rows = drawn.normal(size=(8, 3))
        groups.append((rows, rows[:, 1] == rows[:, 1].max()))
    weights = fit_listwise([groups], np.zeros(3), 0.01)
    assert weights[1] > 5 * abs(weights[[0, 2]]).max()
