"""The built-in model as a sentence-transformers module: a text is the sum of its terms' vectors.

`SentenceTransformer(folder)` loads it like any other model once this package is installed; the
class is imported by its name from `modules.json`, no code is read from the model's folder.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from embeddings.tokens import terms


class BagOfTerms(nn.Module):
    """Sums the rows of a table over the terms of a text (words and characters)."""

    def __init__(self, vocabulary: list[str], table: Tensor) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.row = {term: row for row, term in enumerate(vocabulary)}
        self.bag = nn.EmbeddingBag.from_pretrained(table, freeze=False, mode="sum", sparse=False)

    def tokenize(self, texts: list[str], **_: Any) -> dict[str, Tensor]:
        """Rows of all texts in one flat tensor, with the offset of each text."""
        rows: list[int] = []
        offsets: list[int] = []
        for text in texts:
            offsets.append(len(rows))
            rows += [row for term in terms(str(text)) if (row := self.row.get(term)) is not None]
        return {"input_ids": torch.tensor(rows or [0]), "offsets": torch.tensor(offsets)}

    preprocess = tokenize

    def forward(self, features: dict[str, Tensor], **_: Any) -> dict[str, Tensor]:
        """Add `sentence_embedding`, `(n_texts, dim)`, not normalised."""
        summed = self.bag(features["input_ids"], features["offsets"])
        return {**features, "sentence_embedding": summed}

    def get_sentence_embedding_dimension(self) -> int:
        """The width of the table."""
        return self.bag.embedding_dim

    get_embedding_dimension = get_sentence_embedding_dimension

    def save(self, output_path: str, *_: Any, **__: Any) -> None:
        """Write the vocabulary and the table (float16) as `load` reads them."""
        folder = Path(output_path)
        folder.mkdir(parents=True, exist_ok=True)
        names = json.dumps(self.vocabulary, ensure_ascii=False)
        (folder / "vocabulary.json").write_text(names, "utf-8")
        save_file({"table": self.bag.weight.detach().half()}, folder / "model.safetensors")

    @classmethod
    def load(cls, model_name_or_path: str, *_: Any, **__: Any) -> "BagOfTerms":
        """Read a folder that `save` wrote."""
        folder = Path(model_name_or_path)
        vocabulary = json.loads((folder / "vocabulary.json").read_text("utf-8"))
        return cls(vocabulary, load_file(folder / "model.safetensors")["table"].float())
