"""Dev data in, `rag/weights.json` out: the weights of re-ranking, sentence choice and refusal.

`python -m eval.fit --data DIR` takes the dev sets of retrieval and the reading comprehension sets
from DIR, the practice questions (`eval/practice.jsonl`), our own questions on news, the dev split
of the project's own questions; nothing of any test split is read. All three models are linear; the
first two are fitted with a listwise softmax loss (Cao et al. 2007, ListNet), the last is a logistic
regression.
Unanswerable questions are few, so more are made of answerable ones: the case or passage that
answers is hidden, or the place is exchanged for another one; questions of the other dev sets stand
for all that is far off.
"""

import argparse
import json
import logging
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.numpy import save_file
from torch import Tensor, nn

from embeddings.fold import fold
from embeddings.training.data import PassageQuestion, load_news_questions, load_policy_questions
from eval.benchmark import Benchmark, Passage, Query, filled_library, load_benchmark, read_rows
from eval.groups import (
    Comprehension,
    comprehension_groups,
    load_comprehension,
    misspelt,
    passage_groups,
    passage_name,
    passages_of,
    sentence_groups,
)
from eval.questions import PRACTICE_FILE, Question, Span, gold_spans, load_questions
from rag import across, conversation, linear, rerank, sections, select
from rag import confidence as refusal
from rag.assistant import Assistant
from rag.conversation import outcome
from rag.evidence import Evidence
from rag.extractive import ExtractiveAnswerer
from rag.followup import complete
from rag.retriever import Retriever
from rag.sections import whole_features
from rag.turn import Turn
from rag.types import Draft, Filters

Array = npt.NDArray[np.float64]
Group = tuple[Array, npt.NDArray[np.bool_]]  # features (n, f) and relevance (n,) of one question
Rows = tuple[Array, Array, Array]  # features (n, f), labels (1 = answerable) and weights (n,)

WEIGHTS_FILE = Path(rerank.__file__).with_name("weights.json")
N_OFF_TOPIC = 75  # questions of each other dev set
N_COMPREHENSION = 1_500  # questions on encyclopedia passages
N_NEWS = 1_500  # questions on news
COMPREHENSION_WEIGHT = 0.03  # of one of them in the refusal model
NEWS_WEIGHT = 0.1  # of a question on news there
POLICY_WEIGHT = 0.3  # of a question on policy passages there
STRANGER_WEIGHT = 4.0  # of a question about anything else
UNANSWERABLE_WEIGHT = 2.0  # of one question that somebody wrote to be unanswerable
MISSPELT = 8  # every so many questions one is misspelt
ANSWERABLE_WEIGHT = 1.6  # of an answerable one: it must not be refused
NEAR_MISS_WEIGHT = 1.0  # of one of the many that ask for what a passage nearly says
N_NETWORKS, N_HIDDEN, EPOCHS = 5, 16, 60  # of what tells whether the documents answer
N_TALKS = 300  # questions that are asked after others
JOINT = ("list", "multi", "compare", "count")  # types that one sentence does not answer
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


def fit_logistic(
    rows: Array, labels: Array, weights: Array, l2: float, *, signed: bool = False
) -> tuple[Array, float]:
    """Logistic regression: weights `(f,)`, not negative unless signed, and a bias."""
    from scipy.optimize import minimize

    def loss(x: Array) -> tuple[float, Array]:
        z = rows @ x[:-1] + x[-1]
        p = 1 / (1 + np.exp(-z))
        likelihood = np.logaddexp(0, z) - labels * z
        pull = weights * (p - labels) / weights.sum()
        total = float(likelihood @ weights / weights.sum() + l2 * x[:-1] @ x[:-1])
        return total, np.append(pull @ rows + 2 * l2 * x[:-1], pull.sum())

    least = None if signed else 0.0
    bounds = [(least, None)] * rows.shape[1] + [(None, None)]
    start = np.append(np.ones(rows.shape[1]), 0.0)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return np.asarray(found[:-1]), float(found[-1])


