"""Evidence in, the probability out that the documents answer the question.

A logistic model over features that do not depend on the size of the library; its weights come
from the dev split of the question set (`python -m rag.fit`).
"""

import math
from collections.abc import Sequence

from rag.select import Candidate

BIAS = -3.0
WEIGHTS = {
    "context": 3.0,
    "soft_context": 3.0,
    "cosine_context": 3.0,
    "wanted": 0.5,
    "unit": 0.3,
    "place": 2.0,
    "year": 1.5,
}


def confidence(found: Sequence[Candidate]) -> float:
    """Probability, 0 to 1, that the best sentence answers the question."""
    if not found:
        return 0.0
    total = BIAS + sum(weight * found[0].feature(name) for name, weight in WEIGHTS.items())
    return 1 / (1 + math.exp(-total))
