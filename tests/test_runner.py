"""Runs over an assistant with the real cases and scripted answers; runs kept and compared."""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_assistant import cases_document, cite

from corpus.chunks import split_chunks
from corpus.errors import CorpusError, QuestionError
from corpus.people import Question as Kept
from eval import cli
from eval.questions import Evidence, Question, load_questions, read_questions
from eval.runner import evaluate
from eval.runs import FOLDER, compare, load_run, run_json, save_run
from rag.types import Answer, Hit

DOCUMENT = cases_document()
CHUNKS = [replace(c, id=i, document_id=1) for i, c in enumerate(split_chunks(DOCUMENT), 1)]
GOLD = "新收破产申请案件1332件"
QUESTIONS = [
    Question("a", "fact", "答得对", (Evidence(3, GOLD),), (("1332件",),), split="dev"),
    Question("b", "followup", "追问", (Evidence(3, GOLD),), (("1332件",),), ("先前",), split="dev"),
    Question("c", "unanswerable", "没有的", (), split="test"),
]

OFFICE = [
    Kept(1, "答得对", json.dumps({"type": "fact", "evidence": [{"case": None, "text": GOLD}]})),
    Kept(2, "坏的数据", '{"evidence": 5}'),
    Kept(3, "没有的", '{"type": "unanswerable"}'),
]


class Scripted:
    """Answers by the question's text; what it was asked is kept."""

    def __init__(self, rank: int = 1, *, wrong: bool = False) -> None:
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self.config = SimpleNamespace(answerer="extractive", language="zh")
        self.library = SimpleNamespace(
            encoder=SimpleNamespace(name="fake"),
            documents=lambda: [SimpleNamespace(id=1)],
            document=lambda _number: DOCUMENT,
            store=SimpleNamespace(chunks=lambda _number: CHUNKS, questions=lambda: OFFICE),
        )
        self._rank = rank
        self._wrong = wrong

    def ask(self, question, *, history=()) -> Answer:
        self.asked.append((question, tuple(history)))
        if question == "坏的":
            raise QuestionError("问题太长", "too long")
        if question == "没有的":
            return Answer(question, question, "没有", True, (), (), "extractive", 0.1)
        cited = (cite(DOCUMENT, "300多家僵尸企业" if self._wrong else GOLD, 1),)
        text = cited[0].quote
        completed = f"{question}(补全)"
        return Answer(question, completed, text, False, (), cited, "extractive", 0.1)

    def search(self, question, *, top_k) -> list[Hit]:
        at = DOCUMENT.text.index(GOLD)
        right = next(c for c in CHUNKS if c.start <= at < c.end)
        others = [c for c in CHUNKS if c.case != 3][: top_k - 1]
        order = [*others[: self._rank - 1], right, *others[self._rank - 1 :]]
        return [Hit(rank, 1 / rank, c) for rank, c in enumerate(order, 1)]


def test_a_good_run_scores_full_marks_and_reports_progress() -> None:
    seen = []
    assistant = Scripted()
    run = evaluate(assistant, QUESTIONS, progress=lambda *step: seen.append(step))
    assert seen[-1] == ("评测", 3, 3)
    assert assistant.asked[1] == ("追问", ("先前",))
    for metric in ("Success@1", "R@5", "must", "precision", "recall", "verbatim"):
        assert run.mean(metric).mean == 1.0, metric
    assert run.refusal["unanswerable_refused"] == 1.0
    assert run.answered == {"fact": 1.0, "followup": 1.0}
    assert not any(row.failed for row in run.rows)
    assert run.latency_ms[0] == pytest.approx(100)


def test_the_rank_of_the_right_chunk_is_what_counts() -> None:
    run = evaluate(Scripted(rank=4), QUESTIONS)
    assert run.mean("Success@1").mean == 0.0
    assert run.mean("Success@5").mean == 1.0
    assert run.mean("RR@10").mean == pytest.approx(0.25)
    assert len(run.values("RR@10")) == 2  # the unanswerable question is not judged


