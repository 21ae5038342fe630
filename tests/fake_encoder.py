"""Small deterministic encoders: the vector of a text is the sum of its characters' vectors."""

import hashlib
from collections.abc import Sequence

import numpy as np


class FakeEncoder:
    def __init__(self, dim: int = 16, name: str = "fake") -> None:
        self.name = name
        self.dim = dim
        self.fingerprint = f"{name}-{dim}"
        self.n_encoded = 0
        self._rows: dict[str, np.ndarray] = {}

    def encode_query(self, texts: Sequence[str]) -> np.ndarray:
        return self.encode_document(texts)

    def encode_document(self, texts: Sequence[str]) -> np.ndarray:
        self.n_encoded += len(texts)
        out = np.zeros((len(texts), self.dim), np.float32)
        for i, text in enumerate(texts):
            for char in text:
                out[i] += self._row(char)
        norms = np.linalg.norm(out, axis=1, keepdims=True)
        return out / np.maximum(norms, 1e-12)

    def _row(self, char: str) -> np.ndarray:
        if char not in self._rows:
            digest = hashlib.sha256(f"{self.name} {char}".encode()).digest()
            seed = int.from_bytes(digest[:8], "little")
            self._rows[char] = np.random.default_rng(seed).standard_normal(self.dim)
        return self._rows[char]
