"""Evidence in, the probability out that the documents answer the question.

A logistic model over a few features that do not depend on the size of the library; its weights
come from the dev split of the question set (`python -m rag.fit`).
"""

import math
from collections.abc import Sequence

from rag.questions import Intent
from rag.select import Candidate
from rag.types import Hit

BIAS = -3.0
WEIGHTS = {
    "context": 5.0,  # of the best sentence: share of the question in it, its chunk and titles
    "cosine": 3.0,  # of the best sentence with its titles
    "wanted": 0.5,  # it holds the kind of answer asked for
    "place": 1.0,  # 1 if a place that the question names is another one
}


def features(intent: Intent, hits: Sequence[Hit], found: Sequence[Candidate]) -> dict[str, float]:
    """The features of the best sentence, by name."""
    best = found[0]
    return {
        "context": best.coverage,
        "cosine": best.features[5],
        "wanted": best.features[6],
    }


def confidence(intent: Intent, hits: Sequence[Hit], found: Sequence[Candidate]) -> float:
    """Probability, 0 to 1, that the best sentence answers the question."""
    if not found:
        return 0.0
    values = features(intent, hits, found)
    return 1 / (1 + math.exp(-BIAS - sum(WEIGHTS[name] * v for name, v in values.items())))
