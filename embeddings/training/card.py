"""Figures in, the model card (README.md of the model folder) out."""

from collections.abc import Mapping, Sequence

from embeddings.tokens import lay_words
from embeddings.training.data import TrainingData
from embeddings.training.evaluation import DevScores
from embeddings.training.stages import STAGES

_HEAD = """---
license: cc-by-sa-4.0
language: zh
library_name: sentence-transformers
pipeline_tag: sentence-similarity
---

# Zhengwen's built-in embedding model

A bag of terms: the vector of a text is the sum of the vectors of its words (rjieba, search mode)
and its Chinese characters, normalised. {n_terms:,} terms, {dim} dimensions, one byte each.
Simplified and Traditional Chinese, full and half width are the same to it. It needs no graphics
card, no network and no torch: `embeddings.encoder.load_encoder()` reads it with numpy.

```python
from pathlib import Path

from embeddings.bag import sentence_transformer  # a SentenceTransformer like any other

model = sentence_transformer(Path("embeddings/model"))
```

## What it is for

Finding passages of official and legal Chinese text for questions asked in everyday words. It does
not know word order and is weak where one name, number or typing error decides: use it together
with BM25, as Zhengwen does.

## Training data

| data | what is learnt from it | texts | licence |
|---|---|---|---|
| CRUD-RAG news of 2023 | sentence → its neighbours | {n_news:,} | Apache-2.0 |
| national laws (LawRefBook) | sentence, terms or title → article | {n_laws:,} | no copyright |
| CMRC 2018, DRCD test | question → passage | {n_encyclopedia:,} | CC BY-SA 4.0 / 3.0 |
| our own on news and policy passages | question → passage, sentence | {n_ours:,} | Apache-2.0 |
| STARD, our own questions on the laws | lay question → article | {n_lay:,} | MIT, Apache-2.0 |
| Guangdong service items | name → conditions | {n_items:,} | MIT |
| lay words (our own list) | what official words are called | {n_meanings:,} | Apache-2.0 |
| practice questions on the built-in cases | question → chunk | {n_cases:,} | Apache-2.0 |

Nothing of the dev sets is trained on; RGB is only measured.

## Training

`python -m embeddings.training --data DIR --out DIR --questions FILE`, seed {seed},
{minutes:.0f} minutes.
sentence-transformers' trainer, MultipleNegativesRankingLoss in both directions inside
MatryoshkaLoss; hard negatives from BM25 and from the model itself, mined anew while it learns.

| stage | pairs | batch | learning rate | hard negatives |
|---|---|---|---|---|
"""

_FIGURES = """
## Figures on the dev sets

The vectors alone, whole passages, hit@1 / recall@10 / MRR@10. STARD: 235 lay questions over all
62,177 articles; RGB: 150 questions, 3,672 snippets; DRCD: 3,524 questions (Traditional), 1,000
passages.

"""


def model_card(
    data: TrainingData,
    by_dim: Mapping[int, Sequence[DevScores]],
    seed: int,
    minutes: float,
) -> str:
    """The card in Markdown."""
    ours = len(data.own_questions)
    parts = [
        _HEAD.format(
            n_terms=len(data.vocabulary),
            dim=max(by_dim),
            n_news=len(data.news_first) - 1,
            n_laws=len(data.laws),
            n_encyclopedia=len(data.questions) - ours,
            n_ours=ours,
            n_lay=len(data.lay_questions),
            n_items=len(data.item_titles),
            n_meanings=len(lay_words()),
            n_cases=len(data.case_questions),
            seed=seed,
            minutes=minutes,
        )
    ]
    for stage in STAGES:
        mined = f"{stage.n_negatives} for {', '.join(stage.mined)}" if stage.mined else "none"
        parts.append(
            f"| {stage.name} | {sum(stage.pairs.values()):,} | {stage.batch_size} "
            f"| {stage.learning_rate:g} | {mined} |\n"
        )
    names = [scores.name for scores in next(iter(by_dim.values()))]
    parts += [_FIGURES, f"| dimensions | {' | '.join(names)} |\n|---{'|---' * len(names)}|\n"]
    for dim, scores in by_dim.items():
        cells = (f"{s.hit_1:.3f} / {s.recall_10:.3f} / {s.rr_10:.3f}" for s in scores)
        parts.append(f"| {dim} | {' | '.join(cells)} |\n")
    return "".join(parts)
