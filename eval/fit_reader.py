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

from embeddings.encoder import Encoder, load_encoder
from embeddings.fold import fold
from embeddings.training.data import PassageQuestion, load_news_questions, load_policy_questions
from embeddings.words import WordVectors
from eval.benchmark import Benchmark, Passage, filled_library
from eval.groups import (
    Group,
    comprehension_groups,
    lay_groups,
    load_comprehension,
    load_lay,
    misspelt,
    passage_groups,
    passages_of,
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
    STEP,
    WINDOW,
    Place,
    Reader,
    around_words,
    read_words,
)
from rag.select import FEATURES

PLAIN = [i for i, name in enumerate(FEATURES) if name != "reader"]
N_CANDIDATES = 12  # sentences that a question chooses from, besides the right ones
N_RIGHT = 4  # of them at most
N_DRAWN = 8  # wrong ones that a question is shown with each time
WIDTH = 64  # words of a sentence that are learnt from
N_NETWORKS = 2  # that read side by side, each from its own beginning
BATCH = 16  # questions
LEARNING_RATE = 1.5e-3
EPOCHS = 2
REPEATED = 2  # times that a practice question comes in an epoch
TAKEN_AWAY = 0.2  # share of the questions whose answer is hidden
MISSPELT = 8  # every so many questions one is misspelt
ANSWER_WEIGHT = 0.3  # of finding the words of the answer in their sentence
N_COMPREHENSION, N_LAY = 4_500, 2_100  # questions

_LOG = logging.getLogger(__name__)
_NEVER = -1e4


