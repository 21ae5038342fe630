"""Qrels and a run in, retrieval scores with confidence intervals out.

The measures are those of ir_measures; a query for which nothing was returned scores zero and is
not left out of the mean.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MEASURES = (
    "Success@1",
    "Success@5",
    "Success@10",
    "R@5",
    "R@10",
    "R@100",
    "RR@10",
    "nDCG@10",
    "AP",
)
N_RESAMPLES = 2_000

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Scores:
    """Means by measure, and the values of every query."""

    means: dict[str, Interval]
    by_query: dict[str, dict[str, float]]  # measure → query → value


def common_name(measure: str) -> str:
    """What most papers call a measure: `hit@5` for `Success@5`, `MRR@10` for `RR@10`."""
    for ours, common in (("Success@", "hit@"), ("RR@", "MRR@"), ("R@", "recall@"), ("AP", "MAP")):
        if measure.startswith(ours):
            return common + measure.removeprefix(ours)
    return measure


def score_run(
    qrels: Mapping[str, Sequence[str]],
    run: Mapping[str, Mapping[str, float]],
    measures: Sequence[str] = MEASURES,
) -> Scores:
    """Score a run; all queries of `qrels` count."""
    import ir_measures

    judged = {query: dict.fromkeys(ids, 1) for query, ids in qrels.items()}
    ranked = {query: dict(run.get(query, {})) for query in qrels}
    parsed = [ir_measures.parse_measure(name) for name in measures]
    by_query: dict[str, dict[str, float]] = {m: dict.fromkeys(qrels, 0.0) for m in measures}
    for value in ir_measures.iter_calc(parsed, judged, ranked):
        by_query[str(value.measure)][value.query_id] = float(value.value)
    means = {m: interval(list(values.values())) for m, values in by_query.items()}
    return Scores(means, by_query)


def score_evidence(
    pieces: Mapping[str, Sequence[Sequence[str]]],
    run: Mapping[str, Mapping[str, float]],
    cutoffs: Sequence[int] = (5, 10),
) -> dict[str, dict[str, float]]:
    """Share of each query's pieces of evidence that the first k chunks hold: `R@k` → query → share.

    One chunk may hold several pieces and one piece may run over several chunks, so recall over
    chunks would count neither right; any chunk that holds a part of a piece finds it.

    Parameters
    ----------
    pieces
        Query → for every piece the ids of the chunks that hold a part of it.
    """
    qrels = {(q, i): ids for q, found in pieces.items() for i, ids in enumerate(found)}
    names = {key: f"{n}" for n, key in enumerate(qrels)}
    scores = score_run(
        {names[key]: ids for key, ids in qrels.items()},
        {names[key]: run.get(key[0], {}) for key in qrels},
        [f"Success@{k}" for k in cutoffs],
    )
    result: dict[str, dict[str, float]] = {}
    for k in cutoffs:
        found = scores.by_query[f"Success@{k}"]
        result[f"R@{k}"] = {
            q: float(np.mean([found[names[q, i]] for i in range(len(pieces[q]))]))
            for q in pieces
            if pieces[q]
        }
    return result


def interval(values: Sequence[float], seed: int = 0) -> Interval:
    """The mean of `values` with its 95 % percentile bootstrap interval."""
    if not values:
        return Interval(0.0, 0.0, 0.0)
    data = np.asarray(values, float)
    rng = np.random.default_rng(seed)
    means = data[rng.integers(len(data), size=(N_RESAMPLES, len(data)))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(data.mean()), float(low), float(high))


def paired_p_value(a: Sequence[float], b: Sequence[float], seed: int = 0) -> float:
    """Two-sided p-value of a paired permutation test that two runs score the same."""
    from scipy.stats import permutation_test

    if len(a) != len(b) or np.array_equal(a, b):
        return 1.0
    result = permutation_test(
        (np.asarray(a), np.asarray(b)),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=N_RESAMPLES,
        rng=seed,
    )
    return float(result.pvalue)
