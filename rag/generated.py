"""What a chat model wrote in, a draft out: sentences, their citations, what is missing.

A reference [n] names a passage of the prompt. It becomes a citation of the run of sentences in that
passage that says the sentence best; a number that names no passage is dropped.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from corpus.sentences import sentence_spans
from corpus.types import Chunk
from rag.checks import best_quote, cite
from rag.types import Citation, Draft, Sentence

_MARK = r"[\[［【]\s*(?:材料|资料|来源|编号)?\s*\d{1,3}(?:\s*[,，、]\s*\d{1,3})*\s*[\]］】]"
_MARKS = re.compile(rf"\s*{_MARK}")
# A reference after the full stop belongs to the sentence before it.
_AFTER_STOP = re.compile(rf"([。！？!?；;]+[”’」』）)\"]*)((?:\s*{_MARK})+)")
_MARKDOWN = re.compile(r"^\s*(?:#{1,6}\s+|[-*•]\s+|>\s+)|\*\*|__|`", re.MULTILINE)
_NOT_SAID = re.compile(
    r"(?:材料|资料|文件|原文|上文|所给内容)(?:中|里|内)(?:并|均|都|暂)?(?:没有|未|无)|"
    r"(?:未能?|没有|无法)(?:在|从)(?:所给)?(?:材料|资料|文件|原文)(?:中|里|内)?(?:找|查|发现|得)"
)
_PAUSE = re.compile(r"[,，;；]")
_OPENING = re.compile(r"[:：]$")
_THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)


class ThoughtFilter:
    """Hides what stands between <think> and </think> while a text streams in."""

    OPEN, CLOSE = "<think>", "</think>"

    def __init__(self, *, inside: bool = False) -> None:
        self._inside = inside
        self._held = ""
        self._started = False

    def feed(self, piece: str) -> str:
        """What of the text so far may be shown and was not yet."""
        self._held += piece
        shown = ""
        while True:
            tag = self.CLOSE if self._inside else self.OPEN
            before, found, after = self._held.partition(tag)
            if not found:
                break
            shown += "" if self._inside else before
            self._inside, self._held = not self._inside, after
        keep = _partial(self._held, tag)
        ready, self._held = (
            self._held[: len(self._held) - keep],
            self._held[len(self._held) - keep :],
        )
        return self._visible(shown + ("" if self._inside else ready))

    def flush(self) -> str:
        """What was held back because it might have begun a tag."""
        held, self._held = self._held, ""
        return "" if self._inside else self._visible(held)

    def _visible(self, text: str) -> str:
        if not self._started:
            text = text.lstrip()
            self._started = bool(text)
        return text


def read_draft(text: str, chunks: Sequence[Chunk]) -> Draft:
    """Split what a model wrote into cited sentences; chunk n is `chunks[n - 1]`."""
    text = _THOUGHT.sub("", text)
    text = text.rpartition(ThoughtFilter.CLOSE)[2]  # some templates open the thought themselves
    text = _AFTER_STOP.sub(r"\2\1", _MARKDOWN.sub("", text))
    sentences: list[Sentence] = []
    citations: dict[tuple[int, int, int], Citation] = {}
    missing: list[str] = []
    for start, end in sentence_spans(text):
        words, numbers = _without_marks(text[start:end])
        if not any(c.isalnum() for c in words):
            _add_numbers(sentences, numbers, chunks, citations)
        elif said := _NOT_SAID.search(words):
            # What follows the pause may be a claim, and claims are checked.
            pause = _PAUSE.search(words, said.end())
            missing.append((words[: pause.start()] if pause else words).rstrip("。") + "。")
            if pause and any(c.isalnum() for c in words[pause.end() :]):
                sentences.append(Sentence(words[pause.end() :].strip(), ()))
                _add_numbers(sentences, numbers, chunks, citations)
        elif numbers or not _OPENING.search(words):  # 主要做法如下：says nothing
            sentences.append(Sentence(words, ()))
            _add_numbers(sentences, numbers, chunks, citations)
    note = "".join(missing)
    if not sentences:
        return Draft(refused=True, note=note)
    return Draft(tuple(sentences), tuple(citations.values()), note=note)


def _add_numbers(
    sentences: list[Sentence],
    numbers: Sequence[int],
    chunks: Sequence[Chunk],
    citations: dict[tuple[int, int, int], Citation],
) -> None:
    """Let the last sentence cite these passages as well; extends both lists in place."""
    if not sentences:
        return
    last = sentences[-1]
    own = list(last.citations)
    for number in numbers:
        if not 1 <= number <= len(chunks):
            continue
        chunk = chunks[number - 1]
        span = best_quote(last.text, chunk)
        citation = citations.setdefault(
            (chunk.document_id, *span), cite(len(citations) + 1, chunk, *span)
        )
        own.append(citation.n)
    sentences[-1] = replace(last, citations=tuple(dict.fromkeys(own)))


def _without_marks(text: str) -> tuple[str, list[int]]:
    numbers = [int(n) for mark in _MARKS.findall(text) for n in re.findall(r"\d+", mark)]
    return _MARKS.sub("", text).strip(), numbers


def _partial(text: str, tag: str) -> int:
    """How many characters at the end of a text may be the beginning of a tag."""
    return next((n for n in range(len(tag) - 1, 0, -1) if text.endswith(tag[:n])), 0)
