"""Questions with relevant and irrelevant snippets in, how the product answers from them out.

After RGB (Chen et al. 2023, arXiv:2309.01431): every question is asked over a few snippets of its
own, most of which are noise; then over noise alone, where the only right answer is to refuse.
Queries are rows `{"id", "query", "relevant", "irrelevant", "answers"}`, passages `{"id", "text"}`;
an answer that is a list holds wordings of which any will do.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from corpus.errors import CorpusError
from embeddings.fold import fold
from eval.benchmark import Passage, filled, read_rows, text_field
from rag.assistant import Assistant
from rag.library import Progress
from rag.types import Answer, Filters

N_SNIPPETS = 5  # that a question is asked over


@dataclass(frozen=True, slots=True)
class Reading:
    """One question with its snippets."""

    id: str
    question: str
    relevant: tuple[str, ...]
    irrelevant: tuple[str, ...]
    answers: tuple[tuple[str, ...], ...]  # each with its wordings


@dataclass(frozen=True, slots=True)
class ReadingScores:
    """Shares of the questions, 0 to 1."""

    noise: float
    n_questions: int
    answered: float  # any of the answer strings stands in the answer
    answered_in_full: float  # all of them do
    refused: float  # although a snippet answers
    refused_noise: float  # of the questions asked over noise alone
    mean_chars: float  # of the answers that were given

    def table(self) -> str:
        """A line for each figure."""
        return "\n".join(
            [
                f"{self.n_questions} questions, {N_SNIPPETS} snippets, {self.noise:.0%} noise",
                f"answer found            {self.answered:.3f}",
                f"all answers found       {self.answered_in_full:.3f}",
                f"refused                 {self.refused:.3f}",
                f"refused on noise alone  {self.refused_noise:.3f}",
                f"characters              {self.mean_chars:.0f}",
            ]
        )


def load_readings(passages: Path, queries: Path) -> tuple[list[Passage], list[Reading]]:
    """Read both files.

    Raises
    ------
    CorpusError
        If a row lacks what is needed.
    """
    texts = [
        Passage(text_field(passages, row, "id"), "", text_field(passages, row, "text"))
        for row in read_rows(passages)
    ]
    try:
        asked = [
            Reading(
                str(row["id"]),
                str(row["query"]),
                tuple(map(str, row["relevant"])),
                tuple(map(str, row["irrelevant"])),
                tuple(map(_wordings, row["answers"])),
            )
            for row in read_rows(queries)
        ]
    except (KeyError, TypeError) as error:
        raise CorpusError(
            f"{queries} 有一行缺少字段 {error}，应为 id, query, relevant, irrelevant, answers。",
            f"{queries}: a row lacks {error}",
        ) from error
    known = {passage.id for passage in texts}
    for reading in asked:
        if lost := [name for name in (*reading.relevant, *reading.irrelevant) if name not in known]:
            raise CorpusError(
                f"{queries} 的 {reading.id} 所列段落 {lost[0]} 不在 {passages} 中，请检查文件。",
                f"{queries}: {reading.id} names passage {lost[0]}, which {passages} lacks",
            )
    return texts, asked


def score_reading(
    passages: Sequence[Passage],
    readings: Sequence[Reading],
    *,
    noise: float = 0.8,
    seed: int = 0,
    progress: Progress | None = None,
) -> ReadingScores:
    """Ask every question twice, over snippets with `noise` and over noise alone."""
    n_noise = round(N_SNIPPETS * noise)
    answers: list[tuple[Reading, Answer]] = []
    refusals: list[bool] = []
    with filled(passages) as assistant:
        number = {info.name: info.id for info in assistant.library.documents()}
        for done, reading in enumerate(readings, 1):
            rng = random.Random(f"{seed} {reading.id}")
            good = _some(reading.relevant, N_SNIPPETS - n_noise, rng)
            bad = _some(reading.irrelevant, N_SNIPPETS, rng)
            mixed = [number[name] for name in (*good, *bad[:n_noise])]
            answers.append((reading, _ask(assistant, reading, mixed)))
            if bad:
                alone = _ask(assistant, reading, [number[name] for name in bad])
                refusals.append(alone.refused)
            if progress:
                progress("提问", done, len(readings))
    given = [a for _, a in answers if not a.refused]
    found = [[_says(a, wordings) for wordings in r.answers] for r, a in answers]
    return ReadingScores(
        noise=noise,
        n_questions=len(answers),
        answered=_mean([any(row) for row in found]),
        answered_in_full=_mean([all(row) for row in found]),
        refused=_mean([a.refused for _, a in answers]),
        refused_noise=_mean(refusals),
        mean_chars=_mean([len(a.answer) for a in given]),
    )


def _ask(assistant: Assistant, reading: Reading, documents: Sequence[int]) -> Answer:
    return assistant.ask(reading.question, filters=Filters(documents=tuple(documents)))


def _wordings(answer: object) -> tuple[str, ...]:
    return tuple(map(str, answer)) if isinstance(answer, list) else (str(answer),)


def _says(answer: Answer, wordings: Sequence[str]) -> bool:
    return any(fold(wording) in fold(answer.answer) for wording in wordings)


def _some(names: Sequence[str], n: int, rng: random.Random) -> list[str]:
    return rng.sample(names, min(n, len(names)))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else float("nan")