class ReaderNetwork(nn.Module):
    """What `rag.reader` computes; the parameters have the same names there."""

    def __init__(self, dim: int, projected: int = 64, hidden: int = 96, compared: int = 64) -> None:
        super().__init__()
        n_tag, n_matched = 8, 48
        self.proj = nn.Linear(dim, projected)
        self.tag = nn.Embedding(PADDING + 1, n_tag, padding_idx=PADDING)
        self.qconv = nn.Conv1d(projected + n_tag, hidden, 3, padding=1)
        self.sconv = nn.Conv1d(projected + n_tag, hidden, 3, padding=1)
        self.mq = nn.Linear(hidden + projected, n_matched)
        self.ms = nn.Linear(hidden + projected, n_matched)
        self.qatt = nn.Linear(hidden, 1, bias=False)
        self.catt = nn.Linear(hidden, 1, bias=False)
        self.cq = nn.Linear(hidden, compared)
        self.cf = nn.Linear(8, compared, bias=False)
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
        """Logits `(n_sentences, width)` of the words to be of the answer, and sentences' scores."""
        query = torch.tanh(self.proj(self.drop(batch.query)))
        inputs = torch.cat([query, self.tag(batch.query_tags)], -1) * batch.query_mask
        asked = functional.relu(_along(self.qconv, inputs))
        pooled = (_attention(self.qatt, asked, batch.query_mask) * asked).sum(1)[batch.owner]
        own = torch.tanh(self.proj(self.drop(batch.vectors))) * batch.mask
        tags = self.tag(batch.tags) * batch.mask
        cosines = torch.einsum("slv,sqv->slq", batch.vectors, batch.query[batch.owner])
        cover = self._covered(batch, query, asked, torch.cat([own, tags], -1), own, cosines)
        unknown = batch.query_mask[batch.owner].transpose(1, 2) == 0
        nearest = cosines.masked_fill(unknown, _NEVER).max(-1).values.clamp(0, 1)
        attention = (SHARPNESS * cosines).masked_fill(unknown, _NEVER).softmax(-1)
        aligned = torch.einsum("slq,sqp->slp", attention, query[batch.owner])
        flags = torch.stack([nearest, (nearest > EXACT).float(), torch.ones_like(nearest)], -1)
        columns = [own, aligned, own * aligned, tags, flags]
        rows = functional.relu(_along(self.c1, self.drop(torch.cat(columns, -1) * batch.mask)))
        rows = rows * batch.mask
        for layer in (self.c2, self.c3):
            rows = functional.relu(_along(layer, self.drop(rows))) * batch.mask + rows
        words = self.u(rows)[..., 0] + torch.einsum("slh,sh->sl", rows, self.b(pooled))
        sought = self.c(self.drop(cover))
        logits = words[:, None] + torch.einsum("slh,swh->swl", rows, sought)
        logits = logits.masked_fill(~_inside(batch.mask, logits.shape[1]), _NEVER)
        scores = torch.logsumexp(logits, -1) + self.v(self.drop(cover))[..., 0]
        scores = scores.masked_fill(~_windows(batch.mask, scores.shape[1]), _NEVER)
        return logits.max(1).values, scores.max(1).values

    def _covered(
        self,
        batch: "Batch",
        query: Tensor,
        asked: Tensor,
        rows: Tensor,
        own: Tensor,
        cosines: Tensor,
    ) -> Tensor:
        """What becomes of the question's words in every window: `(n_sentences, n_windows, …)`."""
        found = functional.relu(_along(self.sconv, rows))
        sought = functional.normalize(self.mq(torch.cat([asked, query], -1)), dim=-1)
        found = functional.normalize(self.ms(torch.cat([found, own], -1)), dim=-1)
        learnt = torch.einsum("slm,sqm->slq", found, sought[batch.owner])
        empty = batch.mask == 0
        near = [_highest(x.masked_fill(empty, -1.0)) for x in (cosines, learnt)]
        whole = [x.max(1, keepdim=True).values.expand_as(x) for x in near]
        near[0], whole[0] = near[0].clamp(0, 1), whole[0].clamp(0, 1)
        around = batch.near[:, None].expand_as(near[0])
        flags = [
            near[0],
            near[0] > EXACT,
            near[1],
            *whole,
            whole[0] > EXACT,
            around,
            around > EXACT,
        ]
        of_words = self.cq(self.drop(asked))[batch.owner][:, None]
        flagged = self.cf(torch.stack([flag.float() for flag in flags], -1))
        compared = functional.relu(of_words + flagged)
        share = _attention(self.catt, asked, batch.query_mask)[batch.owner][:, None]
        known = batch.query_mask[batch.owner][:, None]
        both = torch.cat([(share * compared).sum(2), (compared * known).max(2).values], -1)
        return functional.relu(self.agg(self.drop(both)))


def _highest(x: Tensor) -> Tensor:
    """The highest of `(n_sentences, width, n)` in every window: `(n_sentences, n_windows, n)`."""
    short = WINDOW - x.shape[1]
    missing = short if short > 0 else short % STEP
    padded = functional.pad(x, (0, 0, 0, missing), value=-1.0)
    return functional.max_pool1d(padded.transpose(1, 2), WINDOW, STEP).transpose(1, 2)


def _windows(mask: Tensor, n: int) -> Tensor:
    """Which of `n` windows each sentence has, `(n_sentences, n)`."""
    length = mask[..., 0].sum(1)
    n_windows = 1 + torch.ceil((length - WINDOW).clamp(min=0) / STEP)
    return torch.arange(n)[None] < n_windows[:, None]


def _inside(mask: Tensor, n: int) -> Tensor:
    """Which words each of `n` windows holds, `(n_sentences, n, width)`."""
    place = torch.arange(mask.shape[1])[None]
    first = STEP * torch.arange(n)[:, None]
    return ((place >= first) & (place < first + WINDOW))[None] & (mask[:, None, :, 0] > 0)


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
    words = read_words(text, WIDTH).words
    at = "".join(words).replace(" ", "").find(answer)
    marks = np.zeros(WIDTH, np.float32)
    place = 0
    for i, word in enumerate(words):
        length = len(word.replace(" ", ""))
        marks[i] = at >= 0 and place < at + len(answer) and place + length > at
        place += length
    return marks if marks.any() else None