def fit_network(rows: Array, labels: Array, weights: Array) -> dict[str, Array]:
    """Train what `rag.confidence` computes: several small networks side by side, averaged.

    Parameters
    ----------
    rows, labels, weights
        Features `(n, f)`, 1 for answerable `(n,)` and what each question counts `(n,)`.
    """
    mean, scale = rows.mean(axis=0), rows.std(axis=0) + 1e-6
    seen = torch.tensor((rows - mean) / scale, dtype=torch.float32)
    seen = seen.clamp(-refusal.LIMIT, refusal.LIMIT)
    wanted = torch.tensor(labels, dtype=torch.float32)
    weights = weights * np.where(labels > 0, ANSWERABLE_WEIGHT, 1.0)
    counts = torch.tensor(weights / weights.mean(), dtype=torch.float32)
    networks = [_trained(seen, wanted, counts, seed) for seed in range(N_NETWORKS)]
    joined = {
        "hidden.weight": torch.cat([hidden.weight for hidden, _ in networks]),
        "hidden.bias": torch.cat([hidden.bias for hidden, _ in networks]),
        "out.weight": torch.cat([out.weight[0] for _, out in networks]) / N_NETWORKS,
        "out.bias": torch.stack([out.bias for _, out in networks]).mean(dim=0),
    }
    found = {name: value.detach().numpy() for name, value in joined.items()}
    return {"mean": mean.astype(np.float32), "scale": scale.astype(np.float32), **found}


def _trained(
    seen: Tensor, wanted: Tensor, counts: Tensor, seed: int
) -> tuple[nn.Linear, nn.Linear]:
    torch.manual_seed(seed)
    hidden, out = nn.Linear(seen.shape[1], N_HIDDEN), nn.Linear(N_HIDDEN, 1)
    network = nn.Sequential(hidden, nn.Tanh(), nn.Dropout(0.1), out)
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, EPOCHS)
    for _ in range(EPOCHS):
        for some in torch.split(torch.randperm(len(seen)), 256):
            loss = nn.functional.binary_cross_entropy_with_logits(
                network(seen[some])[:, 0], wanted[some], counts[some]
            )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        schedule.step()
    return hidden, out


# -- what is fitted on ---------------------------------------------------------------------------


def rerank_groups(
    retriever: Retriever, question: str, relevant: Callable[[int, int, int], bool]
) -> Group:
    """What both steps of re-ranking see for a question; `relevant(document, start, end)`."""
    found = retriever.candidates(question, None)
    chunks = retriever.head(found)
    rows = retriever.features(question, chunks, found)
    read = rerank.read_features(retriever.library.reader, question, chunks, rows)
    return read, np.array([relevant(c.document_id, c.start, c.end) for c in chunks], bool)


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
    return assistant.evidence(question.question, history=question.history).question


def across_rows(assistant: Assistant, questions: Sequence[Question]) -> Rows:
    """Features of the best sentence of every case, and whether the case answers."""
    rows, labels = [], []
    for question in questions:
        evidence = assistant.evidence(question.question, history=question.history)
        if evidence.intent.kind != "across":
            continue
        gold = {piece.case for piece in question.evidence}
        for candidate, row in across.best_of_cases(evidence.candidates, evidence.literals):
            rows.append(row)
            labels.append(float(candidate.hit.chunk.case in gold))
    return np.array(rows), np.array(labels), np.ones(len(rows))


def section_groups(assistant: Assistant, questions: Sequence[Question]) -> tuple[list[Group], Rows]:
    """Which sections list what is asked for, and whether the best does better than sentences.

    An answer is worth the mean of its citations' F1 and of its must-have recall.
    """
    documents = [assistant.library.document(i.id) for i in assistant.library.documents()]
    answerer = ExtractiveAnswerer(assistant.config.answers)
    groups: list[Group] = []
    rows, labels, weights = [], [], []
    for question in questions:
        gold = [span for span in gold_spans(question, documents) if span]
        evidence = assistant.evidence(question.question, history=question.history)
        if evidence.intent.kind not in ("list", "how") or not evidence.candidates:
            continue
        worth = np.array(
            [_worth(answerer.listed(evidence, s), question, gold) for s in evidence.sections]
        )
        if not len(worth):
            continue
        groups.append((np.array([s.features for s in evidence.sections]), worth > 0.5))
        best = evidence.sections[0]
        gain = worth[0] - _worth(answerer.selected(evidence), question, gold)
        if gain:
            rows.append(whole_features(best, evidence.candidates[0], evidence.intent))
            labels.append(float(gain > 0))
            weights.append(abs(gain))
    return groups, (np.array(rows), np.array(labels), np.array(weights))


