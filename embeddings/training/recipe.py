"""Options in, a trained model folder out: prepare, train stage by stage, measure, describe."""

import json
import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize

from embeddings.bag import BagOfTerms, sentence_transformer
from embeddings.encoder import BAG_MODULE
from embeddings.training import card
from embeddings.training.data import TrainingData, load_data
from embeddings.training.evaluation import DevScores, DevSet, load_dev_sets, score
from embeddings.training.mining import Miner
from embeddings.training.pairs import PairMaker
from embeddings.training.stages import STAGES, Stage, matryoshka_dims, train_stage

SIF = 1e-4  # a in a / (a + p), the weight of frequent terms (Arora, Liang and Ma 2017)

_NORMALIZE = f"{Normalize.__module__}.{Normalize.__name__}"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    data: Path
    out: Path
    dim: int
    seed: int
    threads: int
    share: float  # of the pairs
    questions: Path | None = None  # practice questions on the built-in cases


def run(options: Options) -> list[DevScores]:
    """Train the model of `options` and write it; finished stages are not repeated."""
    started = time.monotonic()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    work = options.out / "work"
    data = load_data(options.data, work / "data.npz", options.questions)
    _LOG.info("%d terms, %d articles", len(data.vocabulary), len(data.laws))
    dev_sets = load_dev_sets(options.data, data.vocabulary)
    model = new_model(data, options.dim, options.seed)
    _measure(model, dev_sets, "start")
    maker = PairMaker(data)
    passages = {kind: rows for kind, (_, _, rows) in maker.asked.items()}
    miners: dict[str, Miner] = {}
    for number, stage in enumerate(STAGES, 1):
        folder = work / f"{number}-{stage.name}"
        if not (folder / "done").is_file():
            if stage.mined and not miners:
                miners = _miners(maker, len(data.vocabulary))
            _LOG.info("stage %d: %s", number, stage.name)
            train_stage(
                model,
                scaled(stage, options.share),
                maker,
                miners,
                passages,
                seed=options.seed,
                out=folder,
            )
            write_model(model, folder)
            (folder / "done").touch()
        # Read back even if it was just trained, so that a broken run ends like an unbroken one.
        model = sentence_transformer(folder)
        scores = _measure(model, dev_sets, stage.name)
    minutes = (time.monotonic() - started) / 60
    write_model(model, options.out)
    # What is measured for the card is what was written: rounded to one byte.
    written = sentence_transformer(options.out)
    scores = _measure(written, dev_sets, "written model")
    by_dim = {
        dim: [score(_table(written), dev, dim) for dev in dev_sets]
        for dim in matryoshka_dims(options.dim)
    }
    text = card.model_card(data, by_dim, options.seed, minutes)
    (options.out / "README.md").write_text(text, "utf-8")
    _LOG.info("written to %s after %.0f minutes", options.out, minutes)
    return scores


def new_model(data: TrainingData, dim: int, seed: int) -> SentenceTransformer:
    """Random directions, shorter for frequent terms: at the start a model of shared rare terms."""
    rng = np.random.default_rng([seed, 1])
    share = data.counts / data.counts.sum()
    table = rng.standard_normal((len(data.vocabulary), dim)) / np.sqrt(dim)
    table *= (SIF / (SIF + share))[:, None]
    bag = BagOfTerms(data.vocabulary, torch.tensor(table, dtype=torch.float32))
    return SentenceTransformer(modules=[bag, Normalize()], device="cpu")


def write_model(model: SentenceTransformer, folder: Path) -> None:
    """The table, the vocabulary and the list of modules; nothing else is needed to load it."""
    model[0].save(str(folder))
    modules = [{"idx": 0, "name": "0", "path": "", "type": BAG_MODULE}]
    modules.append({"idx": 1, "name": "1", "path": "1_Normalize", "type": _NORMALIZE})
    (folder / "modules.json").write_text(json.dumps(modules, indent=1) + "\n", "utf-8")


def scaled(stage: Stage, share: float) -> Stage:
    """The stage with a share of its pairs."""
    pairs = {kind: max(1, round(n * share)) for kind, n in stage.pairs.items()}
    return replace(stage, pairs=pairs)


def _miners(maker: PairMaker, n_terms: int) -> dict[str, Miner]:
    return {
        kind: Miner(questions, passages, relevant, n_terms)
        for kind, (questions, relevant, passages) in maker.asked.items()
        if len(questions)
    }


def _table(model: SentenceTransformer) -> npt.NDArray[np.float32]:
    weight: npt.NDArray[np.float32] = model[0].bag.weight.detach().numpy()
    return weight


def _measure(model: SentenceTransformer, dev_sets: list[DevSet], name: str) -> list[DevScores]:
    scores = [score(_table(model), dev) for dev in dev_sets]
    figures = "; ".join(str(s) for s in scores)
    _LOG.info("%s: hit@1 / recall@10 / MRR@10: %s", name, json.dumps(figures))
    return scores