class Texts:
    """All texts of the examples as numbers: cut once, with one row of `table` for each word."""

    def __init__(self, examples: Sequence[Example], encoder: Encoder) -> None:
        places = [place for one in examples for place in one.places]
        self._row: dict[str, int] = {}
        self._read: dict[str, tuple[list[int], list[int]]] = {}
        self._around: dict[str, list[int]] = {}
        for text in dict.fromkeys(one.question for one in examples):
            self._add(text, MAX_QUESTION_WORDS)
        for text in dict.fromkeys(place.text for place in places):
            self._add(text, WIDTH)
        for text in dict.fromkeys(place.around for place in places):
            self._around[text] = self._rows(around_words(text))
        rows = encoder.encode_document(list(self._row))
        self.table = torch.cat([torch.from_numpy(rows), torch.zeros(1, rows.shape[1])])

    def _add(self, text: str, limit: int) -> None:
        read = read_words(text, limit)
        self._read[text] = (self._rows(read.words), read.tags.tolist())

    def _rows(self, words: Sequence[str]) -> list[int]:
        return [self._row.setdefault(word, len(self._row)) for word in words]

    def laid_out(self, texts: Sequence[str]) -> tuple[Tensor, Tensor, Tensor]:
        """Vectors, parts of speech and mask of texts, one row each."""
        found = [self._read[text] for text in texts]
        shape = (len(texts), max(1, *(len(rows) for rows, _ in found)))
        number = torch.full(shape, len(self.table) - 1)
        tags = torch.full(shape, PADDING)
        for i, (rows, tagged) in enumerate(found):
            number[i, : len(rows)] = torch.tensor(rows, dtype=torch.int64)
            tags[i, : len(rows)] = torch.tensor(tagged, dtype=torch.int64)
        return self.table[number], tags, (number < len(self.table) - 1).float()[..., None]

    def near(self, places: Sequence[Place], owner: Sequence[int], queries: Tensor) -> Tensor:
        """How near each word of a place's question is to a word of the text around the place."""
        near = torch.zeros(len(places), queries.shape[1])
        known: dict[tuple[str, int], Tensor] = {}
        for i, (place, number) in enumerate(zip(places, owner, strict=True)):
            key = (place.around, number)
            if key not in known and (rows := self._around[place.around]):
                cosines = self.table[torch.tensor(rows)] @ queries[number].T
                known[key] = cosines.max(0).values.clamp(0, 1)
            near[i] = known.get(key, near[i])
        return near


@dataclass(frozen=True, slots=True)
class Batch:
    """Questions and sentences as numbers; a sentence's `owner` is its question."""

    query: Tensor  # (n_questions, n_words, dim)
    query_tags: Tensor
    query_mask: Tensor  # (…, 1)
    vectors: Tensor  # (n_sentences, width, dim)
    tags: Tensor
    mask: Tensor  # (…, 1)
    near: Tensor  # (n_sentences, n_words), to a word of the text around
    owner: Tensor  # (n_sentences,)
    features: Tensor
    relevant: Tensor
    marks: Tensor  # (n_sentences, WIDTH)


