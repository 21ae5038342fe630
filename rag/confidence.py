"""Candidate sentences in, the probability out that the documents answer the question.

A logistic model over features that do not depend on the size of the library; `eval.fit` writes
its weights from the dev split of the question set.
"""

import json
import math
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from rag.select import Candidate

UNFIT = 0.4  # of the confidence is left where no sentence holds the kind of answer asked for

FEATURES = (
    "chunk",
    "own",
    "context",
    "soft",
    "soft_context",
    "cosine_context",
    "wanted",
    "unit",
    "place",
    "year",
    "overlap",
    "focus",
    "present",  # 1 - the weight of the one word that is farthest from chunk and titles
    "best_soft",  # the best of any candidate: what no sentence has, the documents do not say
    "best_cosine",
    "agreement",  # share of the five best hits that lie in the same case
)


def features(found: Sequence[Candidate]) -> list[float]:
    """The features of the best candidate, in the order of FEATURES."""
    values = [found[0].feature(name) for name in FEATURES[:-4]]
    present = 1 - found[0].feature("missing")
    best = [max(c.feature(name) for c in found) for name in ("soft_context", "cosine_context")]
    return [*values, present, *best, agreement(found)]


def agreement(found: Sequence[Candidate]) -> float:
    """Share of the five best hits that lie in the case (or document) of the best candidate."""
    places = {c.hit.rank: (c.hit.chunk.document_id, c.hit.chunk.case) for c in found}
    first = (found[0].hit.chunk.document_id, found[0].hit.chunk.case)
    top = [places[rank] for rank in sorted(places)[:5]]
    return sum(place == first for place in top) / 5


def confidence(found: Sequence[Candidate]) -> float:
    """Probability, 0 to 1, that the best sentence answers the question."""
    if not found:
        return 0.0
    weights = _weights()
    total = weights["bias"] + sum(
        weights[name] * value for name, value in zip(FEATURES, features(found), strict=True)
    )
    sure = 1 / (1 + math.exp(-total))
    return sure if found[0].fits else UNFIT * sure


@cache
def _weights() -> dict[str, float]:
    fitted = json.loads((files("rag") / "weights.json").read_text("utf-8")).get("refusal", {})
    return {name: float(fitted.get(name, 0.0)) for name in (*FEATURES, "bias")}