def test_a_question_that_cannot_be_asked_fails_and_the_rest_goes_on() -> None:
    bad = Question("z", "fact", "坏的", (Evidence(3, GOLD),))
    run = evaluate(Scripted(), [bad, *QUESTIONS])
    assert run.rows[0].causes == ("error",)
    assert run.rows[0].metrics["Success@5"] == 0.0
    assert run.rows[0].metrics["recall"] == run.rows[0].metrics["precision"] == 0.0
    assert run.answered["fact"] == 0.5
    assert len(run.rows) == 4


def test_evidence_that_is_nowhere_leaves_its_question_out() -> None:
    lost = Question("z", "fact", "?", (Evidence(3, "这句话不在任何案例里"),))
    elsewhere = Question("y", "fact", "?", (Evidence(2, GOLD),))  # in case 3, not in case 2
    run = evaluate(Scripted(), [lost, elsewhere, *QUESTIONS], problems=["第 1 行"])
    assert len(run.rows) == 3
    assert run.problems[0] == "第 1 行"
    assert all(
        text.startswith("题目“?”的依据") and "evidence of" in text for text in run.problems[1:]
    )
    with pytest.raises(CorpusError, match="没有可评测的问题"):
        evaluate(Scripted(), [lost])


def test_a_run_survives_the_disk_and_speaks_json(tmp_path: Path) -> None:
    run = evaluate(Scripted(), QUESTIONS)
    assert load_run(save_run(run, tmp_path / "new")) == run
    values = json.loads(json.dumps(run_json(run), allow_nan=False))
    assert values["overall"]["must"]["mean"] == 1.0
    assert values["n_questions"] == 3
    assert values["metrics"]["hit@1"] == values["metrics"]["must_have_recall"] == 1.0
    assert values["metrics"]["unanswerable_refused"] == 1.0
    only_answerable = run_json(evaluate(Scripted(), QUESTIONS[:1]))
    assert only_answerable["refusal"]["unanswerable_refused"] is None


@pytest.mark.parametrize("content", ["", "[]", '{"rows": 3}', '{"rows": [{}]}'])
def test_a_file_that_is_no_run_is_refused_in_one_sentence(tmp_path: Path, content: str) -> None:
    file = tmp_path / "run.json"
    file.write_text(content, "utf-8")
    with pytest.raises(CorpusError, match=r"run\.json"):
        load_run(file)


def test_two_runs_are_compared_on_the_questions_of_both() -> None:
    more = [replace(QUESTIONS[0], id=f"n{i}") for i in range(12)]
    good, bad = evaluate(Scripted(), more), evaluate(Scripted(rank=7, wrong=True), more[2:])
    found = {d.metric: d for d in compare(bad, good)}
    assert found["must"].n_questions == 10
    assert (found["must"].before, found["must"].after) == (0.0, 1.0)
    assert found["must"].significant
    assert found["verbatim"].p_value == 1.0


# -- the command line ----------------------------------------------------------------------------