def make_batch(chosen: Sequence[Example], texts: Texts, rng: random.Random) -> Batch:
    """Lay examples out, each with some of its wrong sentences; from some the answer is taken."""
    owner: list[int] = []
    places: list[Place] = []
    rows, relevant, marks = [], [], []
    for number, one in enumerate(chosen):
        hidden = rng.random() < TAKEN_AWAY
        wrong = np.flatnonzero(~one.relevant).tolist()
        drawn = {*rng.sample(wrong, min(N_DRAWN, len(wrong))), *np.flatnonzero(one.relevant)}
        for i in sorted(drawn):
            if hidden and one.holds[i]:
                continue
            owner.append(number)
            places.append(one.places[i])
            rows.append(one.features[i])
            relevant.append(bool(one.relevant[i]))
            mark = one.marks[i]
            marks.append(np.zeros(WIDTH, np.float32) if mark is None else mark)
    asked = texts.laid_out([one.question for one in chosen])
    return Batch(
        *asked,
        *texts.laid_out([place.text for place in places]),
        texts.near(places, owner, asked[0]),
        torch.tensor(owner),
        torch.tensor(np.array(rows), dtype=torch.float32),
        torch.tensor(relevant),
        torch.tensor(np.array(marks)),
    )


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
        words, scores = self.network(batch)
        scores = scores + self.linear((batch.features - self.mean) / self.scale)[:, 0]
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
    examples: Sequence[Example], repeated: Sequence[Example], texts: Texts, seed: int = 0
) -> ReaderNetwork:
    """Train a network; `repeated` examples come several times in each epoch."""
    torch.manual_seed(seed)
    rng = random.Random(seed)
    model = Choice(ReaderNetwork(texts.table.shape[1]), [*examples, *repeated])
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
            loss = model.loss(make_batch(pool[at : at + BATCH], texts, rng))
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


class Unread(Reader):
    """Says nothing: what one reader says must not choose what the next one learns from."""

    def read(self, question: str, places: Sequence[Place]) -> npt.NDArray[np.float32]:
        """The same for all sentences."""
        return np.zeros(len(places), np.float32)

    def locate(self, question: str, place: Place, spans: Sequence[tuple[int, int]]) -> list[float]:
        """The same for all spans."""
        return [0.0] * len(spans)


def unread(assistant: Assistant) -> Assistant:
    """The assistant without what its reader says."""
    assistant.library.reader = Unread(WordVectors(load_encoder()))
    return assistant


def collect(data: Path) -> tuple[list[Example], list[Example]]:
    """Examples of all other questions; examples of practice questions."""
    with tempfile.TemporaryDirectory() as folder:
        groups = _of_comprehension(data, Path(folder) / "read")
        _LOG.info("%d comprehension questions", len(groups))
        groups += _of_laws(data, Path(folder) / "laws")
        # A question whose answer was not even found teaches nothing about choosing.
        groups = [group for group in groups if group.relevant.any()]
        _LOG.info("%d with lay questions", len(groups))
        groups += _of_passages(load_news_questions(data), Path(folder) / "news")
        _LOG.info("%d with questions on news", len(groups))
        groups += _of_passages(load_policy_questions(), Path(folder) / "policy")
        _LOG.info("%d with questions on policy", len(groups))
        with Assistant.open(Path(folder) / "cases") as assistant:
            practice = load_questions(PRACTICE_FILE, "train")
            practice += [
                replace(one, question=misspelt(one.question, i))
                for i, one in enumerate(practice)
                if one.answerable and i % MISSPELT == 0
            ]
            repeated = [example(group) for group in sentence_groups(unread(assistant), practice)]
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
        return comprehension_groups(unread(assistant), some)


def _of_laws(data: Path, home: Path) -> list[Group]:
    articles, lay = load_lay(data)
    some = lay[:: max(1, len(lay) // N_LAY)]
    with filled_library(Benchmark(tuple(articles), ()), home) as assistant:
        return lay_groups(unread(assistant), some)


def _of_passages(asked: Sequence[PassageQuestion], home: Path) -> list[Group]:
    asked = [one for one in asked if one.split == "train"]
    asked = [
        replace(one, question=misspelt(one.question, i)) if i % MISSPELT == 0 else one
        for i, one in enumerate(asked)
    ]
    with filled_library(Benchmark(passages_of(asked), ()), home) as assistant:
        return passage_groups(unread(assistant), asked)


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
    texts = Texts([*examples, *repeated], load_encoder())
    state = {
        f"{seed}.{name}": tensor.half()
        for seed in range(N_NETWORKS)
        for name, tensor in train(examples, repeated, texts, seed).state_dict().items()
    }
    args.out.write_bytes(save(state))
    return 0


if __name__ == "__main__":
    sys.exit(main())