def _worth(draft: Draft, question: Question, gold: Sequence[Span]) -> float:
    cited = [Span(c.document_id, c.start, c.end) for c in draft.citations]
    right = sum(any(c.overlaps(g) for g in gold) for c in cited) / len(cited)
    found = sum(any(c.overlaps(g) for c in cited) for g in gold) / len(gold)
    f1 = 2 * right * found / (right + found) if right + found else 0.0
    text = fold("".join(sentence.text for sentence in draft.sentences))
    said = [any(fold(way) in text for way in ways) for ways in question.must]
    return (f1 + (sum(said) / len(said) if said else f1)) / 2


def follow_rows(assistant: Assistant, questions: Sequence[Question]) -> Rows:
    """What tells whether a question goes on from the one before it, and whether it does.

    It goes on from its own history; it is also asked after a question on another case and after one
    on the same. A reading is right if its best sentence is evidence, or if it is refused where
    nothing answers.
    """
    documents = [assistant.library.document(i.id) for i in assistant.library.documents()]
    places = assistant.library.store.places()
    drawn = random.Random(0)
    alone = [q for q in questions if not q.history and q.evidence]
    rows, labels, weights = [], [], []
    for question in [*(q for q in questions if q.history), *drawn.sample(alone, N_TALKS)]:
        before = [(question.history[-1], 1.0)] if question.history else []
        cases = {e.case for e in question.evidence}
        if not before:
            same = [q for q in alone if q is not question and cases & {e.case for e in q.evidence}]
            other = [q for q in alone if not cases & {e.case for e in q.evidence}]
            before = [(drawn.choice(other).question, 1.0), (drawn.choice(same).question, 0.5)]
        gold = [span for span in gold_spans(question, documents) if span]
        for context, weight in before:
            completed = complete(question.question, context, places)
            if completed.follows or not completed.context:
                continue
            talking = assistant.conversation(Turn(assistant.library))
            readings = outcome(talking.readings(completed))
            gain = _is_right(assistant, readings.following, question, gold) - _is_right(
                assistant, readings.alone, question, gold
            )
            if gain:
                rows.append(readings.seen)
                labels.append(float(gain > 0))
                weights.append(weight)
    return np.array(rows), np.array(labels), np.array(weights)


def _is_right(
    assistant: Assistant, evidence: Evidence, question: Question, gold: Sequence[Span]
) -> bool:
    if evidence.confidence < assistant.config.answers.refuse_below or not evidence.candidates:
        return not question.answerable
    best = evidence.candidates[0]
    cited = Span(best.hit.chunk.document_id, best.start, best.end)
    return any(cited.overlaps(g) for g in gold)


def plain_rows(assistant: Assistant, asked: Sequence[tuple[str, bool]], weight: float) -> Rows:
    """Features, labels and weights for the refusal model; a question is answerable or not."""
    rows, labels = [], []
    for question, answerable in asked:
        found = assistant.evidence(question).candidates
        if found:
            rows.append(refusal.features(found))
            labels.append(float(answerable))
    return np.array(rows), np.array(labels), np.full(len(rows), weight)


