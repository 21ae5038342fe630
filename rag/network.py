"""A file of weights and rows of features in, a number for each row out: one hidden layer."""

from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

import numpy as np
from safetensors.numpy import load

from rag.match import Array

LIMIT = 4.0  # standard deviations beyond which a feature tells nothing more


@dataclass(frozen=True, slots=True)
class Network:
    """What `eval.fitting` trains; several networks that are averaged make one of their units."""

    mean: Array  # (n_features,), of what it was fitted to
    scale: Array  # (n_features,), its standard deviation
    hidden_weight: Array  # (n_hidden, n_features)
    hidden_bias: Array
    out_weight: Array  # (n_hidden,)
    out_bias: Array  # (1,)

    def totals(self, rows: Array) -> Array:
        """A number `(n,)` for each of the rows `(n, n_features)`.

        All are 0 for rows with other features than it was fitted to, until it is fitted anew.
        """
        if rows.shape[1] != len(self.mean):
            return np.zeros(len(rows))
        seen = np.clip((rows - self.mean) / self.scale, -LIMIT, LIMIT)
        hidden = np.tanh(seen @ self.hidden_weight.T + self.hidden_bias)
        return np.asarray(hidden @ self.out_weight + self.out_bias[0])


@cache
def load_network(file: Path) -> Network:
    """The network of a file, which may hold other things beside it."""
    found = load(file.read_bytes())
    return Network(**{one.name: found[one.name].astype(float) for one in fields(Network)})
