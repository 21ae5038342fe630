"""Policy passages in, how well an office's own documents are answered from out.

`python -m eval.policy` fills a library with our own policy passages (2,200 short documents on like
matters, each of another place) and asks the questions of `eval/policy_test.jsonl`, on which and on
whose passages nothing was trained or fitted. `--fit` asks those of the split `fit` instead, few of
which name the place, so that another document may say nearly the same.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from embeddings.training.data import PassageQuestion, load_policy_questions
from eval.benchmark import filled
from eval.groups import passage_name, passages_of
from rag.assistant import Assistant

TEST_FILE = Path(__file__).with_name("policy_test.jsonl")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one question."""

    asked: PassageQuestion
    found: tuple[bool, ...]  # of the five best chunks, which are of the right document
    right: tuple[bool, ...]  # of the citations, which answer; none if it was refused
    refused: bool


def outcome(assistant: Assistant, asked: PassageQuestion, names: dict[int, str]) -> Outcome:
    """Ask one question; `names` are those of the documents by their number."""
    name = passage_name(asked.passage)
    hits = assistant.search(asked.question, top_k=5)
    answer = assistant.ask(asked.question)
    right = [
        names[c.document_id] == name and asked.is_answered_by(c.quote) for c in answer.citations
    ]
    found = [names[hit.chunk.document_id] == name for hit in hits]
    return Outcome(asked, tuple(found), tuple(right), answer.refused)


def table(outcomes: Sequence[Outcome]) -> str:
    """Figures by type of question, in Markdown.

    Answered: a sentence that answers is cited. A refused question has a precision of zero.
    """
    columns = ("type", "questions", "Success@1", "Success@5", "answered", "precision", "refused")
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for kind in dict.fromkeys(("all", *(o.asked.type for o in outcomes))):
        some = [o for o in outcomes if kind in ("all", o.asked.type) and o.asked.evidence]
        if some:
            shares = (
                np.mean([any(o.found[:1]) for o in some]),
                np.mean([any(o.found) for o in some]),
                np.mean([any(o.right) for o in some]),
                np.mean([sum(o.right) / max(1, len(o.right)) for o in some]),
                np.mean([o.refused for o in some]),
            )
            lines.append(f"| {kind} | {len(some)} | {' | '.join(f'{x:.3f}' for x in shares)} |")
    none = [o.refused for o in outcomes if not o.asked.evidence]
    if none:
        lines.append(f"| unanswerable | {len(none)} | – | – | – | – | {np.mean(none):.3f} |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Ask, print the table."""
    parser = argparse.ArgumentParser(prog="python -m eval.policy", description=__doc__)
    parser.add_argument("--fit", action="store_true", help="what the weights were fitted to")
    args = parser.parse_args(argv)
    trained, test = load_policy_questions(), load_policy_questions(TEST_FILE)
    asked = [one for one in trained if one.split == "fit"] if args.fit else test
    with filled(passages_of([*trained, *test])) as assistant:
        names = {info.id: info.name for info in assistant.library.documents()}
        shown = table([outcome(assistant, one, names) for one in asked])
    sys.stdout.write(f"{shown}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
