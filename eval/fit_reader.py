"""Training questions in, `rag/reader.safetensors` out: the network that reads candidate sentences.

`python -m eval.fit_reader --data DIR` reads the comprehension and lay questions of DIR/train and
the practice questions of the split `train`; nothing of any dev or test set. Every question is a
choice between its candidate sentences and none of them (Clark and Gardner 2018, arXiv:1710.10723,
put paragraphs and a no-answer score under one softmax in the same way); some questions have their
answer taken away. The features of `rag.select` take part in the choice, so that the network learns
what they do not tell.
"""

import argparse
import logging
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional

from embeddings.encoder import load_encoder
from embeddings.fold import fold
from embeddings.words import WordVectors
from eval.benchmark import Benchmark, Passage, filled_library
from eval.groups import (
    Group,
    comprehension_groups,
    lay_groups,
    load_comprehension,
    load_lay,
    misspelt,
    sentence_groups,
)
from eval.questions import PRACTICE_FILE, load_questions
from rag.assistant import Assistant
from rag.reader import (
    EXACT,
    FILE,
    MAX_QUESTION_WORDS,
    MAX_WORDS,
    PADDING,
    SHARPNESS,
    read_words,
)
from rag.select import FEATURES

PLAIN = [i for i, name in enumerate(FEATURES) if name != "reader"]
N_CANDIDATES = 12  # sentences that a question chooses from, besides the right ones
N_RIGHT = 4  # of them at most
BATCH = 16  # questions
LEARNING_RATE = 1.5e-3
EPOCHS = 3
REPEATED = 3  # times that a practice question comes in an epoch
TAKEN_AWAY = 0.2  # share of the questions whose answer is hidden
MISSPELT = 8  # every so many questions one is misspelt
ANSWER_WEIGHT = 0.3  # of finding the words of the answer in their sentence
N_COMPREHENSION, N_LAY = 4_000, 1_000  # questions

_LOG = logging.getLogger(__name__)
_NEVER = -1e4


class ReaderNetwork(nn.Module):
    """What `rag.reader.Reader` computes; the parameters have the same names there."""

    def __init__(self, dim: int, projected: int = 48, hidden: int = 64) -> None:
        super().__init__()
        n_tag = 8
        self.proj = nn.Linear(dim, projected)
        self.tag = nn.Embedding(PADDING + 1, n_tag, padding_idx=PADDING)
        self.qconv = nn.Conv1d(projected + n_tag, hidden, 3, padding=1)
        self.qatt = nn.Linear(hidden, 1, bias=False)
        self.c1 = nn.Conv1d(3 * projected + n_tag + 3, hidden, 5, padding=2)
        self.c2 = nn.Conv1d(hidden, hidden, 5, padding=2)
        self.u = nn.Linear(hidden, 1)
        self.b = nn.Linear(hidden, hidden, bias=False)
        self.drop = nn.Dropout(0.2)

    def forward(self, batch: "Batch") -> Tensor:
        """Logits `(n_sentences, MAX_WORDS)` of the words to belong to the answer."""
        own = torch.tanh(self.proj(self.drop(batch.vectors))) * batch.mask
        query = torch.tanh(self.proj(self.drop(batch.query)))
        inputs = torch.cat([query, self.tag(batch.query_tags)], -1) * batch.query_mask
        asked = functional.relu(_along(self.qconv, inputs))
        share = self.qatt(asked).masked_fill(batch.query_mask == 0, _NEVER).softmax(1)
        pooled = (share * asked).sum(1)[batch.owner]
        cosines = torch.einsum("slv,sqv->slq", batch.vectors, batch.query[batch.owner])
        unknown = batch.query_mask[batch.owner].transpose(1, 2) == 0
        nearest = cosines.masked_fill(unknown, _NEVER).max(-1).values.clamp(0, 1)
        attention = (SHARPNESS * cosines).masked_fill(unknown, _NEVER).softmax(-1)
        aligned = torch.einsum("slq,sqp->slp", attention, query[batch.owner])
        flags = torch.stack([nearest, (nearest > EXACT).float(), torch.ones_like(nearest)], -1)
        columns = [own, aligned, own * aligned, self.tag(batch.tags), flags]
        first = functional.relu(_along(self.c1, self.drop(torch.cat(columns, -1) * batch.mask)))
        first = first * batch.mask
        hidden = functional.relu(_along(self.c2, self.drop(first))) * batch.mask + first
        logits = self.u(hidden) + torch.einsum("slh,sh->sl", hidden, self.b(pooled))[..., None]
        words: Tensor = logits.masked_fill(batch.mask == 0, _NEVER)[..., 0]
        return words


