"""Dev data in, `rag/weights.json` out: the weights of re-ranking, sentence choice and refusal.

`python -m eval.fit --data DIR` takes the dev sets of retrieval from DIR and the dev split of the
project's own questions; nothing of any test split is read. All three models are linear; the first
two are fitted with a listwise softmax loss (Cao et al. 2007, ListNet), the last is a logistic
regression. Unanswerable questions are few, so more are made of answerable ones: the case that
answers is hidden, or the place is exchanged for another one; questions of the other dev sets stand
for all that is far off.
"""

import argparse
import json
import logging
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eval.benchmark import Benchmark, filled_library, load_benchmark, read_rows
from eval.questions import Question, Span, gold_spans, load_questions
from rag import confidence as refusal
from rag import rerank, select
from rag.assistant import N_HITS, Assistant
from rag.evidence import gather
from rag.followup import complete
from rag.questions import read_intent, topic
from rag.retriever import Retriever
from rag.types import Filters

Array = npt.NDArray[np.float64]
Group = tuple[Array, npt.NDArray[np.bool_]]  # features (n, f) and relevance (n,) of one question

WEIGHTS_FILE = Path(rerank.__file__).with_name("weights.json")
N_OFF_TOPIC = 75  # questions of each other dev set
OTHER_PLACES = ("佛山", "惠州", "杭州", "武汉", "厦门")  # none is the place of a built-in case

_LOG = logging.getLogger(__name__)


def fit_listwise(sets: Sequence[Sequence[Group]], prior: Array, l2: float) -> Array:
    """Weights that rank relevant rows first; every set counts the same, whatever its size.

    Parameters
    ----------
    sets
        Groups `(features, relevance)`, one for each question.
    prior
        Weights `(f,)` that the penalty pulls to.
    """
    from scipy.optimize import minimize

    usable = [[g for g in groups if g[1].any() and not g[1].all()] for groups in sets]

    def loss(weights: Array) -> tuple[float, Array]:
        total = l2 * float(np.sum((weights - prior) ** 2))
        gradient = 2 * l2 * (weights - prior)
        for groups in usable:
            for rows, relevant in groups:
                z = rows @ weights
                p = np.exp(z - z.max())
                p /= p.sum()
                good = p * relevant
                share = good.sum() + 1e-12
                total -= float(np.log(share)) / len(groups)
                gradient += (p - good / share) @ rows / len(groups)
        return total, gradient

    return np.asarray(minimize(loss, prior.copy(), jac=True, method="L-BFGS-B").x)


def fit_logistic(rows: Array, labels: Array, weights: Array, l2: float) -> tuple[Array, float]:
    """Logistic regression: weights `(f,)` that are not negative, and a bias."""
    from scipy.optimize import minimize

    def loss(x: Array) -> tuple[float, Array]:
        z = rows @ x[:-1] + x[-1]
        p = 1 / (1 + np.exp(-z))
        likelihood = np.logaddexp(0, z) - labels * z
        pull = weights * (p - labels) / weights.sum()
        total = float(likelihood @ weights / weights.sum() + l2 * x[:-1] @ x[:-1])
        return total, np.append(pull @ rows + 2 * l2 * x[:-1], pull.sum())

    bounds = [(0.0, None)] * rows.shape[1] + [(None, None)]
    start = np.append(np.ones(rows.shape[1]), 0.0)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return np.asarray(found[:-1]), float(found[-1])


# -- what is fitted on ---------------------------------------------------------------------------


def rerank_groups(
    retriever: Retriever, question: str, relevant: Callable[[int, int, int], bool]
) -> Group:
    """What the re-ranker sees for a question; `relevant(document, start, end)` of a chunk."""
    found = retriever.candidates(question, None)
    chunks = retriever.head(found)
    matcher = retriever.library.matcher(topic(question))
    rows = rerank.features(matcher, chunks, found.lexical, found.dense)
    return rows, np.array([relevant(c.document_id, c.start, c.end) for c in chunks], bool)


