"""The features of a question's candidates in, scores that tell which of them answers out.

The candidates are sentences or passages. A linear model judges each by itself; the best of them are
then judged among each other, by a network that sees how much each one trails or leads and what is
asked for. `eval.fit` trains it with a softmax over the candidates of a question: differences of
scores are log odds.
"""

from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt

from rag.match import Array
from rag.network import Network, load_network
from rag.questions import Intent, Kind, Wants

N_JUDGED = 30  # candidates that are judged among each other
_SPREAD = 1e-3  # added to standard deviations, which may be 0


def asked_for(intent: Intent) -> Array:
    """What a question asks for, one number for each kind: 1 or 0."""
    kinds = [intent.kind == kind for kind in get_args(Kind)]
    return np.array([*kinds, *(intent.wants == wants for wants in get_args(Wants))], float)


def among_others(asked: Array, rows: Array) -> Array:
    """What the network sees of candidates with features `(n, f)`: `(n, 3 * f + n_asked)`."""
    behind = rows - rows.max(axis=0)
    spread = (rows - rows.mean(axis=0)) / (rows.std(axis=0) + _SPREAD)
    return np.concatenate([rows, behind, spread, np.tile(asked, (len(rows), 1))], axis=1)


def judged(scores: Array) -> npt.NDArray[np.intp]:
    """The indices of the candidates that are judged among each other, best first."""
    return np.argsort(-scores, kind="stable")[:N_JUDGED]


def chosen(network: Path, intent: Intent, rows: Array, scores: Array) -> Array:
    """Scores `(n,)` after all candidates were compared; `scores` are those of the linear model."""
    return put_right(load_network(network), asked_for(intent), rows, scores)


def put_right(network: Network, asked: Array, rows: Array, scores: Array) -> Array:
    """The scores `(n,)` with what the network adds; `asked` is what the question asks for."""
    best = judged(scores)
    by_how_much = network.totals(among_others(asked, rows[best]))
    found = scores[best] + by_how_much - by_how_much.mean()
    # The others stay behind.
    out = scores - scores[best].min() + found.min()
    out[best] = found
    return np.asarray(out)
