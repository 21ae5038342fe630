"""Text in, the offsets of its sentences and clauses out.

Chinese rules: a sentence ends with 。！？ (or ! ? … or an English full stop before a blank) and
takes its closing quotes and brackets along; a line break ends it too. Nothing is copied: all
results are `(start, end)` in characters of the given text, without surrounding blanks.
"""

import re

# A text without any punctuation (a bomb, a table of figures) must still give bounded pieces.
MAX_SENTENCE = 1_000

_CLOSING = "”’」』）)》】〕\"'"
# A cell of a table may hold a sentence: "问题：几天到账?；答复：3天" is one row, and one sentence.
_END = re.compile(
    rf"(?:[。！？!?]++|…{{2,}}+|(?<=[A-Za-z]{{2}})\.(?=\s))[{_CLOSING}]*+(?![；;])|\n+"
)
_PAUSE = re.compile(r"[；;，,、：:\s]")


def sentence_spans(text: str, start: int = 0, end: int | None = None) -> list[tuple[int, int]]:
    """Split `text[start:end]` into sentences; together they hold every visible character."""
    return _bounded(text, _split(text, start, len(text) if end is None else end))


def _split(text: str, start: int, end: int) -> list[tuple[int, int]]:
    spans = []
    at = start
    for match in _END.finditer(text, start, end):
        spans.append((at, match.end()))
        at = match.end()
    spans.append((at, end))
    stripped = (strip_span(text, a, b) for a, b in spans)
    return [(a, b) for a, b in stripped if a < b]


def strip_span(text: str, start: int, end: int) -> tuple[int, int]:
    """Move both ends of a span inwards over blanks."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def _bounded(text: str, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    if all(b - a <= MAX_SENTENCE for a, b in spans):
        return spans
    pieces = []
    for a, b in spans:
        while b - a > MAX_SENTENCE:
            window = text[a + MAX_SENTENCE // 2 : a + MAX_SENTENCE]
            pauses = [match.end() for match in _PAUSE.finditer(window)]
            cut = a + MAX_SENTENCE // 2 + pauses[-1] if pauses else a + MAX_SENTENCE
            pieces.append(strip_span(text, a, cut))
            a = cut
        pieces.append(strip_span(text, a, b))
    return [(a, b) for a, b in pieces if a < b]
