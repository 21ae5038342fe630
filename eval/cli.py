"""`zhengwen eval`, `eval retrieval` and `eval speed`: arguments in, tables or JSON out."""

import argparse
import json
import math
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from corpus.errors import CorpusError

if TYPE_CHECKING:
    from eval.benchmark import BenchmarkResult
    from rag.assistant import Assistant

Open = Callable[[argparse.Namespace], "Assistant"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments; what they need is imported when they run."""
    parser.add_argument(
        "what", nargs="?", choices=["answers", "retrieval", "speed"], default="answers"
    )
    parser.add_argument("--questions", type=Path, help="问题集 (JSON Lines); default: our own")
    parser.add_argument("--split", choices=["dev", "test", "all"], default="all")
    parser.add_argument("--report", type=Path, metavar="FILE.html", help="write an HTML report")
    parser.add_argument("--limit", type=_count, default=0, help="only the first N questions")
    parser.add_argument("--compare", type=Path, metavar="RUN.json", help="an earlier run's file")
    parser.add_argument("--curve", action="store_true", help="print the refusal curve too")
    parser.add_argument("--passages", type=Path, help="for retrieval: rows {id, text}")
    parser.add_argument("--queries", type=Path, help="for retrieval: rows {id, query, relevant}")
    parser.add_argument("--mode", choices=["hybrid", "dense", "lexical", "all"], default="hybrid")


def run(args: argparse.Namespace, open_assistant: Open) -> int:
    """Run one evaluation; returns the exit code."""
    if args.what == "retrieval":
        return _retrieval(args)
    if args.what == "speed":
        from eval.speed import measure

        figures = measure()
        _print(json.dumps(asdict(figures), indent=1) if args.json else figures.table())
        return 0
    return _answers(args, open_assistant)


def _answers(args: argparse.Namespace, open_assistant: Open) -> int:
    from eval.questions import read_questions
    from eval.report import calibration_of, html_report, text_report
    from eval.runner import evaluate
    from eval.runs import FOLDER, compare, load_run, run_json, save_run

    questions, problems = read_questions(args.questions, args.split)
    if args.limit:
        questions = questions[: args.limit]
    before = load_run(args.compare) if args.compare else None
    with open_assistant(args) as assistant:
        result = evaluate(
            assistant, questions, split=args.split, progress=_progress, problems=problems
        )
        kept = save_run(result, assistant.library.home / FOLDER)
    differences = compare(before, result) if before else []
    report = args.report or kept.with_suffix(".html")
    try:
        report.write_text(html_report(result, differences), "utf-8")
    except OSError as error:
        raise CorpusError(
            f"无法写入报告 {report}:{error},请换一个可写的位置", f"cannot write {report}: {error}"
        ) from error
    if args.json:
        values = run_json(result) | {"compared": [asdict(d) for d in differences]}
        values["calibration"] = asdict(calibration_of(result).chosen)
        _print(json.dumps(_no_nan(values), ensure_ascii=False, indent=1))
    else:
        _print(text_report(result, differences))
        if args.curve:
            _print("\n" + calibration_of(result).table())
    for problem in result.problems:
        sys.stderr.write(f"{problem}\n")
    sys.stderr.write(f"结果 run: {kept}\n报告 report: {report}\n")
    return 0


def _no_nan(value: object) -> object:
    """JSON knows no NaN; what could not be divided is null."""
    if isinstance(value, dict):
        return {key: _no_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_no_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _retrieval(args: argparse.Namespace) -> int:
    from eval.benchmark import MODES, read_benchmark, run_modes
    from eval.ranking import common_name, paired_p_value

    if not args.passages or not args.queries:
        sys.stderr.write("zhengwen eval retrieval: --passages and --queries are needed\n")
        return 2
    benchmark = read_benchmark(args.passages, args.queries, args.limit)
    modes = MODES if args.mode == "all" else (args.mode,)
    results = run_modes(benchmark, modes, model=args.model, progress=_progress)
    if args.json:
        values = [_benchmark_json(result) for result in results]
        _print(json.dumps(_no_nan(values if args.mode == "all" else values[0]), indent=1))
        return 0
    _print("\n\n".join(_benchmark_table(result) for result in results))
    if args.mode == "all":
        hybrid, *halves = results
        for half in halves:
            for name in ("Success@1", "R@10", "RR@10"):
                ours, theirs = (list(r.scores.by_query[name].values()) for r in (hybrid, half))
                p_value = paired_p_value(ours, theirs)
                change = hybrid.scores.means[name].mean - half.scores.means[name].mean
                _print(
                    f"hybrid - {half.mode:<8}{common_name(name):<10}{change:+.3f}  p={p_value:.3f}"
                )
    return 0


def _benchmark_json(result: "BenchmarkResult") -> dict[str, object]:
    from eval.ranking import common_name

    means = result.scores.means
    return asdict(result) | {
        "metrics": {common_name(name): value.mean for name, value in means.items()},
        "scores": {name: asdict(value) for name, value in means.items()},
    }


def _benchmark_table(result: "BenchmarkResult") -> str:
    from eval.ranking import common_name

    lines = [f"{result.n_passages} passages, {result.n_queries} queries, {result.mode}"]
    for name, value in result.scores.means.items():
        lines.append(
            f"{common_name(name):<12}{value.mean:.3f}  [{value.low:.3f}, {value.high:.3f}]"
        )
    lines.append(
        f"index {result.index_s:.1f} s ({result.index_cpu_s:.1f} s of processor time), "
        f"{result.queries_per_s:.1f} queries/s"
    )
    lines.append(f"latency p50 {result.latency_p50_ms:.0f} ms, p95 {result.latency_p95_ms:.0f} ms")
    lines.append(
        f"{result.bytes_on_disk / 1e6:.0f} MB on disk, {result.peak_memory_mb:.0f} MB peak"
    )
    return "\n".join(lines)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"应为不小于 0 的整数 (a whole number from 0): {text}")
    return int(text)


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")


def _progress(stage: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{stage} {done}/{total or '?'}" + ("\n" if done == total else ""))