def off_topic(data: Path) -> list[str]:
    """Questions of the other dev sets: about anything but the built-in cases."""
    found = []
    for name in ("rgb", "drcd", "stard"):
        queries = list(read_rows(data / "dev" / f"{name}_queries.jsonl"))
        found += [str(row["query"]) for row in queries[:: max(1, len(queries) // N_OFF_TOPIC)]]
    return found


def refusal_rows(
    assistant: Assistant, questions: Sequence[Question], strangers: Sequence[str]
) -> Rows:
    """Features, labels (1 = answerable) and weights for the refusal model."""
    cases = sorted({c.case for c in assistant.library.store.chunks(1) if c.case})
    places = assistant.library.store.places()
    rows, labels, weights = [], [], []

    def add(question: Question, label: int, weight: float, filters: Filters | None = None) -> None:
        evidence = assistant.evidence(question.question, history=question.history, filters=filters)
        if evidence.candidates:
            rows.append(refusal.features(evidence.candidates))
            labels.append(label)
            weights.append(weight)

    for question in questions:
        if not question.answerable:
            near = question.split == "near"
            add(question, 0, NEAR_MISS_WEIGHT if near else UNANSWERABLE_WEIGHT)
            continue
        add(question, 1, 1.0)
        gold = {e.case for e in question.evidence}
        hidden = Filters(cases=tuple(c for c in cases if c not in gold))
        if question.type not in ("multi", "compare", "count"):
            add(question, 0, 0.1, hidden)
        for place in places:
            short = place.removesuffix("市").removesuffix("省")
            if short in question.question:
                other = OTHER_PLACES[len(rows) % len(OTHER_PLACES)]
                add(replace(question, question=question.question.replace(short, other)), 0, 0.5)
                break
    for stranger in strangers:
        add(Question("", "", stranger, ()), 0, STRANGER_WEIGHT)
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
    practice = load_questions(PRACTICE_FILE)
    questions = [*load_questions(split="dev")]
    questions += [q for q in practice if q.split in ("fit", "near")]
    questions += [
        replace(q, type="typo", question=misspelt(q.question, i))
        for i, q in enumerate(questions)
        if q.type in ("fact", "paraphrase") and i % MISSPELT == 0
    ]
    answerable = [q for q in questions if q.answerable]
    with tempfile.TemporaryDirectory() as folder:
        if not args.keep_rerank:
            _fit_rerank(args.data, Path(folder), answerable, args.out, args.l2)
        _fit_answers(Path(folder), questions, args.data, args.out)
    _LOG.info(args.out.read_text("utf-8"))
    return 0


def _fit_rerank(
    data: Path, folder: Path, answerable: Sequence[Question], out: Path, l2: float
) -> None:
    sets = []
    benchmarks = {name: load_benchmark(data, name) for name in ("rgb", "drcd", "stard")}
    benchmarks["news"] = _own_benchmark(load_news_questions(data))
    benchmarks["policy"] = _own_benchmark(load_policy_questions())
    for name, benchmark in benchmarks.items():
        with filled_library(benchmark, folder / name) as assistant:
            sets.append(benchmark_groups(benchmark, assistant, 600))
        _LOG.info("%s: %d questions", name, len(sets[-1]))
    with Assistant.open(folder / "cases") as assistant:
        sets.append(case_groups(assistant, answerable))
        n_read = assistant.config.retrieval.n_read
    n = len(rerank.FEATURES)
    plain = [[(rows[:, :n], relevant) for rows, relevant in groups] for groups in sets]
    first = fit_listwise(plain, np.zeros(n), l2)
    _write(out, "rerank", rerank.FEATURES, first, _offset(plain, first))
    near = [[_nearest(group, first, n_read) for group in groups] for groups in sets]
    second = fit_listwise(near, np.append(first, [0.0, 0.0]), l2)
    _write(out, "reread", rerank.READ_FEATURES, second, _offset(near, second))


def _own_benchmark(asked: Sequence[PassageQuestion]) -> Benchmark:
    """Questions of our own that nothing was trained on, over all passages."""
    queries = [
        Query(str(i), one.question, (passage_name(one.passage),))
        for i, one in enumerate(asked)
        if one.split == "fit" and one.evidence
    ]
    return Benchmark(passages_of(asked), tuple(queries))


def _nearest(group: Group, first: Array, n_read: int) -> Group:
    """The rows that the first step ranks best."""
    rows, relevant = group
    best = np.argsort(-(rows[:, : len(first)] @ first), kind="stable")[:n_read]
    return rows[best], relevant[best]


def _offset(sets: Sequence[Sequence[Group]], weights: Array) -> float:
    """The bias with which the scores are as high on average as rows are relevant."""
    z = np.concatenate([rows @ weights for groups in sets for rows, _ in groups])
    y = np.concatenate([relevant for groups in sets for _, relevant in groups]).astype(float)
    _, bias = fit_logistic(np.zeros((len(z), 1)), y, np.ones(len(z)), 1.0)
    return bias - float(z.mean())


def _fit_answers(folder: Path, questions: Sequence[Question], data: Path, out: Path) -> None:
    """Sentence choice, then refusal, which judges the sentences that are then chosen."""
    facts = [q for q in questions if q.answerable and q.type not in JOINT]
    read = load_comprehension(data)
    shown = {c.name: Passage(c.name, "", c.passage) for c in read if not _hidden(c)}
    news, policy = load_news_questions(data), load_policy_questions()
    # All passages are rivals, whatever their questions are used for.
    of_news, of_policy = (Benchmark(passages_of(asked), ()) for asked in (news, policy))
    news = [one for one in news if one.split == "fit"]
    news = news[:: max(1, len(news) // N_NEWS)]
    policy = [one for one in policy if one.split == "fit"]
    # The reader was trained on the questions on the other passages.
    some = [c for c in read if c.number % 3 == 0]
    some = some[:: max(1, len(some) // N_COMPREHENSION)]
    with (
        Assistant.open(folder / "cases") as assistant,
        filled_library(Benchmark(tuple(shown.values()), ()), folder / "comprehension") as reader,
        filled_library(of_news, folder / "news") as press,
        filled_library(of_policy, folder / "policy") as office,
    ):
        sets = [
            [(g.features, g.relevant) for g in found]
            for found in (
                sentence_groups(assistant, facts),
                comprehension_groups(reader, [c for c in some if not _hidden(c)]),
                passage_groups(press, [one for one in news if one.evidence]),
                passage_groups(office, [one for one in policy if one.evidence]),
            )
        ]
        _write(out, "sentence", select.FEATURES, fit_listwise(sets, select.PRIOR, 0.01))
        linear.fitted.cache_clear()
        answerable = [q for q in questions if q.answerable]
        chosen = fit_listwise([section_groups(assistant, answerable)[0]], sections.PRIOR, 0.01)
        _write(out, "section", sections.FEATURES, chosen)
        linear.fitted.cache_clear()
        # Only what must be said tells whether the titles of the items suffice.
        told = [q for q in answerable if q.must]
        whole, bias = fit_logistic(*section_groups(assistant, told)[1], 0.005, signed=True)
        _write(out, "whole", sections.WHOLE_FEATURES, whole, bias)
        linear.fitted.cache_clear()
        speaks, bias = fit_logistic(*across_rows(assistant, answerable), 0.002, signed=True)
        _write(out, "across", across.FEATURES, speaks, bias)
        parts = [
            refusal_rows(assistant, questions, off_topic(data)),
            plain_rows(reader, [(c.question, not _hidden(c)) for c in some], COMPREHENSION_WEIGHT),
            plain_rows(press, [(one.question, bool(one.evidence)) for one in news], NEWS_WEIGHT),
            plain_rows(office, [(o.question, bool(o.evidence)) for o in policy], POLICY_WEIGHT),
        ]
        rows, labels, weights = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        save_file(fit_network(rows, labels, weights), out.with_name(refusal.FILE.name))
        refusal.network.cache_clear()
        talks = [q for q in load_questions(PRACTICE_FILE) if q.history and q.split != "fit"]
        seen = follow_rows(assistant, [*questions, *talks])
        follow, bias = fit_logistic(*seen, 0.003, signed=True)
        _write(out, "follow", conversation.FEATURES, follow, bias)


def _hidden(one: Comprehension) -> bool:
    """Whether the passage is kept out of the library, so that nothing answers the question."""
    return one.number % 6 == 0


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
