"""Candidate sentences in, the probability out that the documents answer the question.

A network of one hidden layer over features that do not depend on the size of the library;
`eval.fit` trains it on practice questions, many of them near misses. What makes a near miss is not
a sum of features: the words of the question stand all there, and the reader sees no answer.
"""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np

from rag import select
from rag.linear import logistic
from rag.network import load_network
from rag.select import Candidate

FILE = Path(str(files("rag") / "refusal.safetensors"))
MEASURED, NEARLY_ALL = 0.5, 0.75  # the confidence from which share of the question's words
UNFIT = 0.2  # of the confidence is left where no sentence holds the kind of answer asked for

# The highest value that any candidate has: what no sentence has, the documents do not say.
_ANYWHERE = (
    *("own", "context", "cosine", "cosine_context", "soft", "soft_context", "focus", "reader"),
    "overlap",
)
FEATURES = (
    *select.FEATURES,  # of the best candidate
    *(f"any_{name}" for name in _ANYWHERE),
    "score",  # of the best candidate
    "share",  # of it in a softmax over the scores of all
    "agreement",  # share of the five best hits that lie in the same case
    "fits",  # 1: it holds the kind of answer that is asked for
)


def features(found: Sequence[Candidate]) -> list[float]:
    """What the model sees of the candidates, in the order of FEATURES."""
    best = found[0]
    anywhere = [max(c.feature(name) for c in found) for name in _ANYWHERE]
    scores = np.array([c.score for c in found])
    share = float(1 / np.exp(scores - best.score).sum())
    last = [best.score, share, agreement(found), float(best.fits)]
    return [*best.features.tolist(), *anywhere, *last]


def agreement(found: Sequence[Candidate]) -> float:
    """Share of the five best hits that lie in the case (or document) of the best candidate."""
    homes = {c.hit.rank: c.hit.chunk.home for c in found}
    top = [homes[rank] for rank in sorted(homes)[:5]]
    return sum(home == found[0].hit.chunk.home for home in top) / 5


def confidence(found: Sequence[Candidate]) -> float:
    """Probability, 0 to 1, that the best sentence answers the question."""
    if not found:
        return 0.0
    total = load_network(FILE).totals(np.array([features(found)]))[0]
    sure = float(logistic(total))
    if _measured(found[0]):
        sure = max(sure, MEASURED)
    return sure if found[0].fits else UNFIT * sure


def _measured(best: Candidate) -> bool:
    """Whether a sentence has a figure of the measure asked for beside the question's words."""
    fits = best.feature("unit") == 1 and best.feature("place") == best.feature("year") == 0
    return fits and best.feature("own") >= NEARLY_ALL
