"""A model and a stage in, the model trained further: sentence-transformers' trainer does the work.

The data sets hold numbers only (which text, which seed); the collator makes the pairs of a batch
when it is due. A batch holds pairs of one kind, so that all its passages are real rivals.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
from sentence_transformers.base.sampler import MultiDatasetBatchSamplers
from sentence_transformers.sentence_transformer.losses import (
    MatryoshkaLoss,
    MultipleNegativesRankingLoss,
)
from sentence_transformers.sentence_transformer.training_args import (
    SentenceTransformerTrainingArguments,
)
from torch import Tensor
from transformers import TrainerCallback, TrainerState

from embeddings.bag import BagOfTerms
from embeddings.training.mining import Miner, draw
from embeddings.training.pairs import KINDS, Pair, PairMaker
from embeddings.training.rows import IntArray, Rows

if TYPE_CHECKING:
    from datasets import DatasetDict

SCALE = 20.0  # 1 / temperature

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stage:
    """What is learnt from, for how long."""

    name: str
    pairs: Mapping[str, int]  # how many of each kind
    batch_size: int
    learning_rate: float
    n_negatives: int = 0  # mined for each pair of the kinds in `mined`
    mined: tuple[str, ...] = ()
    mine_every: int = 100  # steps


PRETRAINING = Stage(
    name="pretraining",
    # Law and news in the ratio that was best for lay questions; a text comes several times, each
    # time cut otherwise.
    pairs={
        "news": 400_000,
        "law_cloze": 110_000,
        "law_sentence": 110_000,
        "law_title": 10_000,
        "item": 6_000,
        "question": 200_000,
        "lay": 60_000,
        "news_reworded": 200_000,
        "law_reworded": 200_000,
        "case": 12_000,
        "sentence": 150_000,
    },
    batch_size=1024,
    learning_rate=2e-3,
)
FINE_TUNING = Stage(
    name="fine-tuning",
    # Few: after that each question comes for the third time, and is learnt by heart.
    pairs={"lay": 16_000, "question": 12_000, "news": 6_000, "law_cloze": 4_000, "item": 500}
    | {"news_reworded": 4_000, "law_reworded": 4_000, "case": 4_000, "sentence": 16_000},
    batch_size=128,
    learning_rate=1e-3,
    n_negatives=16,
    mined=("lay", "question", "case", "sentence"),
    mine_every=50,
)
STAGES = (PRETRAINING, FINE_TUNING)


@dataclass(slots=True)
class Collator:
    """Turns numbers into a batch: the anchors, and the positives followed by the negatives."""

    maker: PairMaker
    passages: Mapping[str, Rows]  # of the kinds with negatives
    n_negatives: int
    negatives: dict[str, np.ndarray[Any, np.dtype[np.int64]]] = field(default_factory=dict)
    valid_label_columns: tuple[str, ...] = ()  # the trainer asks for it

    def __call__(self, features: Sequence[Mapping[str, int]]) -> dict[str, Tensor]:
        """Flat rows and offsets of both sides, as `BagOfTerms.forward` takes them."""
        anchors: list[IntArray] = []
        positives: list[IntArray] = []
        extra: list[IntArray] = []
        for feature in features:
            kind = KINDS[feature["kind"]]
            pair = self.maker.make(kind, feature["index"], feature["seed"])
            anchors.append(pair.anchor)
            positives.append(pair.positive)
            extra += self._negatives(kind, feature, pair)
        batch = {f"anchor_{k}": v for k, v in flat_batch(anchors).items()}
        batch |= {f"positive_{k}": v for k, v in flat_batch(positives + extra).items()}
        return batch

    def _negatives(self, kind: str, feature: Mapping[str, int], pair: Pair) -> list[IntArray]:
        pool = self.negatives.get(kind)
        if pool is None or pair.answer < 0:
            return []
        chosen = draw(pool[feature["index"]], self.n_negatives, feature["seed"])
        return [self.passages[kind][int(i)] for i in chosen]


def flat_batch(texts: Sequence[IntArray]) -> dict[str, Tensor]:
    """Texts one after another, and where each begins."""
    lengths = np.array([len(text) for text in texts])
    offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    rows = np.concatenate(texts).astype(np.int64)
    return {"input_ids": torch.from_numpy(rows), "offsets": torch.from_numpy(offsets)}


class Remining(TrainerCallback):  # type: ignore[misc]  # transformers is untyped
    """Mines the negatives anew while the model learns."""

    def __init__(self, collator: Collator, miners: Mapping[str, Miner], bag: BagOfTerms) -> None:
        self.collator, self.miners, self.bag = collator, miners, bag
        self.every = 1

    def on_step_begin(self, _args: object, state: TrainerState, *_: object, **__: object) -> None:
        """Mine at the first step and then every so many."""
        if state.global_step % self.every == 0:
            table = self.bag.bag.weight.detach().numpy()
            for kind, miner in self.miners.items():
                self.collator.negatives[kind] = miner.mine(table, 100)


class Logged(TrainerCallback):  # type: ignore[misc]
    """Sends the trainer's figures to our log."""

    def on_log(
        self,
        _args: object,
        state: TrainerState,
        *_: object,
        logs: Mapping[str, float] | None = None,
        **__: object,
    ) -> None:
        """One line for every logging step."""
        if logs and "loss" in logs:
            _LOG.info("step %d of %d: loss %.3f", state.global_step, state.max_steps, logs["loss"])


