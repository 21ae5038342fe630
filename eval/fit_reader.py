"""Training questions in, `rag/reader.safetensors` out: the network that reads candidate sentences.

`python -m eval.fit_reader --data DIR` reads the comprehension and lay questions of DIR/train, our
own questions on its news and laws, those on policy passages and the practice questions, of all
these the split `train`; nothing of any dev or test set. Every question is a choice between its
candidate sentences and none of them (Clark and Gardner 2018, arXiv:1710.10723, put paragraphs and a
no-answer score under one softmax in the same way); some have no answer, from others it is taken
away. The features of `rag.select` take part in the choice, so that the network learns what they do
not tell.
"""

import argparse
import logging
import random
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from safetensors.numpy import save
from torch import Tensor, nn

from embeddings.encoder import Encoder, load_encoder
from embeddings.fold import fold
from embeddings.training.data import PassageQuestion, load_news_questions, load_policy_questions
from embeddings.words import WordVectors
from eval.benchmark import Passage, cases, filled
from eval.groups import (
    MISSPELT,
    Comprehension,
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
from eval.parallel import side_by_side
from eval.questions import PRACTICE_FILE, load_questions
from eval.reader_network import NEVER, Batch, ReaderNetwork
from rag.assistant import Assistant
from rag.reader import (
    FILE,
    MAX_QUESTION_WORDS,
    PADDING,
    Place,
    Reader,
    around_words,
    read_words,
)
from rag.select import FEATURES

PLAIN = slice(FEATURES.index("reader"))  # what follows is said by a reader, or of the place
N_CANDIDATES = 12  # sentences that a question chooses from, besides the right ones
N_RIGHT = 4  # of them at most
N_DRAWN = 8  # wrong ones that a question is shown with each time
WIDTH = 64  # words of a sentence that are learnt from
N_NETWORKS = 2  # that read side by side, each from its own beginning
BATCH = 16  # questions
N_PIECES = 4  # by length, in which a batch is read
LEARNING_RATE = 1.5e-3
EPOCHS = 4
REPEATED = 2  # times that a practice question comes in an epoch
TAKEN_AWAY = 0.2  # share of the questions whose answer is hidden
ANSWER_WEIGHT = 0.3  # of finding the words of the answer in their sentence

_LOG = logging.getLogger(__name__)


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
        group.features[chosen, PLAIN],
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
        pieces = list(batch.by_length(N_PIECES))
        read = [self.network(piece) for piece in pieces]
        features = torch.cat([piece.features for piece in pieces])
        relevant = torch.cat([piece.relevant for piece in pieces])
        owner = torch.cat([piece.owner for piece in pieces])
        scores = torch.cat([scores for _, scores in read])
        scores = scores + self.linear((features - self.mean) / self.scale)[:, 0]
        n = len(batch.query)
        of_question = torch.arange(n)[:, None] == owner[None]
        every = scores[None].expand(n, -1).masked_fill(~of_question, NEVER)
        right = every.masked_fill(~relevant[None], NEVER)
        none = self.none.expand(n, 1)
        some = (of_question & relevant[None]).any(1)
        wanted = torch.where(some, torch.logsumexp(right, 1), none[:, 0])
        loss = (torch.logsumexp(torch.cat([every, none], 1), 1) - wanted).mean()
        missed = [_missed(p.marks, words) for p, (words, _) in zip(pieces, read, strict=True)]
        if len(marked := torch.cat(missed)):
            loss = loss + ANSWER_WEIGHT * marked.mean()
        return loss


def _missed(marks: Tensor, words: Tensor) -> Tensor:
    """Of every sentence with marks, minus the log of the share of its words that are marked."""
    marks = marks[:, : words.shape[1]]
    marked = marks.sum(1) > 0
    inside = words[marked].masked_fill(marks[marked] == 0, NEVER)
    return torch.logsumexp(words[marked], -1) - torch.logsumexp(inside, -1)


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


def practice_examples(_: Path) -> list[Example]:
    """Questions on the built-in cases."""
    asked = load_questions(PRACTICE_FILE, "train")
    asked += [
        replace(one, question=misspelt(one.question, i))
        for i, one in enumerate(asked)
        if one.answerable and i % MISSPELT == 0
    ]
    with cases() as assistant:
        return [example(group) for group in sentence_groups(unread(assistant), asked)]


def comprehension_examples(data: Path) -> list[Example]:
    """Questions on two thirds of the encyclopedia passages."""
    found = [one for one in load_comprehension(data) if one.number % 3]
    passages = {one.passage: Passage(one.name, "", one.passage) for one in found}
    asked = _some_misspelt(found)
    return _examples(passages.values(), partial(comprehension_groups, asked=asked))


def law_examples(data: Path) -> list[Example]:
    """Lay questions on articles of law."""
    articles, lay = load_lay(data)
    return _examples(articles, partial(lay_groups, asked=lay))


def news_examples(data: Path) -> list[Example]:
    """Our own questions on news."""
    return _own_examples(load_news_questions(data))


def policy_examples(_: Path) -> list[Example]:
    """Our own questions on policy passages."""
    return _own_examples(load_policy_questions())


def _own_examples(asked: Sequence[PassageQuestion]) -> list[Example]:
    asked = _some_misspelt([one for one in asked if one.split == "train"])
    # All passages are rivals, as in a library.
    return _examples(passages_of(asked), partial(passage_groups, asked=asked))


Asked = TypeVar("Asked", Comprehension, PassageQuestion)


def _some_misspelt(asked: Sequence[Asked]) -> list[Asked]:
    return [
        replace(one, question=misspelt(one.question, i)) if i % MISSPELT == 0 else one
        for i, one in enumerate(asked)
    ]


def _examples(
    passages: Iterable[Passage], groups_of: Callable[[Assistant], list[Group]]
) -> list[Example]:
    with filled(passages) as assistant:
        return [example(group) for group in groups_of(unread(assistant))]


SOURCES = (news_examples, comprehension_examples, law_examples, policy_examples)


def trained_state(
    seed: int, examples: Sequence[Example], repeated: Sequence[Example]
) -> dict[str, npt.NDArray[np.float16]]:
    """The weights of one network, their names beginning with its number.

    No tensors: torch would hand them on through a process that has ended by then.
    """
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format=f"{seed}: %(message)s")
    torch.set_num_threads(1)
    texts = Texts([*examples, *repeated], load_encoder())
    state = train(examples, repeated, texts, seed).state_dict()
    return {f"{seed}.{name}": tensor.half().numpy() for name, tensor in state.items()}


def main(argv: Sequence[str] | None = None) -> int:
    """Collect, train, write."""
    parser = argparse.ArgumentParser(prog="python -m eval.fit_reader", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with train/")
    parser.add_argument("--out", type=Path, default=FILE)
    parser.add_argument("--workers", type=int, default=2, help="processes side by side")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(message)s")
    pieces = [partial(source, args.data) for source in (*SOURCES, practice_examples)]
    *found, repeated = side_by_side(pieces, args.workers)
    examples = [one for of_source in found for one in of_source]
    _LOG.info("%d examples, %d practice questions", len(examples), len(repeated))
    networks = [partial(trained_state, seed, examples, repeated) for seed in range(N_NETWORKS)]
    states = side_by_side(networks, args.workers)
    args.out.write_bytes(save({name: rows for state in states for name, rows in state.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
