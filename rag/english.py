"""An English question in, its Chinese keywords out, so that it finds the Chinese documents.

A glossary of administrative and everyday words, not a translator: enough for retrieval, and for
what is asked for (how many: 多少). Names, numbers and words that it does not hold are kept as they
are; an entry without Chinese is a function word, which is left out.
"""

import re
from collections.abc import Callable
from functools import cache, lru_cache
from importlib.resources import files

from snowballstemmer import stemmer

_CHINESE = re.compile(r"[\u3400-\u9fff]")
_WORD = re.compile(r"[a-z0-9][a-z0-9.'-]*|[^a-z0-9\s]+", re.IGNORECASE)
_LONGEST = 5  # words of the longest entry
_STEMMER = stemmer("english")


def is_english(question: str) -> bool:
    """Whether a question holds no Chinese character but two English words."""
    return not _CHINESE.search(question) and len(re.findall(r"[A-Za-z]{2,}", question)) >= 2


def chinese_keywords(question: str, said: Callable[[str], int] = lambda word: 1) -> str:
    """The question with the words that the glossary holds in Chinese, function words left out.

    Of several renderings those are taken that the documents say; `said` counts how often.
    """
    glossary, stemmed = _glossary()
    words = [w.strip(".'").removesuffix("'s") for w in _WORD.findall(question)]
    out = []
    at = 0
    while at < len(words):
        for length in range(min(_LONGEST, len(words) - at), 0, -1):
            entry = " ".join(words[at : at + length]).lower()
            found = glossary.get(entry, stemmed.get(_stem(entry)))
            if found is not None:
                renderings = found.split()
                out += [word for word in renderings if said(word)] or renderings[:1]
                at += length
                break
        else:
            out += [words[at]] if words[at][:1].isalnum() else []
            at += 1
    return " ".join(out)


@cache
def _glossary() -> tuple[dict[str, str], dict[str, str]]:
    """Chinese by entry, and by entry without its endings (seized, seizing: seiz)."""
    lines = (files("rag") / "english.tsv").read_text("utf-8").splitlines()
    entries = dict(line.split("\t", 1) for line in lines if line)
    stemmed: dict[str, str] = {}
    for entry, chinese in entries.items():
        stemmed.setdefault(_stem(entry), chinese)
    return entries, stemmed


@lru_cache(maxsize=16_384)
def _stem(entry: str) -> str:
    # Oxford writes -ize where London writes -ise.
    words = [re.sub(r"is(e[srd]?|ing|ations?)$", r"iz\1", word) for word in entry.split()]
    return " ".join(_STEMMER.stemWords(words))