class SparseTrainer(SentenceTransformerTrainer):  # type: ignore[misc]
    """Leaves out the norm of the gradients, which torch cannot take of sparse ones."""

    def _get_grad_norm(self, *_: object, **__: object) -> float:
        return 0.0


def train_stage(
    model: SentenceTransformer,
    stage: Stage,
    maker: PairMaker,
    miners: Mapping[str, Miner],
    passages: Mapping[str, Rows],
    *,
    seed: int,
    out: Path,
) -> None:
    """Train `model` in place.

    Parameters
    ----------
    miners, passages
        For the kinds of pairs that get hard negatives.
    """
    bag: BagOfTerms = model[0]
    collator = Collator(maker, passages, stage.n_negatives)
    remining = Remining(collator, {k: m for k, m in miners.items() if k in stage.mined}, bag)
    remining.every = stage.mine_every
    # Sparse: a step touches a few thousand of 62,000 rows.
    bag.bag.sparse = True
    n_steps = sum(-(-n // stage.batch_size) for k, n in stage.pairs.items() if maker.size(k))
    optimizer = torch.optim.SparseAdam(list(bag.parameters()), lr=stage.learning_rate)
    warmup = max(1, n_steps // 20)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min(1.0, (step + 1) / warmup) * max(0.01, 1 - step / n_steps),
    )
    ranking = MultipleNegativesRankingLoss(
        model,
        scale=SCALE,
        directions=("query_to_doc", "doc_to_query"),
        partition_mode="per_direction",
    )
    trainer = SparseTrainer(
        model=model,
        args=SentenceTransformerTrainingArguments(
            output_dir=str(out),
            num_train_epochs=1,
            per_device_train_batch_size=stage.batch_size,
            multi_dataset_batch_sampler=MultiDatasetBatchSamplers.PROPORTIONAL,
            max_grad_norm=0.0,  # sparse gradients cannot be clipped
            use_cpu=not torch.cuda.is_available(),
            seed=seed,
            data_seed=seed,
            save_strategy="no",
            report_to="none",
            logging_steps=25,
            disable_tqdm=True,
            remove_unused_columns=False,
        ),
        train_dataset=numbers(stage, maker, seed),
        loss=MatryoshkaLoss(model, ranking, matryoshka_dims(bag.bag.embedding_dim)),
        data_collator=collator,
        optimizers=(optimizer, schedule),
        callbacks=[Logged(), remining] if remining.miners else [Logged()],
    )
    trainer.train()
    bag.bag.sparse = False


def matryoshka_dims(dim: int) -> list[int]:
    """Where the vectors may be cut: whole, half and a quarter."""
    return [dim, dim // 2, dim // 4]


def numbers(stage: Stage, maker: PairMaker, seed: int) -> "DatasetDict":
    """For every kind, which texts in which order, and the seeds of their pairs."""
    from datasets import Dataset, DatasetDict

    sets = {}
    for kind, n in stage.pairs.items():
        if not maker.size(kind):  # practice questions were not given
            continue
        rng = np.random.default_rng([seed, KINDS.index(kind), len(stage.name)])
        size = maker.size(kind)
        # Every text once before any comes again.
        rounds = [rng.permutation(size) for _ in range(-(-n // max(size, 1)))]
        sets[kind] = Dataset.from_dict(
            {
                "kind": np.full(n, KINDS.index(kind)),
                "index": np.concatenate(rounds)[:n],
                "seed": rng.integers(2**31, size=n),
            }
        )
    return DatasetDict(sets)