def benchmark_groups(benchmark: Benchmark, assistant: Assistant, limit: int) -> list[Group]:
    """The groups of a retrieval benchmark whose passages are in the assistant's library."""
    names = {info.id: info.name for info in assistant.library.documents()}
    step = max(1, len(benchmark.queries) // limit)
    groups = []
    for query in benchmark.queries[::step]:
        wanted = set(query.relevant)
        groups.append(
            rerank_groups(
                assistant.retriever,
                query.text,
                lambda document, _a, _b, wanted=wanted: names[document] in wanted,  # type: ignore[misc]
            )
        )
    return groups


def case_groups(assistant: Assistant, questions: Sequence[Question]) -> list[Group]:
    """The groups of the project's own questions."""
    documents = [assistant.library.document(i.id) for i in assistant.library.documents()]
    groups = []
    for question in questions:
        gold = [span for span in gold_spans(question, documents) if span]
        groups.append(
            rerank_groups(
                assistant.retriever,
                completed(assistant, question),
                lambda d, a, b, gold=gold: any(Span(d, a, b).overlaps(g) for g in gold),  # type: ignore[misc]
            )
        )
    return groups


def completed(assistant: Assistant, question: Question) -> str:
    """The question made self-contained."""
    return complete(question.question, question.history, assistant.library.store.places()).text


def sentence_groups(assistant: Assistant, questions: Sequence[Question]) -> list[Group]:
    """Features of the candidate sentences and which of them are gold."""
    documents = [assistant.library.document(i.id) for i in assistant.library.documents()]
    groups = []
    for question in questions:
        gold = [span for span in gold_spans(question, documents) if span]
        text = completed(assistant, question)
        found = _candidates(assistant, text, None)
        if found:
            spans = [Span(c.hit.chunk.document_id, c.start, c.end) for c in found]
            relevant = np.array([any(s.overlaps(g) for g in gold) for s in spans])
            groups.append((np.stack([c.features for c in found]), relevant))
    return groups


def _candidates(
    assistant: Assistant, text: str, filters: Filters | None
) -> tuple[select.Candidate, ...]:
    intent = read_intent(text, assistant.library.store.places())
    hits = assistant.retriever.search(text, top_k=N_HITS, filters=filters)
    return gather(text, intent, hits, assistant.library, lambda _q, _f: []).candidates


def off_topic(data: Path) -> list[str]:
    """Questions of the other dev sets: about anything but the built-in cases."""
    found = []
    for name in ("rgb", "drcd", "stard"):
        queries = list(read_rows(data / "dev" / f"{name}_queries.jsonl"))
        found += [str(row["query"]) for row in queries[:: max(1, len(queries) // N_OFF_TOPIC)]]
    return found


def refusal_rows(
    assistant: Assistant, questions: Sequence[Question], strangers: Sequence[str]
) -> tuple[Array, Array, Array]:
    """Features, labels (1 = answerable) and weights for the refusal model."""
    cases = sorted({c.case for c in assistant.library.store.chunks(1) if c.case})
    places = assistant.library.store.places()
    rows, labels, weights = [], [], []

    def add(text: str, filters: Filters | None, label: int, weight: float) -> None:
        found = _candidates(assistant, text, filters)
        if found:
            rows.append(refusal.features(found))
            labels.append(label)
            weights.append(weight)

    for question in questions:
        text = completed(assistant, question)
        if not question.answerable:
            add(text, None, 0, 5.0)
            continue
        add(text, None, 1, 1.0)
        gold = {e.case for e in question.evidence}
        hidden = Filters(cases=tuple(c for c in cases if c not in gold))
        if question.type not in ("multi", "compare", "count"):
            add(text, hidden, 0, 0.3)
        for place in places:
            short = place.removesuffix("市").removesuffix("省")
            if short in text:
                other = OTHER_PLACES[len(rows) % len(OTHER_PLACES)]
                add(text.replace(short, other), None, 0, 0.5)
                break
    for stranger in strangers:
        add(stranger, None, 0, 0.1)
    return np.array(rows), np.array(labels, float), np.array(weights)


# -- the command ---------------------------------------------------------------------------------


def main(argv: Sequence[str] | None = None) -> int:
    """Fit all weights and write them."""
    parser = argparse.ArgumentParser(prog="python -m eval.fit", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with dev/ and train/")
    parser.add_argument("--keep-rerank", action="store_true", help="fit only what comes after")
    parser.add_argument("--out", type=Path, default=WEIGHTS_FILE)
    parser.add_argument("--l2", type=float, default=0.005)
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    questions = [q for q in load_questions(split="dev") if q.type != "english"]
    answerable = [q for q in questions if q.answerable]
    with tempfile.TemporaryDirectory() as folder:
        if not args.keep_rerank:
            _fit_rerank(args.data, Path(folder), answerable, args.out, args.l2)
        _fit_answers(Path(folder), questions, off_topic(args.data), args.out)
    _LOG.info(args.out.read_text("utf-8"))
    return 0


def _fit_rerank(
    data: Path, folder: Path, answerable: Sequence[Question], out: Path, l2: float
) -> None:
    sets = []
    for name in ("rgb", "drcd", "stard"):
        benchmark = load_benchmark(data, name)
        with filled_library(benchmark, folder / name) as assistant:
            sets.append(benchmark_groups(benchmark, assistant, 600))
        _LOG.info("%s: %d questions", name, len(sets[-1]))
    with Assistant.open(folder / "cases") as assistant:
        sets.append(case_groups(assistant, answerable))
    weights = fit_listwise(sets, np.zeros(len(rerank.FEATURES)), l2)
    z = np.concatenate([rows @ weights for groups in sets for rows, _ in groups])
    y = np.concatenate([relevant for groups in sets for _, relevant in groups]).astype(float)
    _, bias = fit_logistic(np.zeros((len(z), 1)), y, np.ones(len(z)), 1.0)
    _write(out, "rerank", rerank.FEATURES, weights, bias - float(z.mean()))


def _fit_answers(
    folder: Path, questions: Sequence[Question], strangers: Sequence[str], out: Path
) -> None:
    """Sentence choice, then refusal, which judges the sentences that are then chosen."""
    joint = ("list", "multi", "compare", "count")
    facts = [q for q in questions if q.answerable and q.type not in joint]
    with Assistant.open(folder / "cases") as assistant:
        sentence = fit_listwise([sentence_groups(assistant, facts)], select.PRIOR, 0.02)
        _write(out, "sentence", select.FEATURES, sentence)
        select.fitted_weights.cache_clear()
        refuse, bias = fit_logistic(*refusal_rows(assistant, questions, strangers), 0.002)
        _write(out, "refusal", refusal.FEATURES, refuse, bias)


def _write(
    file: Path, part: str, names: Sequence[str], weights: Array, bias: float | None = None
) -> None:
    found = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    found[part] = dict(zip(names, weights.round(4).tolist(), strict=True))
    if bias is not None:
        found[part]["bias"] = round(bias, 4)
    file.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