def _along(layer: nn.Conv1d, x: Tensor) -> Tensor:
    out: Tensor = layer(x.transpose(1, 2)).transpose(1, 2)
    return out


@dataclass(frozen=True, slots=True)
class Example:
    """A question that is trained on; `marks` are words of the answer, sentence by sentence."""

    question: str
    texts: tuple[str, ...]
    features: npt.NDArray[np.float64]
    relevant: npt.NDArray[np.bool_]
    marks: tuple[npt.NDArray[np.float32] | None, ...]
    holds: npt.NDArray[np.bool_]  # the answer, relevant or not


def example(group: Group) -> Example:
    """The group without its many sentences that are far off."""
    right = np.flatnonzero(group.relevant)[:N_RIGHT].tolist()
    chosen = sorted({*range(min(N_CANDIDATES, len(group.candidates))), *right})
    texts = tuple(group.candidates[i].text for i in chosen)
    answer = fold(group.answer).replace(" ", "")
    relevant = group.relevant[chosen]
    holds = [answer in fold(text).replace(" ", "") for text in texts] if answer else relevant
    marks = [
        _marks(t, answer) if r and answer else None for t, r in zip(texts, relevant, strict=True)
    ]
    return Example(
        group.question,
        texts,
        group.features[chosen][:, PLAIN],
        relevant,
        tuple(marks),
        np.array(holds, bool),
    )


def _marks(text: str, answer: str) -> npt.NDArray[np.float32] | None:
    """Which words of the text the answer lies in; None if it is cut otherwise."""
    words = read_words(text).words
    at = "".join(words).replace(" ", "").find(answer)
    marks = np.zeros(MAX_WORDS, np.float32)
    place = 0
    for i, word in enumerate(words):
        length = len(word.replace(" ", ""))
        marks[i] = at >= 0 and place < at + len(answer) and place + length > at
        place += length
    return marks if marks.any() else None


@dataclass(frozen=True, slots=True)
class Batch:
    """Questions and sentences as numbers; a sentence's `owner` is its question."""

    query: Tensor  # (n_questions, MAX_QUESTION_WORDS, dim)
    query_tags: Tensor
    query_mask: Tensor  # (…, 1)
    vectors: Tensor  # (n_sentences, MAX_WORDS, dim)
    tags: Tensor
    mask: Tensor  # (…, 1)
    owner: Tensor  # (n_sentences,)
    features: Tensor
    relevant: Tensor
    marks: Tensor  # (n_sentences, MAX_WORDS)


def make_batch(chosen: Sequence[Example], vectors: WordVectors, rng: random.Random) -> Batch:
    """Lay examples out; from some the answer is taken away."""
    owner: list[int] = []
    texts: list[str] = []
    rows, relevant, marks = [], [], []
    for number, one in enumerate(chosen):
        hidden = rng.random() < TAKEN_AWAY
        for i, text in enumerate(one.texts):
            if hidden and one.holds[i]:
                continue
            owner.append(number)
            texts.append(text)
            rows.append(one.features[i])
            relevant.append(bool(one.relevant[i]))
            mark = one.marks[i]
            marks.append(np.zeros(MAX_WORDS, np.float32) if mark is None else mark)
    asked = _laid_out([one.question for one in chosen], MAX_QUESTION_WORDS, vectors)
    return Batch(
        *asked,
        *_laid_out(texts, MAX_WORDS, vectors),
        torch.tensor(owner),
        torch.tensor(np.array(rows), dtype=torch.float32),
        torch.tensor(relevant),
        torch.tensor(np.array(marks)),
    )


def _laid_out(
    texts: Sequence[str], width: int, vectors: WordVectors
) -> tuple[Tensor, Tensor, Tensor]:
    found = [read_words(text, width) for text in texts]
    flat = vectors.rows([word for one in found for word in one.words])
    table = vectors.table
    out = np.zeros((len(texts), width, table.shape[1]), np.float32)
    tags = np.full((len(texts), width), PADDING)
    mask = np.zeros((len(texts), width, 1), np.float32)
    at = 0
    for i, one in enumerate(found):
        n = len(one.words)
        out[i, :n], tags[i, :n], mask[i, :n] = table[flat[at : at + n]], one.tags, 1
        at += n
    return torch.from_numpy(out), torch.from_numpy(tags), torch.from_numpy(mask)


