"""Questions in, the features and labels that `eval.fit` fits weights to out."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from corpus.types import Chunk
from embeddings.fold import fold
from eval.benchmark import Benchmark, read_rows
from eval.fitting import Array, Group, Passages
from eval.questions import Question, Span, found_spans
from rag import across
from rag import confidence as refusal
from rag.assistant import Assistant
from rag.choice import asked_for
from rag.conversation import outcome
from rag.evidence import Evidence, asking
from rag.extractive import ExtractiveAnswerer
from rag.followup import complete
from rag.questions import read_intent
from rag.reread import N_READ
from rag.sections import whole_features
from rag.select import Candidate, sentences
from rag.turn import Turn
from rag.types import Draft, Filters

OverCases = Sequence[tuple[Evidence, list[Span]]]  # with where what is wanted stands
Relevant = Callable[[Chunk], bool]
Rows = tuple[Array, Array, Array]  # features (n, f), labels (1 = answerable) and weights (n,)

N_OFF_TOPIC = 75  # questions of each other dev set
STRANGER_WEIGHT = 12.0  # of a question about anything else, in the refusal model
UNANSWERABLE_WEIGHT = 2.0  # of one question that somebody wrote to be unanswerable
NEAR_MISS_WEIGHT = 1.0  # of one of the many that ask for what a passage nearly says
N_TALKS = 300  # questions that are asked after others
OTHER_PLACES = ("佛山", "惠州", "杭州", "武汉", "厦门")  # none is the place of a built-in case


def benchmark_queries(
    benchmark: Benchmark, assistant: Assistant, limit: int
) -> Iterator[tuple[str, Relevant]]:
    """The questions of a retrieval benchmark whose passages are in the assistant's library."""
    names = {info.id: info.name for info in assistant.library.documents()}
    step = max(1, len(benchmark.queries) // limit)
    for query in benchmark.queries[::step]:
        wanted = set(query.relevant)
        yield query.text, lambda chunk, wanted=wanted: names[chunk.document_id] in wanted  # type: ignore[misc]


def case_queries(
    assistant: Assistant, questions: Sequence[Question]
) -> Iterator[tuple[str, Relevant]]:
    """The project's own questions, made self-contained."""
    documents = [assistant.library.document(i.id) for i in assistant.library.documents()]
    for question in questions:
        gold = found_spans(question, documents)
        evidence = assistant.evidence(question.question, history=question.history)
        yield (
            evidence.question,
            lambda c, gold=gold: _held((c.document_id, c.start, c.end), gold),  # type: ignore[misc]
        )


def rerank_group(assistant: Assistant, question: str, relevant: Relevant) -> Group:
    """What the first step of ranking sees for a question."""
    retriever = assistant.retriever
    found = retriever.candidates(question, None)
    chunks = retriever.head(found)
    return retriever.features(question, chunks, found), np.array([*map(relevant, chunks)], bool)


def reread_passages(assistant: Assistant, question: str, relevant: Relevant) -> Passages:
    """What the second step of ranking sees for a question."""
    library = assistant.library
    intent = read_intent(question, library.store.places())
    hits = assistant.retriever.search(question, top_k=N_READ)
    seen = sentences(asking(question, intent, library, library.encoder), hits)
    return Passages(
        question=question,
        own=np.array([hit.features for hit in hits]),
        rows=seen.rows,
        owners=np.array([span.hit for span in seen.spans], np.int64),
        relevant=np.array([relevant(hit.chunk) for hit in hits], bool),
        asked=asked_for(intent),
    )


def over_cases(assistant: Assistant, questions: Sequence[Question]) -> OverCases:
    """The evidence of those questions that are over all cases."""
    documents = [assistant.library.document(i.id) for i in assistant.library.documents()]
    asked = [(assistant.evidence(q.question, history=q.history), q) for q in questions]
    return [
        (evidence, found_spans(question, documents))
        for evidence, question in asked
        if evidence.intent.kind == "across"
    ]


def tells_groups(asked: OverCases) -> list[Group]:
    """For every case the features of its sentences, and which of them are wanted."""
    return [
        (np.array([c.features for c in found]), np.array([_wanted(c, gold) for c in found]))
        for evidence, gold in asked
        for found in across.by_case(evidence.candidates).values()
    ]


def across_rows(asked: OverCases) -> Rows:
    """Features of the best sentence of every case, and whether the case holds what is wanted."""
    rows, labels = [], []
    for evidence, gold in asked:
        found = across.by_case(evidence.candidates)
        holding = [case for case, some in found.items() if any(_wanted(c, gold) for c in some)]
        for candidate, row in across.best_of_cases(evidence.candidates, evidence.literals):
            rows.append(row)
            labels.append(float(candidate.hit.chunk.home in holding))
    return np.array(rows), np.array(labels), np.ones(len(rows))


def _wanted(candidate: Candidate, gold: Sequence[Span]) -> bool:
    return _held((candidate.hit.chunk.document_id, candidate.start, candidate.end), gold)


def _held(place: tuple[int, int, int], gold: Sequence[Span]) -> bool:
    """Whether a place, a document with start and end, shares text with what is wanted."""
    span = Span(*place)
    return any(span.overlaps(piece) for piece in gold)


def section_groups(assistant: Assistant, questions: Sequence[Question]) -> tuple[list[Group], Rows]:
    """Which sections list what is asked for, and whether the best does better than sentences.

    An answer is worth the mean of its citations' F1 and of its must-have recall.
    """
    documents = [assistant.library.document(i.id) for i in assistant.library.documents()]
    answerer = ExtractiveAnswerer(assistant.config.answers)
    groups: list[Group] = []
    rows, labels, weights = [], [], []
    for question in questions:
        gold = found_spans(question, documents)
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
        gold = found_spans(question, documents)
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
    weights = [weight * (1.0 if answerable else UNANSWERABLE_WEIGHT) for answerable in labels]
    return np.array(rows), np.array(labels), np.array(weights)


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
