"""Text in, its folded form out: the same words whatever their width, case or script.

Folding happens on the way into the tokenizer and the encoder only; a person always reads the text
as it stands in the source. The result may have another length, so offsets do not carry over.
"""

import unicodedata
from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opencc import OpenCC


# Characters of a text whose folded form is remembered: words would push sentences out.
_REMEMBERED = range(9, 2_000)


def fold(text: str) -> str:
    """NFKC, lower case, Traditional to Simplified Chinese."""
    return _remembered(text) if len(text) in _REMEMBERED else _folded(text)


@lru_cache(maxsize=8_192)  # the sentences of passages come up again and again
def _remembered(text: str) -> str:
    return _folded(text)


def _folded(text: str) -> str:
    folded: str = _converter().convert(unicodedata.normalize("NFKC", text).lower())
    return folded


@cache
def _converter() -> "OpenCC":
    from opencc import OpenCC

    return OpenCC("t2s")
