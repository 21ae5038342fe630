"""The folder of training data in, everything that is trained on as vocabulary rows out.

Reads `train/news.jsonl.xz`, `laws.jsonl.xz`, `question_passage.jsonl.xz` and
`guangdong_service_items.jsonl.xz`; of the dev sets nothing. Our own questions on passages of the
news, on policy passages of our own and on articles of law (`news_questions.jsonl`,
`policy_questions.jsonl` and `law_questions.jsonl` beside this file) join those that the data bring.
Practice questions on the built-in cases, if given, are paired with the
chunks that answer them. What is made of all that is kept in a cache file, because cutting the texts
into terms takes minutes.
"""

import json
import logging
import lzma
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from corpus.builtin import builtin_document
from corpus.chunks import split_chunks
from corpus.errors import CorpusError
from corpus.outline import parse_outline
from corpus.readers.text import decode
from corpus.types import Chunk, Document
from embeddings.tokens import TERMS_VERSION
from embeddings.training.rows import Counter, Rows, renumbered

VOCABULARY_SIZE = 62_000  # at 256 dimensions and one byte each, 16 MB
MIN_COUNT = 4  # rarer terms have no vector worth keeping
MAX_SENTENCES = 30  # of a news article; the rest is seldom about its title
STATUTES = "STARD"  # the source whose passages are articles of `laws.jsonl.xz`

NEWS_QUESTIONS = Path(str(files("embeddings.training") / "news_questions.jsonl"))
POLICY_QUESTIONS = Path(str(files("embeddings.training") / "policy_questions.jsonl"))
LAW_QUESTIONS = Path(str(files("embeddings.training") / "law_questions.jsonl"))

_LOG = logging.getLogger(__name__)
_SENTENCE_END = re.compile(r"(?<=[。！？!?])|\n")
_MIN_SENTENCE = 8  # characters
# Fields of TrainingData that are lists of numbers.
_LISTS = ("lay_articles", "own_answers", "case_answers")


@dataclass(frozen=True, slots=True)
class PassageQuestion:
    """A question of our own on a passage, which answers it only if there is evidence."""

    question: str
    type: str  # fact, paraphrase, how, unanswerable
    split: str  # train, or fit: kept from what learns from the others
    passage: str
    evidence: tuple[str, ...]  # sentences
    words: str  # of the answer, "" where it is no short one
    title: str = ""  # of the passage

    def is_answered_by(self, text: str) -> bool:
        """Whether a text of the passage is a sentence that answers, or a part of one."""
        return any(text in sentence or sentence in text for sentence in self.evidence)


@dataclass(frozen=True, slots=True)
class TrainingData:
    """All texts, and which of them belong together.

    `*_first` has, for every document, the number of its first sentence, and one entry more.
    """

    vocabulary: list[str]
    counts: npt.NDArray[np.int64]
    law_titles: Rows  # name of the law and number of the article
    laws: Rows  # text of the article
    law_sentences: Rows
    law_first: npt.NDArray[np.int64]
    news_sentences: Rows
    news_first: npt.NDArray[np.int64]
    item_titles: Rows  # service items
    item_bodies: Rows
    questions: Rows  # on encyclopedia passages
    passages: Rows
    question_passage: npt.NDArray[np.int64]  # (n_questions,)
    lay_questions: Rows  # on statutes
    lay_articles: list[list[int]]  # relevant rows of `laws`
    own_questions: Rows  # our own on news and policy passages
    own_sentences: Rows  # of those passages
    own_answers: list[list[int]]  # relevant rows of `own_sentences`
    case_questions: Rows  # on the built-in cases
    case_chunks: Rows
    case_answers: list[list[int]]  # relevant rows of `case_chunks`

    def asked(self) -> dict[str, tuple[Rows, list[list[int]], Rows]]:
        """By kind: questions, the rows of the passages that answer each, and the passages."""
        passages = [[int(passage)] for passage in self.question_passage]
        return {
            "question": (self.questions, passages, self.passages),
            "lay": (self.lay_questions, self.lay_articles, self.articles()),
            "case": (self.case_questions, self.case_answers, self.case_chunks),
            "sentence": (self.own_questions, self.own_answers, self.own_sentences),
        }

    def articles(self) -> Rows:
        """Title and text of every article, as they are indexed."""
        titles, laws = self.law_titles, self.laws
        parts = [part for i in range(len(laws)) for part in (titles[i], laws[i])]
        return Rows(np.concatenate(parts), titles.starts + laws.starts)


