"""What is fitted to practice questions: weights that rank, the networks that choose and refuse."""

import os
from functools import partial

import numpy as np
import pytest
from safetensors.numpy import save_file

from eval.fit import by_halves, half_of
from eval.fitting import (
    Passages,
    fit_choice,
    fit_listwise,
    fit_logistic,
    fit_network,
    fit_reread,
)
from eval.parallel import side_by_side
from rag import choice, reread
from rag import confidence as refusal
from rag.choice import asked_for
from rag.questions import read_intent
from rag.reread import best_rows


def _sums(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows whose label the first feature tells, but not by its sign."""
    drawn = np.random.default_rng(0)
    rows = np.zeros((n, len(refusal.FEATURES)))
    rows[:, :3] = drawn.normal(size=(n, 3))
    return rows, (np.abs(rows[:, 0]) > 0.7).astype(float)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    rows, labels = _sums(4_000)
    file = tmp_path_factory.mktemp("fit") / "refusal.safetensors"
    save_file(fit_network(rows, labels, np.ones(len(rows))), file)
    return file, rows, labels


@pytest.fixture
def network(trained, monkeypatch):
    """The rows and labels of a network that is taken for the one of the package."""
    file, rows, labels = trained
    monkeypatch.setattr(refusal, "FILE", file)
    return rows, labels


class _Found:
    def __init__(self, fits: bool, **features: float) -> None:
        self.fits = fits
        self._features = features

    def feature(self, name: str) -> float:
        return self._features.get(name, 0.0)


def test_the_network_learns_what_no_sum_of_features_tells(network, monkeypatch) -> None:
    rows, labels = network
    weights, bias = fit_logistic(rows, labels, np.ones(len(rows)), 0.001, signed=True)
    by_sum = ((rows @ weights + bias > 0) == labels).mean()
    sure = []
    for row in rows[:400]:
        monkeypatch.setattr(refusal, "features", lambda _found, row=row: row.tolist())
        sure.append(refusal.confidence([_Found(True)]))
    assert by_sum < 0.6
    assert ((np.array(sure) > 0.5) == labels[:400]).mean() > 0.85


def test_confidence_falls_where_the_kind_of_answer_is_missing(network, monkeypatch) -> None:
    rows, _ = network
    monkeypatch.setattr(refusal, "features", lambda _found: rows[0].tolist())
    fits, other = (refusal.confidence([_Found(fits)]) for fits in (True, False))
    assert other == pytest.approx(refusal.UNFIT * fits)
    assert refusal.confidence([]) == 0


def test_a_figure_of_the_measure_asked_for_among_the_questions_words_is_no_refusal(
    network, monkeypatch
) -> None:
    rows, labels = network
    doubted = rows[labels == 0][0].tolist()
    monkeypatch.setattr(refusal, "features", lambda _found: doubted)
    assert refusal.confidence([_Found(True, own=0.9)]) < refusal.MEASURED
    assert refusal.confidence([_Found(True, own=0.9, unit=1.0)]) >= refusal.MEASURED
    for other in ({"own": 0.5}, {"place": -1.0}, {"year": -1.0}):
        found = _Found(True, **({"own": 0.9, "unit": 1.0} | other))
        assert refusal.confidence([found]) < refusal.MEASURED


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


def _rivals(n: int, seed: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Sentences of which the one in the middle by the first feature is right: no sum tells it."""
    drawn = np.random.default_rng(seed)
    asked = asked_for(read_intent("深圳有多少家企业?", []))
    groups = []
    for _ in range(n):
        rows = drawn.normal(size=(5, 3))
        groups.append((rows, rows[:, 0] == np.median(rows[:, 0]), asked))
    return groups


def test_the_choice_is_made_by_comparing(tmp_path) -> None:
    intent = read_intent("深圳有多少家企业?", [])
    groups, first = _rivals(1_500, 0), np.zeros(3)
    file = tmp_path / "choice.safetensors"
    save_file(fit_choice(groups, np.ones(len(groups)), first), file)
    right = [
        relevant[choice.chosen(file, intent, rows, rows @ first).argmax()]
        for rows, relevant, _ in _rivals(300, 1)
    ]
    assert np.mean(right) > 0.7  # one in five by chance


def test_sentences_that_are_not_compared_stay_behind(tmp_path) -> None:
    intent = read_intent("深圳有多少家企业?", [])
    drawn = np.random.default_rng(2)
    groups = _rivals(200, 3)
    file = tmp_path / "choice.safetensors"
    save_file(fit_choice(groups, np.ones(len(groups)), np.zeros(3)), file)
    rows, scores = drawn.normal(size=(80, 3)), drawn.normal(size=80)
    found = choice.chosen(file, intent, rows, scores)
    best = choice.judged(scores)
    rest = np.setdiff1d(np.arange(80), best)
    assert len(best) == choice.N_JUDGED
    assert found[rest].max() <= found[best].min()
    assert (np.argsort(found[rest]) == np.argsort(scores[rest])).all()


def _passages(n: int, seed: int) -> list[Passages]:
    """Passages of three sentences; that with the sentence of the highest first feature is right.

    In the other sentences the feature tells nothing, and neither does what is seen of the passages.
    """
    drawn = np.random.default_rng(seed)
    asked = asked_for(read_intent("深圳有多少家企业?", []))
    found = []
    for _ in range(n):
        rows = drawn.normal(size=(18, 2))
        best = np.zeros(18)
        best[::3] = drawn.normal(size=6)
        rows[:, 0] = best
        rows[:, 1] = np.tile([1.0, 0.0, 0.0], 6) + drawn.normal(size=18) / 10
        owners, relevant = np.repeat(np.arange(6), 3), best[::3] == best.max()
        if relevant.any():
            own = drawn.normal(size=(6, 2))
            found.append(Passages("", own, rows, owners, relevant, asked))
    return found


def test_a_passage_is_learnt_to_be_as_good_as_its_best_sentence() -> None:
    weights, network, scores = fit_reread([_passages(400, 0)], np.array([0, 0, 0, 0.1]), 0.01)
    assert set(network) == {
        "mean",
        "scale",
        *(f"{x}_{y}" for x in ("hidden", "out") for y in ("weight", "bias")),
    }
    assert weights[2] > 5 * abs(weights[:2]).max()
    tested = _passages(200, 1)
    right = [
        one.relevant[(best_rows(one.own, one.rows, one.owners, weights) @ weights).argmax()]
        for one in tested
    ]
    assert np.mean(right) > 0.8  # one in six by chance
    assert [len(z) for z in scores] == [6] * len(scores)


def test_what_comes_after_sees_each_question_ranked_by_what_did_not_learn_it(tmp_path) -> None:
    asked = [f"第{n}条何时施行?" for n in range(40)]
    files = [tmp_path / "0.safetensors", tmp_path / "1.safetensors"]
    seen = by_halves(files, asked, str, lambda some: [(one, reread.FILE) for one in some])
    assert sorted(one for one, _ in seen) == sorted(asked)
    assert {file for _, file in seen} == {*files}
    assert all(file == files[half_of(one)] for one, file in seen)
    assert reread.FILE not in files
    assert half_of("深圳的规定,第三条从哪一天起施行?") == half_of("第三条从哪一天起施行?")


def test_pieces_of_work_run_in_fresh_processes_and_keep_their_order() -> None:
    lengths = side_by_side([partial(len, "abc"), partial(len, "a")], workers=2)
    assert lengths == [3, 1]
    pids = side_by_side([os.getpid] * 3, workers=1)
    assert len({*pids, os.getpid()}) == 4


def test_a_piece_that_fails_is_not_passed_over() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        side_by_side([partial(int, "1"), partial(int, "x")], workers=1)
