"""Training questions in, `rag/reader.safetensors` out: the network that reads candidate sentences.

`python -m eval.fit_reader --data DIR` reads the comprehension and lay questions of DIR/train, our
own questions on its news and laws and the practice questions, of both the split `train`; nothing of
any dev or test set. Every question is a choice between its candidate sentences and none of them
(Clark and Gardner 2018, arXiv:1710.10723, put paragraphs and a no-answer score under one softmax in
the same way); some have no answer, from others it is taken away. The features of `rag.select` take
part in the choice, so that the network learns what they do not tell.
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
from embeddings.training.data import load_news_questions
from embeddings.words import WordVectors
from eval.benchmark import Benchmark, Passage, filled_library
from eval.groups import (
    Group,
    comprehension_groups,
    lay_groups,
    load_comprehension,
    load_lay,
    misspelt,
    news_groups,
    news_passages,
    sentence_groups,
)
from eval.questions import PRACTICE_FILE, load_questions
from rag.assistant import Assistant
from rag.reader import (
    EXACT,
    FILE,
    GAP,
    MAX_QUESTION_WORDS,
    PADDING,
    SHARPNESS,
    WINDOW,
    Place,
    around_words,
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
N_COMPREHENSION, N_LAY = 4_500, 2_100  # questions

_LOG = logging.getLogger(__name__)
_NEVER = -1e4


class ReaderNetwork(nn.Module):
    """What `rag.reader.Reader` computes; the parameters have the same names there."""

    def __init__(self, dim: int, projected: int = 48, hidden: int = 80, compared: int = 48) -> None:
        super().__init__()
        n_tag = 8
        self.proj = nn.Linear(dim, projected)
        self.tag = nn.Embedding(PADDING + 1, n_tag, padding_idx=PADDING)
        self.qconv = nn.Conv1d(projected + n_tag, hidden, 3, padding=1)
        self.qatt = nn.Linear(hidden, 1, bias=False)
        self.catt = nn.Linear(hidden, 1, bias=False)
        self.cmp = nn.Linear(hidden + 2 * projected + 4, compared)
        self.agg = nn.Linear(2 * compared, compared)
        self.c1 = nn.Conv1d(3 * projected + n_tag + 3, hidden, 2 * GAP + 1, padding=GAP)
        self.c2 = nn.Conv1d(hidden, hidden, 2 * GAP + 1, padding=GAP)
        self.c3 = nn.Conv1d(hidden, hidden, 2 * GAP + 1, padding=GAP)
        self.u = nn.Linear(hidden, 1)
        self.b = nn.Linear(hidden, hidden, bias=False)
        self.c = nn.Linear(compared, hidden, bias=False)
        self.v = nn.Linear(compared, 1, bias=False)
        self.drop = nn.Dropout(0.2)

    def forward(self, batch: "Batch") -> tuple[Tensor, Tensor]:
        """Logits `(n_sentences, width)` of the words to belong to the answer, and of covering."""
        query = torch.tanh(self.proj(self.drop(batch.query)))
        inputs = torch.cat([query, self.tag(batch.query_tags)], -1) * batch.query_mask
        asked = functional.relu(_along(self.qconv, inputs))
        pooled = (_attention(self.qatt, asked, batch.query_mask) * asked).sum(1)[batch.owner]
        own = torch.tanh(self.proj(self.drop(batch.vectors))) * batch.mask
        cosines = torch.einsum("slv,sqv->slq", batch.vectors, batch.query[batch.owner])
        unknown = batch.query_mask[batch.owner].transpose(1, 2) == 0
        cover = self._covered(batch, query, asked, own, cosines)
        nearest = cosines.masked_fill(unknown, _NEVER).max(-1).values.clamp(0, 1)
        attention = (SHARPNESS * cosines).masked_fill(unknown, _NEVER).softmax(-1)
        aligned = torch.einsum("slq,sqp->slp", attention, query[batch.owner])
        flags = torch.stack([nearest, (nearest > EXACT).float(), torch.ones_like(nearest)], -1)
        columns = [own, aligned, own * aligned, self.tag(batch.tags), flags]
        rows = functional.relu(_along(self.c1, self.drop(torch.cat(columns, -1) * batch.mask)))
        rows = rows * batch.mask
        for layer in (self.c2, self.c3):
            rows = functional.relu(_along(layer, self.drop(rows))) * batch.mask + rows
        sought = self.b(pooled) + self.c(self.drop(cover))
        logits = self.u(rows)[..., 0] + torch.einsum("slh,sh->sl", rows, sought)
        return logits.masked_fill(batch.mask[..., 0] == 0, _NEVER), self.v(self.drop(cover))[:, 0]

    def _covered(
        self, batch: "Batch", query: Tensor, asked: Tensor, own: Tensor, cosines: Tensor
    ) -> Tensor:
        empty = batch.mask == 0
        inside = cosines.masked_fill(empty, _NEVER).max(1).values.clamp(0, 1)
        attention = (SHARPNESS * cosines).masked_fill(empty, _NEVER).softmax(1)
        aligned = torch.einsum("slq,slp->sqp", attention, own)
        near = batch.near
        flags = [inside, (inside > EXACT).float(), near, (near > EXACT).float()]
        of_sentence = query[batch.owner]
        told = asked[batch.owner]
        columns = [told, aligned, aligned * of_sentence, torch.stack(flags, -1)]
        compared = functional.relu(self.cmp(self.drop(torch.cat(columns, -1))))
        share = _attention(self.catt, asked, batch.query_mask)[batch.owner]
        known = batch.query_mask[batch.owner]
        both = torch.cat([(share * compared).sum(1), (compared * known).max(1).values], -1)
        return functional.relu(self.agg(both))


def _attention(layer: nn.Linear, asked: Tensor, mask: Tensor) -> Tensor:
    share: Tensor = layer(asked).masked_fill(mask == 0, _NEVER).softmax(1)
    return share


def _along(layer: nn.Conv1d, x: Tensor) -> Tensor:
    out: Tensor = layer(x.transpose(1, 2)).transpose(1, 2)
    return out


@dataclass(frozen=True, slots=True)
class Example:
    """A question that is trained on; `marks` are words of the answer, sentence by sentence."""

    question: str
    places: tuple[Place, ...]
    features: npt.NDArray[np.float64]
    relevant: npt.NDArray[np.bool_]
    marks: tuple[npt.NDArray[np.float32] | None, ...]
    holds: npt.NDArray[np.bool_]  # the answer, relevant or not


def example(group: Group) -> Example:
    """The group without its many sentences that are far off."""
    right = np.flatnonzero(group.relevant)[:N_RIGHT].tolist()
    chosen = sorted({*range(min(N_CANDIDATES, len(group.candidates))), *right})
    places = tuple(group.candidates[i].place for i in chosen)
    texts = [place.text for place in places]
    answer = fold(group.answer).replace(" ", "")
    relevant = group.relevant[chosen]
    holds = [answer in fold(text).replace(" ", "") for text in texts] if answer else relevant
    marks = [
        _marks(t, answer) if r and answer else None for t, r in zip(texts, relevant, strict=True)
    ]
    return Example(
        group.question,
        places,
        group.features[chosen][:, PLAIN],
        relevant,
        tuple(marks),
        np.array(holds, bool),
    )


def _marks(text: str, answer: str) -> npt.NDArray[np.float32] | None:
    """Which words of the text the answer lies in; None if it is cut otherwise."""
    words = read_words(text).words
    at = "".join(words).replace(" ", "").find(answer)
    marks = np.zeros(WINDOW, np.float32)
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
    vectors: Tensor  # (n_sentences, WINDOW, dim)
    tags: Tensor
    mask: Tensor  # (…, 1)
    near: Tensor  # (n_sentences, MAX_QUESTION_WORDS), to a word of the text around
    owner: Tensor  # (n_sentences,)
    features: Tensor
    relevant: Tensor
    marks: Tensor  # (n_sentences, WINDOW)


def make_batch(chosen: Sequence[Example], vectors: WordVectors, rng: random.Random) -> Batch:
    """Lay examples out; from some the answer is taken away."""
    owner: list[int] = []
    places: list[Place] = []
    rows, relevant, marks = [], [], []
    for number, one in enumerate(chosen):
        hidden = rng.random() < TAKEN_AWAY
        for i, place in enumerate(one.places):
            if hidden and one.holds[i]:
                continue
            owner.append(number)
            places.append(place)
            rows.append(one.features[i])
            relevant.append(bool(one.relevant[i]))
            mark = one.marks[i]
            marks.append(np.zeros(WINDOW, np.float32) if mark is None else mark)
    asked = _laid_out([one.question for one in chosen], MAX_QUESTION_WORDS, vectors)
    return Batch(
        *asked,
        *_laid_out([place.text for place in places], WINDOW, vectors),
        _near(places, asked[0][owner], vectors),
        torch.tensor(owner),
        torch.tensor(np.array(rows), dtype=torch.float32),
        torch.tensor(relevant),
        torch.tensor(np.array(marks)),
    )


def _laid_out(
    texts: Sequence[str], width: int, vectors: WordVectors
) -> tuple[Tensor, Tensor, Tensor]:
    found = [read_words(text, width) for text in texts]
    width = max(len(one.words) for one in found)
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


def _near(places: Sequence[Place], queries: Tensor, vectors: WordVectors) -> Tensor:
    near = np.zeros(queries.shape[:2], np.float32)
    for i, (place, query) in enumerate(zip(places, queries.numpy(), strict=True)):
        rows = vectors.rows(around_words(place.around))
        if len(rows):
            near[i] = np.clip((vectors.table[rows] @ query.T).max(axis=0), 0, 1)
    return torch.from_numpy(near)


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
        words, cover = self.network(batch)
        plain = self.linear((batch.features - self.mean) / self.scale)[:, 0]
        scores = torch.logsumexp(words, -1) + cover + plain
        n = len(batch.query)
        of_question = torch.arange(n)[:, None] == batch.owner[None]
        every = scores[None].expand(n, -1).masked_fill(~of_question, _NEVER)
        right = every.masked_fill(~batch.relevant[None], _NEVER)
        none = self.none.expand(n, 1)
        some = (of_question & batch.relevant[None]).any(1)
        wanted = torch.where(some, torch.logsumexp(right, 1), none[:, 0])
        loss = (torch.logsumexp(torch.cat([every, none], 1), 1) - wanted).mean()
        marks = batch.marks[:, : words.shape[1]]
        marked = marks.sum(1) > 0
        if marked.any():
            inside = words[marked].masked_fill(marks[marked] == 0, _NEVER)
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
    """Examples of all other questions; examples of practice questions."""
    with tempfile.TemporaryDirectory() as folder:
        groups = _of_comprehension(data, Path(folder) / "read")
        _LOG.info("%d comprehension questions", len(groups))
        groups += _of_laws(data, Path(folder) / "laws")
        # A question whose answer was not even found teaches nothing about choosing.
        groups = [group for group in groups if group.relevant.any()]
        _LOG.info("%d with lay questions", len(groups))
        groups += _of_news(data, Path(folder) / "news")
        _LOG.info("%d with questions on news", len(groups))
        with Assistant.open(Path(folder) / "cases") as assistant:
            practice = load_questions(PRACTICE_FILE, "train")
            practice += [
                replace(one, question=misspelt(one.question, i))
                for i, one in enumerate(practice)
                if one.answerable and i % MISSPELT == 0
            ]
            repeated = [example(group) for group in sentence_groups(assistant, practice)]
    return [example(group) for group in groups], repeated


def _of_comprehension(data: Path, home: Path) -> list[Group]:
    found = [one for one in load_comprehension(data) if one.number % 3]
    passages = {one.passage: Passage(one.name, "", one.passage) for one in found}
    some = found[:: max(1, len(found) // N_COMPREHENSION)]
    some = [
        replace(one, question=misspelt(one.question, i)) if i % MISSPELT == 0 else one
        for i, one in enumerate(some)
    ]
    with filled_library(Benchmark(tuple(passages.values()), ()), home) as assistant:
        return comprehension_groups(assistant, some)


def _of_laws(data: Path, home: Path) -> list[Group]:
    articles, lay = load_lay(data)
    some = lay[:: max(1, len(lay) // N_LAY)]
    with filled_library(Benchmark(tuple(articles), ()), home) as assistant:
        return lay_groups(assistant, some)


def _of_news(data: Path, home: Path) -> list[Group]:
    asked = [one for one in load_news_questions(data) if one.split == "train"]
    asked = [
        replace(one, question=misspelt(one.question, i)) if i % MISSPELT == 0 else one
        for i, one in enumerate(asked)
    ]
    with filled_library(Benchmark(news_passages(asked), ()), home) as assistant:
        return news_groups(assistant, asked)


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