def load_data(data: Path, cache: Path, questions: Path | None = None) -> TrainingData:
    """Read `data`, or `cache` if it was made of the same files."""
    sources = [*sorted((data / "train").glob("*.xz"))]
    sources += [NEWS_QUESTIONS, POLICY_QUESTIONS, LAW_QUESTIONS]
    sources += [questions] if questions else []
    sizes = " ".join(str(file.stat().st_size) for file in sources)
    key = f"{TERMS_VERSION} {VOCABULARY_SIZE} {sizes}"
    if cache.is_file():
        with np.load(cache) as saved:
            if str(saved["key"]) == key:
                return _unpacked(saved)
    made = prepare(data, questions)
    cache.parent.mkdir(parents=True, exist_ok=True)
    np.savez(cache, key=np.array(key), **_packed(made))  # type: ignore[arg-type]
    return made


def read_rows(file: Path) -> Iterator[dict[str, Any]]:
    """Rows of a JSON Lines file, packed or not.

    Raises
    ------
    CorpusError
        If the file is missing or damaged.
    """
    opened = lzma.open if file.suffix == ".xz" else open
    try:
        with opened(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)
    except (OSError, ValueError, lzma.LZMAError) as error:
        raise CorpusError(f"无法读取训练数据 {file}:{error}", f"cannot read {file}") from error


def split_sentences(text: str) -> list[str]:
    """Sentences of at least eight characters."""
    return [s for s in _SENTENCE_END.split(text) if len(s.strip()) >= _MIN_SENTENCE]


def prepare(data: Path, questions: Path | None = None) -> TrainingData:
    """Read and cut all texts."""
    folder = data / "train"
    counter = Counter()
    laws = list(read_rows(folder / "laws.jsonl.xz"))
    number: dict[str, int] = {}
    for i, row in enumerate(laws):
        number.setdefault(f"{row['law']}{row['article']} {row['text']}", i)
    law_sentences, law_first = _sentences([row["text"] for row in laws], counter)
    _LOG.info("%d articles of laws", len(laws))
    news = (row["text"] for row in read_rows(folder / "news.jsonl.xz"))
    news_sentences, news_first = _sentences(news, counter)
    _LOG.info("%d news articles", len(news_first) - 1)
    items = list(read_rows(folder / "guangdong_service_items.jsonl.xz"))
    pairs, lay = _questions(folder / "question_passage.jsonl.xz", number)
    ours = [*load_news_questions(data), *load_policy_questions()]
    ours = [one for one in ours if one.split == "train" and one.evidence]
    pairs += [(one.question, f"{one.title} {one.passage}".strip()) for one in ours]
    sentences, answers = _own_sentences(ours)
    row_of = {row["id"]: i for i, row in enumerate(laws)}
    for question, article in load_law_questions():
        if article in row_of:
            lay.setdefault(question, []).append(row_of[article])
    passage_row = {text: i for i, text in enumerate(dict.fromkeys(p for _, p in pairs))}
    chunks = split_chunks(_builtin())
    asked = _case_questions(questions, chunks) if questions else {}
    texts = {
        "law_titles": counter.rows(row["law"] + row["article"] for row in laws),
        "laws": counter.rows(row["text"] for row in laws),
        "law_sentences": law_sentences,
        "news_sentences": news_sentences,
        "item_titles": counter.rows(row["TASK_NAME"] for row in items),
        "item_bodies": counter.rows(
            f"{(row.get('accept_standard') or '')[:400]} {row.get('DEPT_NAME') or ''}"
            for row in items
        ),
        "questions": counter.rows(q for q, _ in pairs),
        "passages": counter.rows(passage_row),
        "lay_questions": counter.rows(lay),
        "own_questions": counter.rows(one.question for one in ours),
        "own_sentences": counter.rows(sentences),
        "case_questions": counter.rows(asked),
        "case_chunks": counter.rows(f"{chunk.heading} {chunk.text}" for chunk in chunks),
    }
    # Sentences of laws are counted once, in the articles, and our own in their passages.
    again = ("law_sentences", "own_questions", "own_sentences")
    counted = [rows for name, rows in texts.items() if name not in again]
    vocabulary, counts, new_row = counter.vocabulary(
        counted, size=VOCABULARY_SIZE, min_count=MIN_COUNT
    )
    return TrainingData(
        vocabulary=vocabulary,
        counts=counts,
        law_first=law_first,
        news_first=news_first,
        question_passage=np.array([passage_row[p] for _, p in pairs], np.int64),
        lay_articles=list(lay.values()),
        own_answers=answers,
        case_answers=list(asked.values()),
        **{name: renumbered(rows, new_row) for name, rows in texts.items()},
    )


