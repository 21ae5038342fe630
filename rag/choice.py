"""The features of a question's candidate sentences in, scores that tell which of them answers out.

A linear model judges every sentence by itself; the best of them are then judged among each other,
by a network that sees how much each one trails or leads and what is asked for. `eval.fit` trains it
with a softmax over the sentences of a question: differences of scores are log odds.
"""

from importlib.resources import files
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt

from rag.match import Array
from rag.network import load_network
from rag.questions import Intent, Kind, Wants

FILE = Path(str(files("rag") / "choice.safetensors"))
N_JUDGED = 30  # sentences that are judged among each other
_SPREAD = 1e-3  # added to standard deviations, which may be 0


def asked_for(intent: Intent) -> Array:
    """What a question asks for, one number for each kind: 1 or 0."""
    kinds = [intent.kind == kind for kind in get_args(Kind)]
    return np.array([*kinds, *(intent.wants == wants for wants in get_args(Wants))], float)


def among_others(asked: Array, rows: Array) -> Array:
    """What the network sees of sentences with features `(n, f)`: `(n, 3 * f + n_asked)`."""
    behind = rows - rows.max(axis=0)
    spread = (rows - rows.mean(axis=0)) / (rows.std(axis=0) + _SPREAD)
    return np.concatenate([rows, behind, spread, np.tile(asked, (len(rows), 1))], axis=1)


def judged(scores: Array) -> npt.NDArray[np.intp]:
    """The indices of the sentences that are judged among each other, best first."""
    return np.argsort(-scores, kind="stable")[:N_JUDGED]


def chosen(intent: Intent, rows: Array, scores: Array) -> Array:
    """Scores `(n,)` after all sentences were compared; `scores` are those of the linear model."""
    best = judged(scores)
    by_how_much = load_network(FILE).totals(among_others(asked_for(intent), rows[best]))
    found = scores[best] + by_how_much - by_how_much.mean()
    # The others stay behind.
    out = scores - scores[best].min() + found.min()
    out[best] = found
    return np.asarray(out)
