"""A model's folder or name in, an encoder out: texts become float32 rows of unit length.

The built-in model is a bag of terms: the vector of a text is the sum of the vectors of its terms.
Its folder is read with numpy and safetensors alone, because `import sentence_transformers` costs
10 s and 500 MB that no question should wait for. Any other model goes through
sentence-transformers; its folder must hold safetensors, never pickles.
"""

import hashlib
import json
import logging
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from corpus.errors import ModelError
from embeddings.tokens import TERMS_VERSION, terms

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

FloatArray = npt.NDArray[np.float32]

BUILT_IN = "built-in"  # the name of our own model
_BUILT_IN_FOLDER = Path(str(files("embeddings") / "model"))
_LOG = logging.getLogger(__name__)
_BATCH = 32
BAG_MODULE = "embeddings.bag.BagOfTerms"


class Encoder(Protocol):
    """Turns questions and passages into vectors; inner product is similarity."""

    name: str
    dim: int
    fingerprint: str  # changes with the weights: stored vectors of another one are not used

    def encode_query(self, texts: Sequence[str]) -> FloatArray:
        """Encode questions: `(n_texts, dim)`, unit rows, zero rows for texts without terms."""
        ...

    def encode_document(self, texts: Sequence[str]) -> FloatArray:
        """Encode passages: `(n_texts, dim)`, unit rows, zero rows for texts without terms."""
        ...


def load_encoder(model: str | Path | None = None) -> Encoder:
    """Load the built-in model (None), a folder, or a model by its hub name.

    Raises
    ------
    ModelError
        If there is no such folder or name, or it holds no safetensors.
    """
    if not model:
        return BagEncoder(_BUILT_IN_FOLDER, name=BUILT_IN)
    folder = Path(model)
    if folder.is_dir():
        if _is_bag(folder):
            return BagEncoder(folder)
        return TransformerEncoder(str(folder), local=True)
    text = str(model)
    if folder.is_absolute() or text.startswith((".", "~")) or text.count("/") != 1:
        raise ModelError(
            f"没有模型文件夹 {text}，请检查路径，或给出形如 BAAI/bge-small-zh-v1.5 的名称。",
            f"no model folder {text}; check the path or give a name like BAAI/bge-small-zh-v1.5",
        )
    return TransformerEncoder(text, local=False)


@cache
def built_in_vocabulary() -> frozenset[str]:
    """The terms that the built-in model has a vector of their own for."""
    return frozenset(json.loads((_BUILT_IN_FOLDER / "vocabulary.json").read_text("utf-8")))


def _is_bag(folder: Path) -> bool:
    modules = folder / "modules.json"
    return modules.is_file() and BAG_MODULE in modules.read_text("utf-8")


def _fingerprint(folder: Path) -> str:
    digest = hashlib.sha256(TERMS_VERSION.encode())
    for file in sorted(folder.rglob("*")):
        if file.suffix in (".safetensors", ".json", ".txt") and file.is_file():
            digest.update(file.name.encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:32]


class BagEncoder:
    """The light path of `embeddings.bag.BagOfTerms`: same folder, same vectors, no torch."""

    def __init__(self, folder: Path, name: str = "") -> None:
        try:
            self._table, vocabulary = _read_bag(folder)
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(
                f"模型文件夹 {folder} 已损坏：{error}，请重新复制。",
                f"model folder {folder} is damaged; copy it again",
            ) from error
        self._row = {term: row for row, term in enumerate(vocabulary)}
        self.name = name or folder.name
        self.dim = int(self._table.shape[1])
        self.fingerprint = _fingerprint(folder)

    def encode_query(self, texts: Sequence[str]) -> FloatArray:
        """Encode questions; the model makes no difference between them and passages."""
        return self.encode_document(texts)

    def encode_document(self, texts: Sequence[str]) -> FloatArray:
        """Sum the rows of each text's terms and normalise."""
        out = np.zeros((len(texts), self.dim), np.float32)
        for i, text in enumerate(texts):
            rows = [row for row in map(self._row.get, terms(text)) if row is not None]
            if rows:
                out[i] = self._table[rows].sum(axis=0)
        norms = np.linalg.norm(out, axis=1, keepdims=True)
        return np.asarray(out / np.maximum(norms, 1e-12), np.float32)


def _read_bag(folder: Path) -> tuple[FloatArray, list[str]]:
    """The table, one row for each term, and the terms; ValueError if they do not fit together."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        weights = load_file(folder / "model.safetensors")
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    vocabulary: list[str] = json.loads((folder / "vocabulary.json").read_text("utf-8"))
    table: FloatArray = weights["table"].astype(np.float32)
    if "scale" in weights:  # one byte a number, one scale a row
        table *= weights["scale"].astype(np.float32)[:, None]
    if len(table) != len(vocabulary):
        raise ValueError(f"{len(table)} rows for {len(vocabulary)} terms")
    return table, vocabulary


class TransformerEncoder:
    """Any sentence-transformers model, by folder or hub name; its prompts are honoured."""

    def __init__(self, model: str, *, local: bool) -> None:
        self._model = _load_sentence_transformer(model, local=local)
        self.name = model
        self.dim = int(self._model.get_embedding_dimension() or 0)
        self.fingerprint = self._weights_fingerprint(model)

    def encode_query(self, texts: Sequence[str]) -> FloatArray:
        """Encode questions with the model's query prompt."""
        return self._unit(self._model.encode_query(list(texts), **self._options()))

    def encode_document(self, texts: Sequence[str]) -> FloatArray:
        """Encode passages with the model's document prompt."""
        return self._unit(self._model.encode_document(list(texts), **self._options()))

    def _options(self) -> dict[str, object]:
        return {"batch_size": _BATCH, "show_progress_bar": False, "convert_to_numpy": True}

    def _unit(self, rows: npt.ArrayLike) -> FloatArray:
        out = np.asarray(rows, np.float32).reshape(-1, self.dim)
        norms = np.linalg.norm(out, axis=1, keepdims=True)
        return np.asarray(out / np.maximum(norms, 1e-12), np.float32)

    def _weights_fingerprint(self, model: str) -> str:
        if Path(model).is_dir():
            return _fingerprint(Path(model))
        digest = hashlib.sha256(model.encode())
        # A hub model may change under its name, so the weights decide.
        for name, tensor in sorted(self._model.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().float().numpy().tobytes())
        return digest.hexdigest()[:32]


def _load_sentence_transformer(model: str, *, local: bool) -> "SentenceTransformer":
    from sentence_transformers import SentenceTransformer

    try:
        return SentenceTransformer(
            model,
            local_files_only=local,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
        )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        _LOG.debug("loading %s failed", model, exc_info=True)
        raise ModelError(
            f"无法加载嵌入模型 {model}：请检查名称或文件夹是否完整（须为 safetensors 格式）；"
            f"没有互联网时请先把模型文件夹复制到本机。",
            f"cannot load embedding model {model}: {error}",
        ) from error
