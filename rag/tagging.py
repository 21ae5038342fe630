"""The dictionary as it comes, which cuts texts into words and tags them."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rjieba import Jieba


@cache
def tagger() -> "Jieba":
    """One dictionary for all: it takes 40 MB."""
    from rjieba import Jieba

    return Jieba()
