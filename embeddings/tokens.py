"""Text in, terms out: what the lexical index stores and what a query is made of.

Words alone miss what the dictionary cuts differently in question and document; single characters
alone mix up everything. Both together found more than either (hit@5 0.86 against 0.79 for words
and 0.80 for character bigrams on questions about the built-in cases).
"""

import re
from functools import cache
from typing import TYPE_CHECKING

from embeddings.fold import fold

if TYPE_CHECKING:
    from rjieba import Jieba

TERMS_VERSION = "rjieba-search+chars/1"  # an index built under another version is rebuilt

CHAR_MARK = "_"  # tells the character 市 from the word 市

_VISIBLE = re.compile(r"[^\W_]")  # the underscore is the mark
_CJK = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002ebef]")


def terms(text: str) -> list[str]:
    """Words of two or more characters, then the single Chinese characters, in text order."""
    folded = fold(text)
    return [*words(folded), *(CHAR_MARK + char for char in _CJK.findall(folded))]


def words(folded: str) -> list[str]:
    """The words of a folded text, overlapping ones included, without single Chinese characters."""
    return [
        word
        for word in _cutter().cut_for_search(folded)
        if _VISIBLE.search(word) and not (len(word) == 1 and _CJK.match(word))
    ]


@cache
def _cutter() -> "Jieba":
    from rjieba import Jieba

    return Jieba()
