"""Passages ranked again by their sentences."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load, save_file

from corpus.types import Chunk
from rag import rerank
from rag.questions import read_intent
from rag.reread import FEATURES, FILE, N_READ, best_rows, reread
from rag.select import OF_SENTENCE, Sentences, Span
from rag.types import Hit

INTENT = read_intent("何时上线?", [])
READER = OF_SENTENCE.index("reader")


def _seen(said: list[list[float]], n_seen: int | None = None) -> Sentences:
    """Hits alike but for what the reader says of their sentences; `n_seen` went through step one."""
    hits, spans, rows = [], [], []
    for i, own in enumerate(said):
        start = 100 * i
        chunk = Chunk(
            i + 1, 1, 1, start, start + 3 * len(own), "甲。" * len(own), "文", None, "", ""
        )
        features = tuple(np.zeros(len(rerank.FEATURES)))
        known = n_seen is None or i < n_seen
        hits.append(Hit(i + 1, 0.9 / (i + 1), chunk, features if known else ()))
        for k, value in enumerate(own):
            spans.append(Span(i, start + 3 * k, start + 3 * k + 2, f"{i}甲。"))
            row = np.zeros(len(OF_SENTENCE))
            row[READER] = value
            rows.append(row)
    return Sentences(tuple(hits), tuple(spans), np.array(rows).reshape(-1, len(OF_SENTENCE)))


def test_the_passage_whose_sentence_answers_comes_first() -> None:
    seen = _seen([[-8.0, -8.0], [-8.0, 6.0], [-8.0]])
    assert reread(INTENT, seen).hits[0].chunk.id == 2


def test_a_sentence_goes_with_its_passage() -> None:
    after = reread(INTENT, _seen([[-8.0, -7.0], [-8.0, 6.0], [2.0]]))
    assert [span.text[0] for span in after.spans] == ["1", "1", "2", "0", "0"]
    assert after.rows[:, READER].tolist() == [-8.0, 6.0, 2.0, -8.0, -7.0]


def test_weights_of_other_features_leave_the_order_until_they_are_fitted_anew(
    tmp_path, monkeypatch
) -> None:
    saved = load(FILE.read_bytes())
    file = tmp_path / "reread.safetensors"
    save_file(saved | {"weights": saved["weights"][1:], "mean": saved["mean"][1:]}, file)
    monkeypatch.setattr("rag.reread.FILE", file)
    after = reread(INTENT, _seen([[-8.0], [-9.0], [9.0]]))
    assert [hit.chunk.id for hit in after.hits] == [1, 2, 3]


def test_what_the_first_step_did_not_see_stays_behind() -> None:
    after = reread(INTENT, _seen([[-8.0], [-9.0], [9.0], [9.0]], n_seen=2))
    assert [hit.chunk.id for hit in after.hits] == [1, 2, 3, 4]
    assert reread(INTENT, _seen([[1.0]], n_seen=0)).hits[0].rank == 1
    assert not reread(INTENT, _seen([])).hits


def test_of_a_passages_sentences_that_counts_which_the_weights_prefer() -> None:
    own, rows = np.zeros((2, 1)), np.array([[1.0, 5.0], [2.0, 0.0], [3.0, 3.0]])
    owners = np.array([0, 0, 1])
    assert best_rows(own, rows, owners, np.array([1.0, 1.0, 0.0]))[:, 1:].tolist() == [
        [2, 0],
        [3, 3],
    ]
    assert best_rows(own, rows, owners, np.array([1.0, 0.0, 1.0]))[:, 1:].tolist() == [
        [1, 5],
        [3, 3],
    ]
    alone = best_rows(np.zeros((3, 1)), rows, owners, np.array([1.0, 1.0, 0.0]))
    assert alone[2, 1:].tolist() == [0, 0]  # it has no sentence


said = st.lists(st.lists(st.floats(-20, 20), max_size=4), max_size=N_READ + 5)


@given(said)
def test_no_passage_is_lost_and_scores_fall(said) -> None:
    seen = _seen(said)
    after = reread(INTENT, seen)
    assert sorted(hit.chunk.id for hit in after.hits) == list(range(1, len(said) + 1))
    assert [hit.rank for hit in after.hits] == list(range(1, len(said) + 1))
    scores = [hit.score for hit in after.hits]
    assert scores == sorted(scores, reverse=True)
    for span in after.spans:
        chunk = after.hits[span.hit].chunk
        assert chunk.start <= span.start < span.end <= chunk.end


def test_the_features_of_both_steps_have_names_of_their_own() -> None:
    assert len(set(FEATURES)) == len(FEATURES) == len(rerank.FEATURES) + len(OF_SENTENCE)