def _own_sentences(asked: Sequence[PassageQuestion]) -> tuple[list[str], list[list[int]]]:
    """All sentences of the passages, and for every question those that answer it."""
    number: dict[str, int] = {}
    by_passage: dict[str, list[str]] = {}
    for one in asked:
        found = by_passage.setdefault(one.passage, split_sentences(one.passage))
        for sentence in (*found, *one.evidence):
            number.setdefault(sentence, len(number))
    answers = []
    for one in asked:
        cut = filter(one.is_answered_by, by_passage[one.passage])
        answers.append(sorted({number[sentence] for sentence in (*one.evidence, *cut)}))
    return list(number), answers


def _sentences(
    texts: Iterator[str] | list[str], counter: Counter
) -> tuple[Rows, npt.NDArray[np.int64]]:
    first = [0]

    def cut() -> Iterator[str]:
        for text in texts:
            found = split_sentences(text)[:MAX_SENTENCES]
            first.append(first[-1] + len(found))
            yield from found

    rows = counter.rows(cut())
    return rows, np.array(first, np.int64)


def _questions(
    file: Path, number: dict[str, int]
) -> tuple[list[tuple[str, str]], dict[str, list[int]]]:
    """Question-passage pairs, and lay questions with the rows of their articles."""
    pairs: list[tuple[str, str]] = []
    lay: dict[str, list[int]] = {}
    for row in read_rows(file):
        if not row["source"].startswith(STATUTES):
            pairs.append((row["query"], row["passage"]))
        elif row["passage"] in number:
            lay.setdefault(row["query"], []).append(number[row["passage"]])
    return pairs, lay


def load_news_questions(data: Path) -> list[PassageQuestion]:
    """Our own questions on those articles that the folder has.

    A place in an article counts its characters without blanks.
    """
    asked = list(read_rows(NEWS_QUESTIONS))
    wanted = {row["news"] for row in asked}
    texts = {
        row["id"]: "".join(row["text"].split())
        for row in read_rows(data / "train" / "news.jsonl.xz")
        if row["id"] in wanted
    }
    return [
        PassageQuestion(
            row["question"],
            row["type"],
            row["split"],
            texts[row["news"]][row["start"] : row["end"]],
            tuple(texts[row["news"]][a:b] for a, b in row["evidence"]),
            row.get("words", ""),
        )
        for row in asked
        if row["news"] in texts
    ]


def load_policy_questions(file: Path = POLICY_QUESTIONS) -> list[PassageQuestion]:
    """Our own questions on passages of our own, which read like reports, notices and measures."""
    return [
        PassageQuestion(
            one["question"],
            one["type"],
            row["split"],
            "".join(row["sentences"]),
            tuple(row["sentences"][number - 1] for number in one["sentences"]),
            one["words"],
            row["title"],
        )
        for row in read_rows(file)
        for one in row["questions"]
    ]


def load_law_questions() -> list[tuple[str, str]]:
    """Our own lay questions, each with the id of the article that answers it."""
    return [(row["question"], row["law"]) for row in read_rows(LAW_QUESTIONS)]


def _builtin() -> Document:
    name, content = builtin_document()
    text = decode(content)
    return Document(0, name, text, "", parse_outline(text))


def _case_questions(file: Path, chunks: list[Chunk]) -> dict[str, list[int]]:
    """Questions of the split `train` with the chunks that hold their evidence."""
    asked: dict[str, list[int]] = {}
    for row in read_rows(file):
        quotes = [(piece["case"], piece["text"]) for piece in row["evidence"]]
        found = [
            i
            for i, chunk in enumerate(chunks)
            if any(
                case == chunk.case and (text in chunk.text or chunk.text in text)
                for case, text in quotes
            )
        ]
        if row["split"] == "train" and found:
            asked[",".join([*row.get("history", [])[-1:], row["question"]])] = found
    return asked


def _packed(data: TrainingData) -> dict[str, npt.NDArray[Any]]:
    out: dict[str, npt.NDArray[Any]] = {}
    for name in TrainingData.__dataclass_fields__:
        value = getattr(data, name)
        if isinstance(value, Rows):
            out[f"{name}.flat"], out[f"{name}.starts"] = value.flat, value.starts
        elif name == "vocabulary":
            out[name] = np.array(json.dumps(value, ensure_ascii=False))
        elif name in _LISTS:
            out[name] = np.array(json.dumps(value))
        else:
            out[name] = value
    return out


def _unpacked(saved: Any) -> TrainingData:  # noqa: ANN401  (numpy has no public type for it)
    values: dict[str, Any] = {}
    for name in TrainingData.__dataclass_fields__:
        if f"{name}.flat" in saved:
            values[name] = Rows(saved[f"{name}.flat"], saved[f"{name}.starts"])
        elif name in ("vocabulary", *_LISTS):
            values[name] = json.loads(str(saved[name]))
        else:
            values[name] = saved[name]
    return TrainingData(**values)
