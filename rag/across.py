"""A question over all cases in, the best sentence of every case that speaks of its topic out.

Which sentence of a case tells best of the topic is told by a linear model over all that is seen of
its sentences, one with the topic word for word first; whether the case speaks of it at all, by that
sentence and a logistic model. `python -m eval.fit` fits both. (The scores that candidates have are
of no use here: they are made to tell the one right sentence from all others, and only the best 30
are compared.)
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise

import numpy as np

from corpus.types import Home
from rag.linear import fitted
from rag.questions import Intent
from rag.select import FEATURES as OF_CANDIDATE
from rag.select import Candidate
from rag.tagging import tagged

FEATURES = (
    "tells",  # how well the sentence tells of the topic
    "behind",  # by how much it trails the best one of all cases in that
    "own",  # of `rag.select`
    "soft",
    "soft_context",
    "cosine",
    "cosine_context",
    "reader",
    "literal",  # 1: a literal topic stands there word for word, -1: only elsewhere, 0: nowhere
)
LEAST = 0.35  # probability from which a case is counted

Literals = tuple[str, ...]  # words of which a case must hold one as it is

_MENTIONS = re.compile(r"提到|提及|出现|讲到|说到|写到|谈到")
_QUOTED = re.compile(r"[“\"《]([^”\"》]{1,40})[”\"》]")
_OR = re.compile("或者?|或是|、")
# What joins the words of the topic, and what asks about the documents in general.
_JOINING = re.compile(
    r"案例|(?:这[些批几])?(?:材料|文件)里面?|这[些批几]|发生|事情|里面?|中|过|与|跟|和|或者?|以及|有关|相关|企业$|的"
)


def speaking(candidates: Sequence[Candidate], literals: Literals, question: str) -> list[Candidate]:
    """The best sentence of every case that speaks of the topic, in the order of the documents.

    `literals` are what `literal_topics` found; who asks where they are mentioned means the words.
    """
    speaks = fitted("across", FEATURES)
    words_meant = bool(literals and _MENTIONS.search(question))
    chosen = []
    for candidate, row in best_of_cases(candidates, literals):
        said = stands_in(literals, candidate.text)
        if said if words_meant else speaks.scores(np.array(row)) >= LEAST:
            chosen.append(candidate)
    return sorted(chosen, key=lambda c: (c.hit.chunk.document_id, c.start))


def stands_in(literals: Literals, text: str) -> bool:
    """Whether a text holds a literal topic, but not across two words: 数字人 in 数字人民币."""
    return any(
        not _cuts_a_word(at, literal, text)
        for literal in literals
        for at in _found_at(literal, text)
    )


def _found_at(literal: str, text: str) -> Iterator[int]:
    at = text.find(literal)
    while at >= 0:
        yield at
        at = text.find(literal, at + 1)


def _cuts_a_word(at: int, literal: str, text: str) -> bool:
    """Whether the first or the last word of the literal is only a part of the one in the text."""
    end = at + len(literal)
    return any(a < at < b < end or at < a < end < b for a, b in _words(text))


@lru_cache(maxsize=4_096)
def _words(text: str) -> tuple[tuple[int, int], ...]:
    ends = list(accumulate(len(word) for word, _ in tagged(text)))
    return tuple(pairwise([0, *ends]))


def by_case(candidates: Sequence[Candidate]) -> dict[Home, list[Candidate]]:
    """The sentences of every case; a document without cases is one, a preface to cases is none."""
    found: dict[Home, list[Candidate]] = {}
    for candidate in candidates:
        found.setdefault(candidate.hit.chunk.home, []).append(candidate)
    divided = {document for document, number, _ in found if number is not None}
    return {key: some for key, some in found.items() if key[1] is not None or key[0] not in divided}


def best_of_cases(
    candidates: Sequence[Candidate], literals: Literals
) -> list[tuple[Candidate, list[float]]]:
    """For every case its best sentence, one with a literal topic first, and its features."""
    tells = fitted("tells", OF_CANDIDATE)
    best: list[tuple[Candidate, float]] = []
    for of_case in by_case(candidates).values():
        literal = [c for c in of_case if stands_in(literals, c.text)] or of_case
        totals = tells.totals(np.array([c.features for c in literal]))
        at = int(np.argmax(totals))
        best.append((literal[at], float(totals[at])))
    top = max((total for _, total in best), default=0.0)
    return [(c, _features(c, total, top, literals)) for c, total in best]


def _features(candidate: Candidate, total: float, top: float, literals: Literals) -> list[float]:
    stands = 0.0 if not literals else 1.0 if stands_in(literals, candidate.text) else -1.0
    own = [candidate.feature(name) for name in FEATURES[2:-1]]
    return [total, top - total, *own, stands]


def literal_topics(question: str, intent: Intent, found: Sequence[Candidate]) -> Literals:
    """What a case may hold word for word: what is quoted, or the topic if some sentence has it.

    Of alternatives (人工智能或者大模型) any will do, if some sentence has the other words.
    """
    if quoted := _QUOTED.findall(question):
        return tuple(quoted) if _OR.search(_QUOTED.sub("", question)) else (quoted[0],)
    words = [word for word in _JOINING.sub(" ", intent.topic).split() if len(word) > 1]
    either = _alternatives(question, words)
    present = [word for word in words if any(stands_in((word,), c.text) for c in found)]
    if not present or any(word not in present for word in words if word not in either):
        return ()
    return tuple(word for word in present if word in either) or (max(present, key=len),)


def _alternatives(question: str, words: Sequence[str]) -> set[str]:
    """Those words that nothing but 或 or 、 stands between."""
    either: set[str] = set()
    end = 0
    for before, word in pairwise(words):
        end = question.find(before, end) + len(before)
        between = question[end : question.find(word, end)]
        if _OR.fullmatch(between.strip()):
            either |= {before, word}
    return either
