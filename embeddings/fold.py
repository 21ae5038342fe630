"""Text in, its folded form out: the same words whatever their width, case or script.

Folding happens on the way into the tokenizer and the encoder only; a person always reads the text
as it stands in the source. The result may have another length, so offsets do not carry over.
"""

import unicodedata
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opencc import OpenCC


def fold(text: str) -> str:
    """NFKC, lower case, Traditional to Simplified Chinese."""
    folded: str = _converter().convert(unicodedata.normalize("NFKC", text).lower())
    return folded


@cache
def _converter() -> "OpenCC":
    from opencc import OpenCC

    return OpenCC("t2s")