def command(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--model", default="")
    cli.add_arguments(parser)
    return parser.parse_args(arguments)


class Opened(Scripted):
    """A scripted assistant as the command line opens it."""

    def __init__(self, home: Path) -> None:
        super().__init__()
        self.library.home = home

    def __enter__(self) -> "Opened":
        return self

    def __exit__(self, *_: object) -> None:
        pass


def write_questions(file: Path) -> Path:
    rows = [
        {
            "id": q.id, "question": q.question, "must": q.must, "split": q.split,
            "evidence": [{"case": e.case, "text": e.text} for e in q.evidence],
        }
        for q in QUESTIONS
    ]  # fmt: skip
    file.write_text("".join(json.dumps(row) + "\n" for row in rows) + "{\n", "utf-8")
    return file


def test_the_command_prints_json_alone_keeps_the_run_and_compares(tmp_path, capsys) -> None:
    file = write_questions(tmp_path / "q.jsonl")
    report = tmp_path / "r.html"
    arguments = ("--questions", str(file), "--json", "--report", str(report))
    assert cli.run(command(*arguments), lambda _: Opened(tmp_path)) == 0
    (kept,) = (tmp_path / FOLDER).glob("*.json")
    printed = capsys.readouterr()
    values = json.loads(printed.out)
    assert values["metrics"]["hit@1"] == 1.0
    assert "第 4 行" in printed.err
    assert "政问评测报告" in report.read_text("utf-8")
    again = command(*arguments, "--compare", str(kept), "--limit", "2")
    assert cli.run(again, lambda _: Opened(tmp_path)) == 0
    compared = json.loads(capsys.readouterr().out)["compared"]
    assert {d["n_questions"] for d in compared} == {2}


def test_the_questions_of_the_office_can_be_asked(tmp_path, capsys) -> None:
    assert cli.run(command("--questions", "office", "--json"), lambda _: Opened(tmp_path)) == 0
    printed = capsys.readouterr()
    values = json.loads(printed.out)
    assert (values["split"], values["n_questions"]) == ("office", 2)
    assert values["metrics"]["hit@1"] == 1.0
    assert "本单位题目“坏的数据”无效" in printed.err
    (kept,) = (tmp_path / FOLDER).glob("*-office.json")
    assert load_run(kept).rows[1].type == "unanswerable"


def test_the_command_prints_tables_and_the_curve(tmp_path, capsys) -> None:
    file = write_questions(tmp_path / "q.jsonl")
    arguments = command("--questions", str(file), "--curve")
    assert cli.run(arguments, lambda _: Opened(tmp_path)) == 0
    printed = capsys.readouterr().out
    assert "前五命中 hit@5" in printed
    assert "<- chosen" in printed


def test_a_report_that_cannot_be_written_and_missing_files_are_named(tmp_path, capsys) -> None:
    file = write_questions(tmp_path / "q.jsonl")
    arguments = command("--questions", str(file), "--report", str(tmp_path / "no" / "r.html"))
    with pytest.raises(CorpusError, match="无法写入报告"):
        cli.run(arguments, lambda _: Opened(tmp_path))
    assert cli.run(command("retrieval"), lambda _: Opened(tmp_path)) == 2
    assert "--passages" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        command("--limit", "-1")


def test_the_command_compares_the_modes_of_a_benchmark(tmp_path, capsys) -> None:
    passages, queries = tmp_path / "p.jsonl", tmp_path / "q.jsonl"
    passages.write_text(
        '{"id": "1", "text": "按期申报纳税。"}\n{"id": "2", "text": "婚姻登记。"}\n', "utf-8"
    )
    queries.write_text('{"id": "q", "query": "申报纳税", "relevant": ["1"]}\n', "utf-8")
    arguments = ("retrieval", "--passages", str(passages), "--queries", str(queries))
    assert cli.run(command(*arguments, "--mode", "all"), lambda _: Opened(tmp_path)) == 0
    assert "hybrid - lexical hit@1     +0.000" in capsys.readouterr().out
    assert cli.run(command(*arguments, "--json"), lambda _: Opened(tmp_path)) == 0
    assert json.loads(capsys.readouterr().out)["metrics"]["hit@1"] == 1.0


# -- question files ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"id": "1"}',
        '{"id": "1", "question": "  "}',
        '{"id": "1", "question": "?", "evidence": [{"case": 1}]}',
        '{"id": "1", "question": "?", "evidence": "text"}',
        '{"id": "1", "question": "?", "evidence": [{"case": "三", "text": "x"}]}',
        '{"id": "good", "question": "again"}',
    ],
)
def test_a_bad_row_is_named_and_the_rest_goes_on(tmp_path: Path, line: str) -> None:
    file = tmp_path / "q.jsonl"
    good = '{"id": "good", "question": "问\u2028题", "must": ["一", ["二", "2"]], "split": "dev"}'
    file.write_text(f"\ufeff{good}\n{line}\n\n", "utf-8")
    questions, problems = read_questions(file)
    assert [q.must for q in questions] == [(("一",), ("二", "2"))]
    assert len(problems) == 1
    assert "第 2 行" in problems[0]
    with pytest.raises(CorpusError, match="第 2 行"):
        load_questions(file)


def test_a_split_can_be_chosen_and_a_missing_file_is_named(tmp_path: Path) -> None:
    assert {q.split for q in load_questions(split="dev")} == {"dev"}
    with pytest.raises(CorpusError, match=r"nothing\.jsonl"):
        load_questions(tmp_path / "nothing.jsonl")
