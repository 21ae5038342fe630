"""How well the checks tell right sentences from corrupted ones: chunks in, rates and curve out.

`python -m eval.checking` measures on the built-in cases; `--texts FILE.jsonl` (rows `{id, text}`,
also `.xz`) on any other texts. The threshold is chosen on the dev half and reported on the other.
"""

import argparse
import json
import lzma
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from corpus.builtin import builtin_document
from corpus.chunks import split_chunks
from corpus.outline import parse_outline
from corpus.readers import read_document
from corpus.types import Chunk, Document
from embeddings.encoder import Encoder, load_encoder
from eval.corrupt import RIGHT, WRONG, Example, build
from rag.checks import best_quote, cite, context_of
from rag.support import SUPPORTED_FROM, Source, Verdict, judge

MAX_FALSE = 0.02  # right sentences flagged on the dev half, when a threshold is chosen


@dataclass(frozen=True, slots=True)
class Judged:
    """An example with its verdict."""

    example: Example
    verdict: Verdict

    def flagged(self, threshold: float) -> bool:
        """Whether the checks would mark the sentence."""
        return not self.verdict.supported(threshold)


@dataclass(frozen=True, slots=True)
class Rates:
    """Share of sentences that are marked, by kind, at one threshold."""

    threshold: float
    by_kind: dict[str, tuple[int, int]]  # marked, all

    def share(self, *kinds: str) -> float:
        """Share marked among these kinds; 0 if there are none."""
        marked = sum(self.by_kind.get(kind, (0, 0))[0] for kind in kinds)
        total = sum(self.by_kind.get(kind, (0, 0))[1] for kind in kinds)
        return marked / total if total else 0.0


def judge_all(examples: Iterable[Example], encoder: Encoder | None) -> list[Judged]:
    """Judge every example as the product would: against the best quote of the cited chunk."""
    out = []
    for example in examples:
        citation = cite(1, example.chunk, *best_quote(example.text, example.chunk))
        source = Source(citation.quote, context_of(example.chunk))
        out.append(Judged(example, judge(example.text, source, encoder)))
    return out


def rates(judged: Sequence[Judged], threshold: float, half: str = "") -> Rates:
    """Count what is marked at a threshold, in one half or in both."""
    by_kind: dict[str, tuple[int, int]] = {}
    for one in judged:
        if half and one.example.half != half:
            continue
        marked, total = by_kind.get(one.example.kind, (0, 0))
        by_kind[one.example.kind] = (marked + one.flagged(threshold), total + 1)
    return Rates(threshold, by_kind)


def calibrate(judged: Sequence[Judged]) -> float:
    """The highest threshold at which at most MAX_FALSE of the dev half's right ones are marked."""
    steps = [i / 100 for i in range(100)]
    fitting = [t for t in steps if rates(judged, t, "dev").share(*RIGHT) <= MAX_FALSE]
    return max(fitting, default=0.0)


def table(judged: Sequence[Judged]) -> str:
    """The rates of both halves and the curve of the test half."""
    chosen = calibrate(judged)
    lines = [f"threshold chosen on dev {chosen:.2f}, in use {SUPPORTED_FROM:.2f}", ""]
    lines.append(f"{'marked':<16}{'dev':>8}{'test':>8}{'n test':>8}")
    dev, test = (rates(judged, SUPPORTED_FROM, half) for half in ("dev", "test"))
    for kind in (*RIGHT, *WRONG):
        n = test.by_kind.get(kind, (0, 0))[1]
        lines.append(f"{kind:<16}{dev.share(kind):>8.3f}{test.share(kind):>8.3f}{n:>8}")
    lines += ["", f"{'threshold':<12}{'right':>8}{'claim':>8}{'moved':>8}{'near':>8}"]
    for step in range(30, 95, 5):
        at = rates(judged, step / 100, "test")
        shares = (
            at.share(*RIGHT),
            at.share("claim"),
            at.share("citation"),
            at.share("citation_near"),
        )
        lines.append(f"{step / 100:<12.2f}" + "".join(f"{share:>8.3f}" for share in shares))
    return "\n".join(lines)


def builtin_chunks() -> list[Chunk]:
    """The chunks of the built-in cases, without a store."""
    name, data = builtin_document()
    read = read_document(name, data)
    return _chunks(1, read.metadata.title or name, read.text)


def text_chunks(file: Path, limit: int) -> list[Chunk]:
    """The chunks of the first `limit` texts of a file."""
    # Read in a stream: such files hold tens of thousands of texts.
    read = lzma.open if file.suffix == ".xz" else open
    with read(file, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in islice(lines, limit)]
    return [c for i, row in enumerate(rows, 1) for c in _chunks(i, f"{row['id']}", row["text"])]


def builtin_report() -> str:
    """The table for the built-in cases."""
    return table(judge_all(build(builtin_chunks()), load_encoder()))


def main(argv: Sequence[str] | None = None) -> int:
    """Build, judge, print."""
    parser = argparse.ArgumentParser(prog="python -m eval.checking", description=__doc__)
    parser.add_argument("--texts", type=Path, help="rows {id, text}; default: the built-in cases")
    parser.add_argument("--limit", type=int, default=200, help="texts that are read")
    parser.add_argument("--show", default="", metavar="KIND", help="list what is judged wrongly")
    args = parser.parse_args(argv)
    chunks = text_chunks(args.texts, args.limit) if args.texts else builtin_chunks()
    judged = judge_all(build(chunks), load_encoder())
    sys.stdout.write(table(judged) + "\n")
    for one in judged:
        wrong = one.flagged(SUPPORTED_FROM) == one.example.right
        if args.show == one.example.kind and wrong:
            sys.stdout.write(f"{one.verdict.score:.2f} {one.verdict.missing} {one.example.text}\n")
    return 0


def _chunks(number: int, name: str, text: str) -> list[Chunk]:
    return split_chunks(Document(number, name, text, "", parse_outline(text)))


if __name__ == "__main__":
    sys.exit(main())
