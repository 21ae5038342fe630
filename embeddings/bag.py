"""The built-in model as a sentence-transformers module: a text is the sum of its terms' vectors.

`sentence_transformer(folder)` loads it for training and for everything that takes such a model.
`SentenceTransformer(folder)` itself refuses every class that is not its own unless it is told to
trust code (sentence-transformers 6.0), which this project never says.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize
from torch import Tensor, nn

from embeddings.tokens import terms


def sentence_transformer(folder: Path) -> SentenceTransformer:
    """The model of a folder that `BagOfTerms.save` wrote; its vectors have unit length."""
    return SentenceTransformer(modules=[BagOfTerms.load(str(folder)), Normalize()], device="cpu")


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
        """Write the vocabulary and the table, one byte a number and one scale a row."""
        folder = Path(output_path)
        folder.mkdir(parents=True, exist_ok=True)
        names = json.dumps(self.vocabulary, ensure_ascii=False)
        (folder / "vocabulary.json").write_text(names, "utf-8")
        table = self.bag.weight.detach().cpu().float()
        scale = (table.abs().amax(dim=1) / 127).clamp_min(1e-8).half()
        # Rounded under the scale as it is stored, so that reading gives the nearest number.
        rounded = (table / scale.float()[:, None]).round().clamp(-127, 127).to(torch.int8)
        save_file({"table": rounded, "scale": scale}, folder / "model.safetensors")

    @classmethod
    def load(cls, model_name_or_path: str, *_: Any, **__: Any) -> "BagOfTerms":
        """Read a folder that `save` wrote."""
        folder = Path(model_name_or_path)
        vocabulary = json.loads((folder / "vocabulary.json").read_text("utf-8"))
        weights = load_file(folder / "model.safetensors")
        table = weights["table"].float()
        if "scale" in weights:
            table *= weights["scale"].float()[:, None]
        return cls(vocabulary, table)
