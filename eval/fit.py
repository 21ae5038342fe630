"""Dev data in, all weights out but the reader's: `weights.json`, `reread`, `choice`, `refusal`.

`python -m eval.fit --data DIR` takes the dev sets of retrieval and the reading comprehension sets
from DIR, the practice questions (`eval/practice.jsonl`), our own questions on news and policy
passages that nothing was trained on, and the dev split of the project's own questions; nothing of
any test split is read. Unanswerable questions are few, so more are made of answerable ones: the
case or passage that answers is hidden, or the place is exchanged for another one; questions of the
other dev sets stand for all that is far off.
"""

import argparse
import json
import logging
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar
from unittest.mock import patch
from zlib import crc32

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from embeddings.training.data import PassageQuestion, load_news_questions, load_policy_questions
from eval.benchmark import Benchmark, Passage, Query, cases, filled, load_benchmark
from eval.examples import (
    OverCases,
    Relevant,
    Rows,
    across_rows,
    benchmark_queries,
    case_queries,
    follow_rows,
    off_topic,
    over_cases,
    plain_rows,
    refusal_rows,
    rerank_group,
    reread_passages,
    section_groups,
    tells_groups,
)
from eval.fitting import (
    Array,
    Choice,
    Group,
    Passages,
    fit_choice,
    fit_listwise,
    fit_logistic,
    fit_network,
    fit_reread,
)
from eval.groups import (
    MISSPELT,
    Comprehension,
    comprehension_groups,
    load_comprehension,
    misspelt,
    passage_groups,
    passage_name,
    passages_of,
    sentence_groups,
)
from eval.groups import Group as SentenceGroup
from eval.parallel import side_by_side
from eval.questions import PRACTICE_FILE, Question, load_questions
from rag import across, choice, conversation, linear, rerank, reread, sections, select
from rag import confidence as refusal
from rag.assistant import Assistant
from rag.clauses import asked_apart

WEIGHTS_FILE = Path(rerank.__file__).with_name("weights.json")
N_BENCHMARK = 600  # questions of each retrieval benchmark
N_COMPREHENSION = 1_500  # questions on encyclopedia passages
N_OWN = 1_500  # our own questions on news or policy
# What one question counts in the refusal model.
WEIGHTS = {"comprehension": 0.03, "news": 0.1, "policy": 0.3}
CHOICE_WEIGHTS = {"cases": 1.0, "comprehension": 0.4, "news": 0.5, "policy": 1.0}
TELLING = 10  # characters at the end of a question, which stay when it is completed
JOINT = ("list", "multi", "compare", "count")  # types that one sentence does not answer
ONE_SENTENCE = ("fact", "paraphrase", "typo")

READER_PRIOR = 0.5  # weight of what the reader says of the best sentence, to begin with

BENCHMARKS = ("drcd", "stard")
RANKED = ("stard", "cases", "drcd", "news", "policy")  # the longest work first
READ = ("cases", "comprehension", "news", "policy")

T = TypeVar("T")
Q = TypeVar("Q")

_LOG = logging.getLogger(__name__)


def written_questions() -> list[Question]:
    """The questions on the built-in cases, some of them misspelt besides."""
    practice = load_questions(PRACTICE_FILE)
    found = [*load_questions(split="dev"), *(q for q in practice if q.split in ("fit", "near"))]
    slips = [
        replace(q, type="typo", question=misspelt(q.question, i))
        for i, q in enumerate(found)
        if q.type in ("fact", "paraphrase") and i % MISSPELT == 0
    ]
    return [*found, *slips]


