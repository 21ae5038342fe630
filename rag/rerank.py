"""Candidates of both indexes in, what tells how well each fits the question out.

Lexical, dense and matching features; some depend on how well the words of the question are covered
at all, so that the vectors decide where words fail and the words where they do not. `eval.fit` fits
a linear model over them on dev questions with a listwise loss.
"""

import numpy as np

from corpus.types import Chunk, Home
from rag.match import Array, Matcher, term_and_word_sets, titled

FEATURES = (
    "lexical",  # BM25, relative to the best candidate
    "lexical_share",  # BM25 for each unit of the question's weight
    "dense",  # cosine
    "coverage",  # weighted share of the question's terms in titles and text
    "title",  # the same in the titles alone
    "soft",  # share of the question's words with a near word in titles and text
    "overlap",  # longest common substring with titles and text
    "dense_uncovered",  # dense × how much of the question no candidate covers
    "lexical_covered",  # lexical × how much of it the best candidate covers
    "soft_uncovered",  # soft × how much of it no candidate covers
    "group_dense",  # mean of the three best cosines in the same case (or document)
    "group_lexical",  # the same of the relative BM25
    "length",  # log of the characters: short chunks cover less by chance
)


def features(
    matcher: Matcher, chunks: list[Chunk], lexical: dict[int, float], dense: dict[int, float]
) -> Array:
    """`(n_chunks, n_features)`, columns in the order of FEATURES."""
    texts = [titled(chunk) for chunk in chunks]
    sets = [term_and_word_sets(text) for text in texts]
    coverage = np.array([matcher.coverage(terms) for terms, _ in sets])
    title = np.array([matcher.coverage(term_and_word_sets(c.heading)[0]) for c in chunks])
    soft = matcher.soft_coverage(matcher.nearness([words for _, words in sets]))
    overlap = np.array([matcher.overlap(text) for text in texts])
    bm25 = np.array([lexical.get(c.id, 0.0) for c in chunks])
    cosine = np.array([dense.get(c.id, 0.0) for c in chunks])
    relative = bm25 / (bm25.max() or 1.0)
    covered = coverage.max(initial=0.0)
    return np.stack(
        [
            relative,
            bm25 / (matcher.total or 1.0),
            cosine,
            coverage,
            title,
            soft,
            overlap,
            cosine * (1 - covered),
            relative * covered,
            soft * (1 - covered),
            group_mean(chunks, cosine),
            group_mean(chunks, relative),
            np.log([len(text) + 1 for text in texts]) / 10,
        ],
        axis=1,
    )


def group_mean(chunks: list[Chunk], values: Array, best: int = 3) -> Array:
    """For every chunk the mean of the `best` highest values in its case, or document."""
    groups: dict[Home, list[float]] = {}
    for chunk, value in zip(chunks, values.tolist(), strict=True):
        groups.setdefault(chunk.home, []).append(value)
    means = {key: float(np.mean(sorted(own)[-best:])) for key, own in groups.items()}
    return np.array([means[chunk.home] for chunk in chunks])