class Choice(nn.Module):
    """The network with the features beside it, and the score of "none of them"."""

    def __init__(self, network: ReaderNetwork, examples: Sequence[Example]) -> None:
        super().__init__()
        rows = np.concatenate([one.features for one in examples])
        self.mean = torch.tensor(rows.mean(0), dtype=torch.float32)
        self.scale = torch.tensor(rows.std(0) + 1e-6, dtype=torch.float32)
        self.network = network
        self.linear = nn.Linear(rows.shape[1], 1)
        self.none = nn.Parameter(torch.zeros(1))

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy of the choice, and of the answer's words in their sentence."""
        words = self.network(batch)
        plain = self.linear((batch.features - self.mean) / self.scale)[:, 0]
        scores = torch.logsumexp(words, -1) + plain
        n = len(batch.query)
        of_question = torch.arange(n)[:, None] == batch.owner[None]
        every = scores[None].expand(n, -1).masked_fill(~of_question, _NEVER)
        right = every.masked_fill(~batch.relevant[None], _NEVER)
        none = self.none.expand(n, 1)
        some = (of_question & batch.relevant[None]).any(1)
        wanted = torch.where(some, torch.logsumexp(right, 1), none[:, 0])
        loss = (torch.logsumexp(torch.cat([every, none], 1), 1) - wanted).mean()
        marked = batch.marks.sum(1) > 0
        if marked.any():
            inside = words[marked].masked_fill(batch.marks[marked] == 0, _NEVER)
            missed = torch.logsumexp(words[marked], -1) - torch.logsumexp(inside, -1)
            loss = loss + ANSWER_WEIGHT * missed.mean()
        return loss


def train(
    examples: Sequence[Example], repeated: Sequence[Example], vectors: WordVectors, seed: int = 0
) -> ReaderNetwork:
    """Train a network; `repeated` examples come several times in each epoch."""
    torch.manual_seed(seed)
    rng = random.Random(seed)
    model = Choice(ReaderNetwork(vectors.table.shape[1]), [*examples, *repeated])
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    pool = [*examples, *list(repeated) * REPEATED]
    n_steps = EPOCHS * (len(pool) // BATCH)
    warmup = max(1, min(100, n_steps // 10))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / warmup) * max(0.02, 1 - step / n_steps)
    )
    step, total, started = 0, 0.0, time.monotonic()
    for _ in range(EPOCHS):
        rng.shuffle(pool)
        for at in range(0, len(pool) - BATCH + 1, BATCH):
            loss = model.loss(make_batch(pool[at : at + BATCH], vectors, rng))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            step, total = step + 1, total + float(loss.detach())
            if step % 100 == 0:
                seconds = time.monotonic() - started
                _LOG.info("step %d of %d: loss %.3f, %.0f s", step, n_steps, total / 100, seconds)
                total = 0.0
    return model.network.eval()


def collect(data: Path) -> tuple[list[Example], list[Example]]:
    """Examples of comprehension and of lay questions; examples of practice questions."""
    comprehension = [one for one in load_comprehension(data) if one.number % 3]
    passages = tuple(
        Passage(one.name, "", one.passage)
        for one in {one.passage: one for one in comprehension}.values()
    )
    articles, lay = load_lay(data)
    groups: list[Group] = []
    with tempfile.TemporaryDirectory() as folder:
        with filled_library(Benchmark(passages, ()), Path(folder) / "read") as assistant:
            some = comprehension[:: max(1, len(comprehension) // N_COMPREHENSION)]
            some = [
                replace(one, question=misspelt(one.question, i)) if i % MISSPELT == 0 else one
                for i, one in enumerate(some)
            ]
            groups += comprehension_groups(assistant, some)
            _LOG.info("%d comprehension questions", len(groups))
        with filled_library(Benchmark(tuple(articles), ()), Path(folder) / "laws") as assistant:
            groups += lay_groups(assistant, lay[:N_LAY])
            _LOG.info("%d with lay questions", len(groups))
        with Assistant.open(Path(folder) / "cases") as assistant:
            practice = load_questions(PRACTICE_FILE, "train")
            practice += [
                replace(one, question=misspelt(one.question, i))
                for i, one in enumerate(practice)
                if one.answerable and i % MISSPELT == 0
            ]
            repeated = [example(group) for group in sentence_groups(assistant, practice)]
    # A question whose answer was not even found teaches nothing about choosing.
    return [one for one in map(example, groups) if one.relevant.any()], repeated


def main(argv: Sequence[str] | None = None) -> int:
    """Collect, train, write."""
    parser = argparse.ArgumentParser(prog="python -m eval.fit_reader", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with train/")
    parser.add_argument("--out", type=Path, default=FILE)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    torch.set_num_threads(args.threads)
    examples, repeated = collect(args.data)
    _LOG.info("%d examples, %d practice questions", len(examples), len(repeated))
    network = train(examples, repeated, WordVectors(load_encoder()))
    state = {name: tensor.half() for name, tensor in network.state_dict().items()}
    args.out.write_bytes(save(state))
    return 0


if __name__ == "__main__":
    sys.exit(main())
