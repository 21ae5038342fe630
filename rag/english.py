"""An English question in, its Chinese keywords out, so that it finds the Chinese documents.

A glossary of administrative and business words, not a translator: enough for retrieval. Names,
numbers and words that it does not hold are kept as they are.
"""

import re
from functools import cache
from importlib.resources import files

_CHINESE = re.compile(r"[\u3400-\u9fff]")
_WORD = re.compile(r"[a-z0-9][a-z0-9.'-]*|[^a-z0-9\s]+", re.IGNORECASE)
_LONGEST = 5  # words of the longest entry
_STOP = frozenset(
    [
        "a",
        "an",
        "the",
        "of",
        "in",
        "on",
        "at",
        "to",
        "for",
        "by",
        "with",
        "from",
        "and",
        "or",
        "is",
        "are",
        "was",
        "were",
        "be",
        "been",
        "does",
        "do",
        "did",
        "has",
        "have",
        "had",
        "how",
        "many",
        "much",
        "what",
        "which",
        "who",
        "when",
        "where",
        "why",
        "that",
        "this",
        "these",
        "those",
        "it",
        "its",
        "as",
        "into",
        "than",
        "there",
        "can",
        "could",
        "will",
        "would",
        "should",
        "about",
        "any",
        "some",
        "all",
        "been",
        "their",
        "his",
        "her",
        "us",
        "we",
        "you",
        "i",
    ]
)


def is_english(question: str) -> bool:
    """Whether a question holds no Chinese character but two English words."""
    return not _CHINESE.search(question) and len(re.findall(r"[A-Za-z]{2,}", question)) >= 2


def chinese_keywords(question: str) -> str:
    """The question with the words that the glossary holds in Chinese, function words left out."""
    glossary = _glossary()
    words = [w.removesuffix("'s") for w in _WORD.findall(question)]
    out = []
    at = 0
    while at < len(words):
        for length in range(min(_LONGEST, len(words) - at), 0, -1):
            found = glossary.get(" ".join(words[at : at + length]).lower())
            if found:
                out.append(found)
                at += length
                break
        else:
            if words[at].lower() not in _STOP and words[at][0].isalnum():
                out.append(words[at])
            at += 1
    return " ".join(out)


@cache
def _glossary() -> dict[str, str]:
    lines = (files("rag") / "english.tsv").read_text("utf-8").splitlines()
    return dict(line.split("\t", 1) for line in lines if line)