def own_questions(name: str, data: Path) -> tuple[list[PassageQuestion], list[PassageQuestion]]:
    """All questions on news or policy, and those of them that nothing was trained on."""
    asked = load_news_questions(data) if name == "news" else load_policy_questions()
    unseen = [one for one in asked if one.split == "fit"]
    return asked, unseen[:: max(1, len(unseen) // N_OWN)]


def read_questions(data: Path) -> tuple[list[Passage], list[Comprehension]]:
    """Encyclopedia passages, and questions of which some have lost their passage.

    The reader was trained on the questions on two thirds of the passages.
    """
    asked = load_comprehension(data)
    shown = {c.name: Passage(c.name, "", c.passage) for c in asked if not _hidden(c)}
    some = [c for c in asked if c.number % 3 == 0]
    return list(shown.values()), some[:: max(1, len(some) // N_COMPREHENSION)]


def _hidden(one: Comprehension) -> bool:
    """Whether the passage is kept out of the library, so that nothing answers the question."""
    return one.number % 6 == 0


def ranked(name: str, data: Path, seen: Callable[[Assistant, str, Relevant], T]) -> list[T]:
    """What is seen of the passages of one set."""
    if name == "cases":
        asked = [q for q in written_questions() if q.answerable]
        with cases() as assistant:
            return [seen(assistant, *query) for query in case_queries(assistant, asked)]
    benchmark = load_benchmark(data, name) if name in BENCHMARKS else _own_benchmark(name, data)
    with filled(benchmark.passages) as assistant:
        queries = benchmark_queries(benchmark, assistant, N_BENCHMARK)
        return [seen(assistant, *query) for query in queries]


def _own_benchmark(name: str, data: Path) -> Benchmark:
    """Questions on news or policy over all passages, which are rivals whatever they are for."""
    asked, unseen = own_questions(name, data)
    queries = [
        Query(str(i), one.question, (passage_name(one.passage),))
        for i, one in enumerate(unseen)
        if one.evidence
    ]
    return Benchmark(passages_of(asked), tuple(queries))


def read_groups(name: str, data: Path, ranked_by: Sequence[Path]) -> list[Choice]:
    """What chooses the sentences of one set."""
    found: list[SentenceGroup]
    if name == "cases":
        asked = [q for q in written_questions() if q.answerable and q.type not in JOINT]
        with cases() as assistant:
            found = by_halves(ranked_by, asked, _question, partial(sentence_groups, assistant))
    elif name == "comprehension":
        passages, some = read_questions(data)
        shown = [c for c in some if not _hidden(c)]
        with filled(passages) as assistant:
            found = by_halves(ranked_by, shown, _question, partial(comprehension_groups, assistant))
    else:
        every, unseen = own_questions(name, data)
        answered = [one for one in unseen if one.evidence]
        with filled(passages_of(every)) as assistant:
            found = by_halves(ranked_by, answered, _question, partial(passage_groups, assistant))
    return [(group.features, group.relevant, choice.asked_for(group.intent)) for group in found]


def refused_rows(name: str, data: Path, ranked_by: Sequence[Path]) -> Rows:
    """What tells of one set whether the documents answer."""
    parts: list[Rows]
    if name == "cases":
        far = off_topic(data)
        with cases() as assistant:
            parts = by_halves(
                ranked_by,
                written_questions(),
                _question,
                lambda some: [refusal_rows(assistant, some, ())],
            )
            parts += by_halves(
                ranked_by, far, str, lambda some: [refusal_rows(assistant, (), some)]
            )
    else:
        if name == "comprehension":
            passages, some = read_questions(data)
            asked = [(c.question, not _hidden(c)) for c in some]
        else:
            every, unseen = own_questions(name, data)
            passages = list(passages_of(every))
            asked = [(one.question, bool(one.evidence)) for one in unseen]
        with filled(passages) as assistant:
            parts = by_halves(
                ranked_by,
                asked,
                lambda one: one[0],
                lambda some: [plain_rows(assistant, some, WEIGHTS[name])],
            )
    return _joined(parts)


def _joined(parts: Sequence[Rows]) -> Rows:
    rows, labels, weights = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return rows, labels, weights


def _question(one: Question | Comprehension | PassageQuestion) -> str:
    return one.question


def main(argv: Sequence[str] | None = None) -> int:
    """Fit all weights and write them."""
    parser = argparse.ArgumentParser(prog="python -m eval.fit", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with dev/ and train/")
    parser.add_argument("--l2", type=float, default=0.005)
    parser.add_argument("--workers", type=int, default=2, help="processes side by side")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(message)s")
    pieces = [partial(ranked, name, args.data, rerank_group) for name in RANKED]
    _fit_rerank(side_by_side(pieces, args.workers), args.l2)
    # Which passages are ranked again depends on the weights of the first step.
    again = [partial(ranked, name, args.data, reread_passages) for name in RANKED]
    passages = side_by_side(again, args.workers)
    _fit_reread(passages, args.l2, reread.FILE)
    with tempfile.TemporaryDirectory() as folder:
        halves = _fit_halves(passages, args.l2, Path(folder))
        chosen = [partial(read_groups, name, args.data, halves) for name in READ]
        read = side_by_side(chosen, args.workers)
        _LOG.info("sentences: %s", dict(zip(READ, map(len, read), strict=True)))
        _fit_sentences(read)
        # The forms of answers tell nothing of whether there is one, so they are fitted beside it.
        told: list[Callable[[], Rows | None]]
        told = [partial(refused_rows, name, args.data, halves) for name in READ]
        told.append(_fit_forms)
        parts = [part for part in side_by_side(told, args.workers) if part]
    _save(fit_network(*_joined(parts)), refusal.FILE)
    side_by_side([_fit_follow], args.workers)
    _LOG.info(WEIGHTS_FILE.read_text("utf-8"))
    return 0


def _fit_rerank(sets: Sequence[Sequence[Group]], l2: float) -> None:
    weights = fit_listwise(sets, np.zeros(len(rerank.FEATURES)), l2)
    scores = [rows @ weights for groups in sets for rows, _ in groups]
    relevant = [right for groups in sets for _, right in groups]
    _write("rerank", rerank.FEATURES, weights, _offset(scores, relevant))


def _fit_reread(sets: Sequence[Sequence[Passages]], l2: float, file: Path) -> None:
    prior = np.zeros(len(reread.FEATURES))
    first = linear.fitted("rerank", rerank.FEATURES).weights
    prior[: len(first)] = first
    prior[reread.FEATURES.index("best_reader")] = READER_PRIOR
    weights, network, scores = fit_reread(sets, prior, l2)
    relevant = [one.relevant for passages in sets for one in passages]
    bias = np.array([_offset(scores, relevant)])
    _save({"weights": weights, "bias": bias, **network}, file)


def half_of(question: str) -> int:
    """To which half of all questions one belongs; so does one that is completed before it."""
    return crc32(question[-TELLING:].encode()) % 2


def _fit_halves(sets: Sequence[Sequence[Passages]], l2: float, folder: Path) -> list[Path]:
    """For each half of the questions a model that was fitted to the other half."""
    found = [folder / f"{half}.safetensors" for half in (0, 1)]
    for half, file in enumerate(found):
        others = [[p for p in passages if half_of(p.question) != half] for passages in sets]
        _fit_reread(others, l2, file)
    return found


def by_halves(
    ranked_by: Sequence[Path],
    asked: Sequence[Q],
    text: Callable[[Q], str],
    seen: Callable[[Sequence[Q]], Sequence[T]],
) -> list[T]:
    """What is seen of questions, their passages ranked by a model that was not fitted to them.

    What comes after would trust the ranking too much if it had learnt these questions by heart.
    """
    out: list[T] = []
    for half, file in enumerate(ranked_by):
        with patch.object(reread, "FILE", file):
            out += seen([one for one in asked if half_of(text(one)) == half])
    return out


def _offset(scores: Sequence[Array], relevant: Sequence[npt.NDArray[np.bool_]]) -> float:
    """The bias with which the scores are as high on average as rows are relevant."""
    z, y = np.concatenate(scores), np.concatenate(relevant).astype(float)
    _, bias = fit_logistic(np.zeros((len(z), 1)), y, np.ones(len(z)), 1.0)
    return bias - float(z.mean())


def _fit_sentences(sets: Sequence[Sequence[Choice]]) -> None:
    plain = [[(rows, relevant) for rows, relevant, _ in groups] for groups in sets]
    first = fit_listwise(plain, select.PRIOR, 0.01)
    _write("sentence", select.FEATURES, first)
    counts = [CHOICE_WEIGHTS[name] for name, groups in zip(READ, sets, strict=True) for _ in groups]
    every = [group for groups in sets for group in groups]
    _save(fit_choice(every, np.array(counts), first), select.FILE)


def _save(network: dict[str, Array], file: Path) -> None:
    save_file(network, file)
    file.chmod(0o644)


def _fit_forms() -> None:
    """Which section lists what is asked for, when it is shown, which cases speak of a topic."""
    asked = [q for q in written_questions() if q.answerable]
    with cases() as assistant:
        chosen = fit_listwise([section_groups(assistant, asked)[0]], sections.PRIOR, 0.01)
        _write("section", sections.FEATURES, chosen)
        linear.fitted.cache_clear()
        # Only what must be said tells whether the titles of the items suffice; of questions that
        # were written for one sentence, or for two things, nothing is learnt of when one is too
        # little.
        told = [
            q
            for q in asked
            if q.must and q.type not in ONE_SENTENCE and not asked_apart(q.question)
        ]
        whole, bias = fit_logistic(*section_groups(assistant, told)[1], 0.005, signed=True)
        _write("whole", sections.WHOLE_FEATURES, whole, bias)
        _fit_across(over_cases(assistant, asked))


def _fit_across(asked: OverCases) -> None:
    """Which sentence of a case tells best of a topic, and whether the case speaks of it."""
    n = len(select.FEATURES)
    _write("tells", select.FEATURES, fit_listwise([tells_groups(asked)], np.zeros(n), 0.003))
    linear.fitted.cache_clear()
    speaks, bias = fit_logistic(*across_rows(asked), 0.002, signed=True)
    _write("across", across.FEATURES, speaks, bias)


def _fit_follow() -> None:
    """Whether a question goes on from the one before it; that takes all the others."""
    talks = [q for q in load_questions(PRACTICE_FILE) if q.history and q.split != "fit"]
    with cases() as assistant:
        seen = follow_rows(assistant, [*written_questions(), *talks])
    follow, bias = fit_logistic(*seen, 0.003, signed=True)
    _write("follow", conversation.FEATURES, follow, bias)


def _write(part: str, names: Sequence[str], weights: Array, bias: float | None = None) -> None:
    found = json.loads(WEIGHTS_FILE.read_text("utf-8"))
    found[part] = dict(zip(names, weights.round(4).tolist(), strict=True))
    if bias is not None:
        found[part]["bias"] = round(bias, 4)
    # Other processes read the file meanwhile.
    whole = WEIGHTS_FILE.with_suffix(".tmp")
    whole.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    whole.replace(WEIGHTS_FILE)


if __name__ == "__main__":
    sys.exit(main())
