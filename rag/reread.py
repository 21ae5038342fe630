"""Hits with their sentences in, the hits ranked again out.

A passage is as good as its best sentence: which that is, and by how much it counts beside what the
passage as a whole was ranked by, is learnt together (multiple-instance learning, Andrews et al.
2002). The passages are then compared with each other, as sentences are (`rag.choice`).
"""

from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rag import rerank, select
from rag.choice import chosen
from rag.linear import load_linear, logistic
from rag.match import Array
from rag.questions import Intent
from rag.select import Sentences

FILE = Path(str(files("rag") / "reread.safetensors"))  # a linear model and a network
N_READ = 15  # hits that are ranked again; with 25 they were found no better

FEATURES = (
    *rerank.FEATURES,  # of the passage
    *(f"best_{name}" for name in select.OF_SENTENCE),  # of its best sentence
)


def reread(intent: Intent, seen: Sentences) -> Sentences:
    """The same sentences with the first N_READ of the hits in another order.

    The hits after them stay behind, in their order.
    """
    n = next((i for i, hit in enumerate(seen.hits[:N_READ]) if not hit.features), N_READ)
    near, far = seen.hits[:n], seen.hits[n:]
    if not near:
        return seen
    model = load_linear(FILE, len(FEATURES))
    own = np.array([hit.features for hit in near])
    owners = np.array([span.hit for span in seen.spans], np.int64)
    rows = best_rows(own, seen.rows, owners, model.weights)
    scores = logistic(chosen(FILE, intent, rows, model.totals(rows)))
    order = sorted(range(len(near)), key=lambda i: (-scores[i], near[i].chunk.id))
    share = scores[order[-1]] / (near[-1].score or 1.0)
    scored = [(float(scores[i]), near[i]) for i in order]
    scored += [(float(hit.score * share), hit) for hit in far]
    hits = [replace(hit, rank=i, score=score) for i, (score, hit) in enumerate(scored, 1)]
    place = {old: new for new, old in enumerate(order)}
    spans = [span._replace(hit=place.get(span.hit, span.hit)) for span in seen.spans]
    sentences = sorted(range(len(spans)), key=lambda i: spans[i].hit)
    return Sentences(tuple(hits), tuple(spans[i] for i in sentences), seen.rows[sentences])


def best_rows(own: Array, rows: Array, owners: npt.NDArray[np.int64], weights: Array) -> Array:
    """The features of passages beside those of the sentence of each that these weights prefer.

    Parameters
    ----------
    own
        Features `(n, f)` of the passages.
    rows, owners
        Features `(m, g)` of sentences, and the indices `(m,)` of the passages that they are of;
        those of further passages count nothing.
    weights
        One for each column of the result `(n, f + g)`.
    """
    # What has no sentence is as bad as the worst.
    best = np.tile(rows.min(axis=0, initial=0.0), (len(own), 1))
    totals = rows @ weights[own.shape[1] :]
    for i in np.argsort(totals, kind="stable"):  # the best comes last
        if owners[i] < len(own):
            best[owners[i]] = rows[i]
    return np.concatenate([own, best], axis=1)
