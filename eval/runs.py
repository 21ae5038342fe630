"""Runs in, JSON files out and back, so that a later run can be compared with an earlier one."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from corpus.errors import CorpusError, reason
from eval.ranking import common_name, paired_p_value
from eval.runner import ANSWERS, RETRIEVAL, Row, Run

FOLDER = "evaluations"  # in the home folder; the page shows what lies there


@dataclass(frozen=True, slots=True)
class Difference:
    """A metric of two runs over the questions that both asked."""

    metric: str
    before: float
    after: float
    n_questions: int
    p_value: float  # of a paired permutation test that nothing has changed

    @property
    def significant(self) -> bool:
        """Whether chance alone would do this in fewer than one of twenty comparisons."""
        return self.p_value < 0.05


def compare(before: Run, after: Run) -> list[Difference]:
    """What changed between two runs, metric by metric."""
    old = {row.id: row.metrics for row in before.rows}
    new = {row.id: row.metrics for row in after.rows}
    differences = []
    for metric in (*RETRIEVAL, *ANSWERS):
        common = [i for i in new if metric in new[i] and metric in old.get(i, {})]
        if common:
            a, b = [old[i][metric] for i in common], [new[i][metric] for i in common]
            n = len(common)
            p_value = paired_p_value(a, b)
            differences.append(Difference(metric, sum(a) / n, sum(b) / n, n, p_value))
    return differences


def save_run(run: Run, folder: Path) -> Path:
    """Keep a run; returns its file, whose name begins with the date."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{run.date.replace(':', '')}-{run.split}.json"
    file.write_text(json.dumps(asdict(run), ensure_ascii=False), "utf-8")
    return file


def load_run(file: Path) -> Run:
    """Read back `save_run`.

    Raises
    ------
    CorpusError
        If the file is not a run.
    """
    try:
        values = json.loads(file.read_text("utf-8"))
        rows = tuple(_row(row) for row in values.pop("rows"))
        problems = tuple(values.pop("problems", ()))
        return Run(**values, rows=rows, problems=problems)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorpusError(
            f"{file} 不是评测结果：{reason(error)}，请给出 zhengwen eval 保存的 JSON 文件。",
            f"{file} is not a saved evaluation: {error}",
        ) from error


def _row(values: dict[str, Any]) -> Row:
    values["must"] = tuple(tuple(fact) for fact in values["must"])
    for name in ("history", "gold", "cited", "retrieved", "causes"):
        values[name] = tuple(values.get(name, ()))
    return Row(**values)


def run_json(run: Run) -> dict[str, object]:
    """What `zhengwen eval --json` prints."""
    names = (*RETRIEVAL, *ANSWERS)

    def means(kind: str) -> Mapping[str, object]:
        return {name: asdict(run.mean(name, kind)) for name in names if run.values(name, kind)}

    refusal = {k: None if math.isnan(v) else v for k, v in run.refusal.items()}
    p50, p95 = run.latency_ms
    return {
        "date": run.date,
        "split": run.split,
        "model": run.model,
        "answerer": run.answerer,
        "n_questions": len(run.rows),
        "overall": means(""),
        "by_type": {kind: means(kind) for kind in run.types},
        "answered": run.answered,
        "refusal": refusal,
        "metrics": _flat(run) | {k: v for k, v in refusal.items() if k != "precision"},
        "latency_ms": {"p50": p50, "p95": p95},
        "failed": [row.id for row in run.rows if row.failed],
        "problems": list(run.problems),
    }


def _flat(run: Run) -> dict[str, float]:
    """The means alone, by their common names, for scripts."""
    answers = {
        "must": "must_have_recall",
        "precision": "citation_precision",
        "recall": "citation_recall",
        "verbatim": "verbatim",
    }
    return {
        answers.get(name, common_name(name)): run.mean(name).mean
        for name in (*RETRIEVAL, *ANSWERS)
        if run.values(name)
    }
