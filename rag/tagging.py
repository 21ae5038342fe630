"""The dictionary as it comes, which cuts texts into words and tags them."""

from functools import cache
from typing import TYPE_CHECKING

from embeddings.tokens import parts

if TYPE_CHECKING:
    from rjieba import Jieba


@cache
def tagger() -> "Jieba":
    """One dictionary for all: it takes 40 MB."""
    from rjieba import Jieba

    return Jieba()


def tagged(text: str) -> list[tuple[str, str]]:
    """The words of a text, nothing left out, with their parts of speech."""
    return [(str(word), str(tag)) for part in parts(text) for word, tag in tagger().tag(part)]
