"""A part of `rag/weights.json` in, the linear model that `python -m eval.fit` fitted out."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from safetensors.numpy import load

from rag.match import Array


@dataclass(frozen=True, slots=True)
class Linear:
    """One weight a feature, and the offset of the logistic score."""

    weights: Array
    bias: float

    def totals(self, rows: Array) -> Array:
        """Log odds `(n,)` of rows `(n, f)`, or of one row `(f,)`."""
        return np.asarray(rows @ self.weights + self.bias)

    def scores(self, rows: Array) -> Array:
        """Probability-like scores, 0 to 1."""
        return logistic(self.totals(rows))


def logistic(totals: Array) -> Array:
    """Log odds in, probabilities out."""
    return np.asarray(1 / (1 + np.exp(-totals)))


@cache
def fitted(part: str, names: tuple[str, ...]) -> Linear:
    """The model of that part; a feature that it was not fitted with counts nothing."""
    found = json.loads((files("rag") / "weights.json").read_text("utf-8")).get(part, {})
    weights = np.array([found.get(name, 0.0) for name in names])
    return Linear(weights, float(found.get("bias", 0.0)))


@cache
def load_linear(file: Path, n: int) -> Linear:
    """The model of a file with `weights` `(n,)` and `bias`.

    All are 0 if it was fitted to other features, until it is fitted anew.
    """
    found = load(file.read_bytes())
    if len(found["weights"]) != n:
        return Linear(np.zeros(n), 0.0)
    return Linear(found["weights"].astype(float), float(found["bias"][0]))
