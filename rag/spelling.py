"""A question in, the question without slips of a pinyin input method out: 信用休复 is 信用修复.

A character is replaced by one that sounds like it where three things come together: the cutter
finds no known word there, the change gives a word of the documents, and the documents hold that
word beside the same neighbours. A place that they are about needs no neighbours, and neither does a
long word of which the cutter has known a part (零钱苞). So a word that is merely unknown to the
documents stays, and what they do not say is still refused.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from corpus.store import Store
from embeddings.encoder import built_in_vocabulary
from embeddings.fold import fold
from embeddings.lexical import LexicalView
from embeddings.tokens import is_word, pieces, terms
from rag.indexes import index_text
from rag.names import QUOTED, squash
from rag.places import short_place
from rag.sounds import sounding_like

_LENGTHS = (4, 3, 2)  # characters of a word that is looked for, the surest first
_N_CHUNKS = 40  # likeliest ones, in which a phrase is looked for
# They are words of their own beside anything, so they are no slip, no mend and no context.
_FUNCTION_WORD = re.compile(
    "[的地得了着过是有在和与及或不没一个些等就也都又最很被把从到对向为由让给要能会可该请问吗呢吧啊呀"
    "谁哪几多少什么怎样咋啥何这那其此每各我你他她它们搞说讲看想做去来时于自以将则而之所并且但若如因上下里未]"
)
# 东冠公司 may well be called so.
_NAMED_LIKE_IT = re.compile(
    "[\u4e00-\u9fff]{0,4}?(?:公司|集团|科技|企业|商行|厂|馆|店|楼|街|路|村|大学|学校|医院|银行)"
)
_STRETCH = re.compile("[\u4e00-\u9fff]{2,}")


class Spelling:
    """Corrects questions after the documents of one library."""

    def __init__(self, lexical: LexicalView, store: Store) -> None:
        self._lexical, self._store = lexical, store

    def corrected(self, question: str) -> str:
        """The question, where need be with other characters; those in quotation marks stay."""
        folded = fold(question)
        if len(folded) != len(question):
            return question  # places in one are not places in the other
        out = list(question)
        for first, last in self._stretches(folded):
            taken: set[int] = set()
            for start, end in _windows(first, last):
                fix = None if taken & {*range(start, end)} else self._fix(folded, start, end)
                if fix:
                    out[fix.at] = fix.char
                    taken.update(range(start, end))
        for at, char in self._ends(folded):
            out[at] = char
        return "".join(out)

    def _ends(self, folded: str) -> Iterator[tuple[int, str]]:
        """Where the cutter knows a word but for its last character, and which is meant."""
        unquoted = _blank_quoted(folded, folded)
        at = 0
        for piece, last in pairwise(pieces(folded)):
            at += len(piece)
            alone = len(last) == 1 and unquoted[at] != " " and not _FUNCTION_WORD.match(last)
            if alone and self._is_known(piece):
                meant = [
                    char
                    for char, exact in sounding_like(last).items()
                    if exact and self._n_chunks(piece + char)
                ]
                if len(meant) == 1 and not self._says(piece + last):
                    yield at, meant[0]

    def _stretches(self, folded: str) -> Iterator[tuple[int, int]]:
        """Where the cutter finds nothing but single characters and words that nobody knows."""
        doubtful = "".join(
            " " * len(piece) if self._is_known(piece) else piece for piece in pieces(folded)
        )
        doubtful = _FUNCTION_WORD.sub(" ", _blank_quoted(doubtful, folded))
        for found in _STRETCH.finditer(doubtful):
            yield found.span()

    def _is_known(self, piece: str) -> bool:
        if len(piece) == 1:
            return False
        # The model has names that the dictionary lacks (宝龙); its list is read when it is needed.
        return is_word(piece) or self._n_chunks(piece) > 0 or piece in built_in_vocabulary()

    def _fix(self, folded: str, start: int, end: int) -> "_Fix | None":
        """The best change that makes a word of the documents, unless another is as good."""
        fixes = [
            fix
            for fix in self._fixes(folded, start, end)
            if self._is_place(fix, folded) or any(map(self._says, fix.in_context(folded)))
        ]
        if not fixes or self._says(folded[start:end]):
            return None  # said as it was typed: the cutter has only cut it differently there
        best = max(fixes, key=lambda fix: fix.rank)
        return best if sum(fix.rank == best.rank for fix in fixes) == 1 else None

    def _fixes(self, folded: str, start: int, end: int) -> Iterator["_Fix"]:
        for at in range(start, end):
            for char, exact in sounding_like(folded[at]).items():
                if _FUNCTION_WORD.match(char):
                    continue
                word = folded[start:at] + char + folded[at + 1 : end]
                if n_chunks := self._n_chunks(word):
                    yield _Fix(at, char, start, word, (exact, n_chunks))

    def _is_place(self, fix: "_Fix", folded: str) -> bool:
        exact, _ = fix.rank
        if not exact or _NAMED_LIKE_IT.match(folded[fix.start + len(fix.word) :]):
            return False
        return any(short_place(place) == fix.word for place in self._store.places())

    def _n_chunks(self, word: str) -> int:
        return self._lexical.document_frequency(word)

    def _says(self, phrase: str) -> bool:
        """Whether a phrase stands in one of the passages that hold most of it."""
        _, ids = self._lexical.search(terms(phrase), _N_CHUNKS)
        chunks = self._store.chunks_by_id(ids.tolist())
        return any(phrase in squash(index_text(chunk)) for chunk in chunks)


@dataclass(frozen=True, slots=True)
class _Fix:
    """Another character, and the word that it makes of a window of the question."""

    at: int
    char: str
    start: int  # of the word
    word: str
    rank: tuple[bool, int]  # the same sound before a like one, then the word of most chunks

    def in_context(self, folded: str) -> Iterator[str]:
        """The word with two characters before it, with two after it, and with one on each side."""
        end = self.start + len(self.word)
        before, after = folded[max(self.start - 2, 0) : self.start], folded[end : end + 2]
        for left, right in ((before, ""), ("", after), (before[-1:], after[:1])):
            context = left + right
            if len(context) == 2 and context.isalnum() and not _FUNCTION_WORD.search(context):
                yield left + self.word + right


def _blank_quoted(text: str, question: str) -> str:
    """A text as long as the question with blanks where that has something in quotation marks."""
    for quoted in QUOTED.finditer(question):
        start, end = quoted.span()
        text = text[:start] + " " * (end - start) + text[end:]
    return text


def _windows(first: int, last: int) -> Iterator[tuple[int, int]]:
    for length in _LENGTHS:
        for start in range(first, last - length + 1):
            yield start, start + length
