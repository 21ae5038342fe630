"""Questions and a library in, their candidate sentences with what is right out: to be fitted on.

The sentence models are fitted on four kinds of questions: those that somebody wrote on the built-in
cases and on passages of the news and of policy, some of which nothing answers; reading
comprehension on encyclopedia passages; and lay questions on statutes. `eval.fit_reader` and
`eval.fit` each get parts of their own, so that what the second weighs is not what the first has
learnt by heart.
"""

import hashlib
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from embeddings.fold import fold
from embeddings.training.data import PassageQuestion, load_law_questions
from eval.benchmark import Passage, read_rows
from eval.questions import Question, Span, found_spans
from rag.assistant import Assistant
from rag.evidence import Evidence
from rag.questions import Intent
from rag.select import Candidate

MISSPELT = 8  # of so many questions one is misspelt
_COMMON = (
    "的一是不了在人有我他这中大来上个国到说们为子和你地出会也时要就可以对生能而那得于着下自之年过发后作"
    "里用道行所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心本前开但因只从想实"
)
STATUTES = "STARD"  # the source whose passages are articles of law


@dataclass(frozen=True, slots=True)
class Group:
    """One question with its candidate sentences, best first."""

    question: str
    candidates: tuple[Candidate, ...]
    relevant: npt.NDArray[np.bool_]  # (n_candidates,)
    intent: Intent  # of the question
    answer: str = ""  # the words that answer, where they are known

    @property
    def features(self) -> npt.NDArray[np.float64]:
        """`(n_candidates, n_features)`, in the order of `rag.select.FEATURES`."""
        return np.stack([c.features for c in self.candidates])


def _group(evidence: Evidence, relevant: Sequence[bool], answer: str = "") -> Group:
    right = np.array(relevant, bool)
    return Group(evidence.question, evidence.candidates, right, evidence.intent, answer)


@dataclass(frozen=True, slots=True)
class Comprehension:
    """A question on an encyclopedia passage."""

    question: str
    passage: str
    answer: str
    number: int  # of the passage

    @property
    def name(self) -> str:
        """The name of its passage in a library."""
        return passage_name(self.passage)


def load_comprehension(data: Path) -> list[Comprehension]:
    """The questions of CMRC and DRCD that have an answer; one of them has no words."""
    rows = read_rows(data / "train" / "question_passage.jsonl.xz")
    found = [row for row in rows if row.get("answer") and re.search(r"\w", row["query"])]
    number = {text: i for i, text in enumerate(dict.fromkeys(r["passage"] for r in found))}
    return [
        Comprehension(row["query"], row["passage"], str(row["answer"]), number[row["passage"]])
        for row in found
    ]


def load_lay(data: Path) -> tuple[list[Passage], list[tuple[str, frozenset[str]]]]:
    """All articles of law, and the lay questions with the names of the articles that answer."""
    rows = list(read_rows(data / "train" / "laws.jsonl.xz"))
    articles = [
        Passage(passage_name(row["law"] + row["article"]), row["law"] + row["article"], row["text"])
        for row in rows
    ]
    # A passage of this source opens with the law's title and the article's number.
    name = {f"{p.title} {p.text}": p.id for p in articles}
    answers: dict[str, set[str]] = {}
    for row in read_rows(data / "train" / "question_passage.jsonl.xz"):
        if row["source"].startswith(STATUTES) and row["passage"] in name:
            answers.setdefault(row["query"], set()).add(name[row["passage"]])
    named = {row["id"]: p.id for row, p in zip(rows, articles, strict=True)}
    for query, article in load_law_questions():
        if article in named:
            answers.setdefault(query, set()).add(named[article])
    kept = {passage.id: passage for passage in articles}
    return list(kept.values()), [(query, frozenset(names)) for query, names in answers.items()]


def passages_of(asked: Sequence[PassageQuestion]) -> tuple[Passage, ...]:
    """The passages that the questions are on."""
    found = dict.fromkeys((one.title, one.passage) for one in asked)
    return tuple(Passage(passage_name(text), title, text) for title, text in found)


def misspelt(question: str, seed: int) -> str:
    """The question with one or two of its Chinese characters mistaken for others."""
    rng = random.Random(seed)
    chars = list(question)
    places = [i for i, char in enumerate(chars) if "\u4e00" <= char <= "\u9fff"]
    for place in rng.sample(places, min(len(places), rng.choice((1, 2)))):
        # One in four is left out, the others become a common character.
        chars[place] = "" if rng.random() < 0.25 else rng.choice(_COMMON)
    return "".join(chars)


def passage_name(text: str) -> str:
    """A name that tells a passage from all others."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def sentence_groups(assistant: Assistant, questions: Sequence[Question]) -> list[Group]:
    """Questions on the built-in cases; where nothing answers, nothing is relevant."""
    documents = [assistant.library.document(i.id) for i in assistant.library.documents()]
    groups = []
    for question in questions:
        gold = found_spans(question, documents)
        evidence = assistant.evidence(question.question, history=question.history)
        spans = [Span(c.hit.chunk.document_id, c.start, c.end) for c in evidence.candidates]
        relevant = [any(s.overlaps(g) for g in gold) for s in spans]
        if spans:
            groups.append(_group(evidence, relevant))
    return groups


def comprehension_groups(assistant: Assistant, asked: Sequence[Comprehension]) -> list[Group]:
    """A sentence is relevant if it stands in the question's passage and holds the answer.

    A question whose answer was not even found teaches nothing about choosing.
    """
    names = {info.id: info.name for info in assistant.library.documents()}
    groups = []
    for one in asked:
        evidence = assistant.evidence(one.question)
        relevant = [
            names[c.hit.chunk.document_id] == one.name and fold(one.answer) in fold(c.text)
            for c in evidence.candidates
        ]
        if any(relevant):
            groups.append(_group(evidence, relevant, one.answer))
    return groups


def passage_groups(assistant: Assistant, asked: Sequence[PassageQuestion]) -> list[Group]:
    """A sentence is relevant if it stands in the question's passage and is evidence there."""
    names = {info.id: info.name for info in assistant.library.documents()}
    groups = []
    for one in asked:
        evidence = assistant.evidence(one.question)
        name = passage_name(one.passage)
        relevant = [
            names[c.hit.chunk.document_id] == name and one.is_answered_by(c.text)
            for c in evidence.candidates
        ]
        if relevant and (any(relevant) or not one.evidence):
            groups.append(_group(evidence, relevant, one.words))
    return groups


def lay_groups(assistant: Assistant, asked: Sequence[tuple[str, frozenset[str]]]) -> list[Group]:
    """A sentence is relevant if it stands in an article that answers."""
    names = {info.id: info.name for info in assistant.library.documents()}
    groups = []
    for question, articles in asked:
        evidence = assistant.evidence(question)
        relevant = [names[c.hit.chunk.document_id] in articles for c in evidence.candidates]
        if any(relevant):
            groups.append(_group(evidence, relevant))
    return groups
