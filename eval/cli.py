"""`zhengwen eval` with its parts: arguments in, tables or JSON out.

Parts: `answers` (the default), `retrieval`, `reading`, `checks`, `speed`, `adding`.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from corpus.errors import CorpusError, reason

if TYPE_CHECKING:
    from eval.benchmark import BenchmarkResult
    from rag.assistant import Assistant

PARTS = ("answers", "retrieval", "reading", "checks", "speed", "adding")
_PARTS_HELP = (
    "answers 问答（缺省）、retrieval 检索、reading 片段选择、checks 核验、speed 速度、"
    "adding 添加 (what to measure; default: answers)"
)
Open = Callable[[argparse.Namespace], "Assistant"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments; what they need is imported when they run."""
    add = parser.add_argument
    add("what", nargs="?", choices=PARTS, default="answers", metavar="PART", help=_PARTS_HELP)
    add(
        "--questions",
        metavar="FILE|office",
        help="JSON Lines 题目文件；office 为网页中添加的本单位题目；缺省为自带题目 "
        "(a file, or the office's own questions; default: ours)",
    )
    add("--split", choices=["dev", "test", "all"], default="all", help="题目部分 (which part)")
    add("--limit", type=_count, default=0, metavar="N", help="只用前 N 题 (only the first N)")
    add("--report", type=Path, metavar="FILE.html", help="报告写到哪里 (where the report goes)")
    add("--language", choices=["zh", "en"], help="报告的语言 (language of the report)")
    add("--compare", type=Path, metavar="RUN.json", help="与以前的结果比较 (an earlier run)")
    add("--curve", action="store_true", help="同时列出拒答曲线 (print the refusal curve too)")
    add(
        "--passages",
        type=Path,
        metavar="FILE",
        help="retrieval、reading 用：每行 {id, text} (rows for retrieval and reading)",
    )
    add(
        "--queries",
        type=Path,
        metavar="FILE",
        help="retrieval、reading 用：每行 {id, query, relevant} (rows)",
    )
    add("--noise", type=_share, default=0.8, help="reading 用：片段比例 (share of snippets)")
    add(
        "--mode",
        choices=["hybrid", "dense", "lexical", "all"],
        default="hybrid",
        help="retrieval 用：检索方式 (how to retrieve)",
    )


def run(args: argparse.Namespace, open_assistant: Open) -> int:
    """Run one evaluation; returns the exit code."""
    if args.what in ("retrieval", "reading"):
        if not args.passages or not args.queries:
            sys.stderr.write(f"zhengwen eval {args.what}: --passages and --queries are needed\n")
            return 2
        return _retrieval(args) if args.what == "retrieval" else _reading(args)
    if args.what == "checks":
        from eval.checking import builtin_report

        _print(builtin_report())
        return 0
    if args.what == "adding":
        from eval.adding import measure as measure_adding

        costs = measure_adding(args.passages, args.limit, _progress)
        _print(json.dumps(_no_nan(asdict(costs)), indent=1) if args.json else costs.table())
        return 0
    if args.what == "speed":
        from eval.speed import measure

        figures = measure()
        _print(json.dumps(asdict(figures), indent=1) if args.json else figures.table())
        return 0
    return _answers(args, open_assistant)


def _answers(args: argparse.Namespace, open_assistant: Open) -> int:
    from eval.questions import OFFICE, office_questions, read_questions
    from eval.report import calibration_of, html_report, text_report
    from eval.runner import evaluate
    from eval.runs import FOLDER, compare, load_run, run_json, save_run

    before = load_run(args.compare) if args.compare else None
    if args.questions == OFFICE:
        read, split = None, OFFICE
    else:
        file = Path(args.questions) if args.questions else None
        read = read_questions(file, args.split)  # before anything is opened
        split = file.stem if file else args.split
    # Runs over other questions, or over a part of them, are not compared with those over all.
    split += f"-{args.limit}" if args.limit else ""
    with open_assistant(args) as assistant:
        questions, problems = read or office_questions(assistant.library.store)
        questions = questions[: args.limit or None]
        result = evaluate(assistant, questions, split=split, progress=_progress, problems=problems)
        lang = assistant.config.language
        kept = save_run(result, assistant.library.home / FOLDER)
    differences = compare(before, result) if before else []
    report = args.report or kept.with_suffix(".html")
    try:
        report.write_text(html_report(result, differences, lang), "utf-8")
    except OSError as error:
        raise CorpusError(
            f"无法写入报告 {report}：{reason(error)}，请换一个可写的位置。",
            f"cannot write {report}: {error}",
        ) from error
    if args.json:
        values = run_json(result) | {"compared": [asdict(d) for d in differences]}
        values["calibration"] = asdict(calibration_of(result).chosen)
        _print(json.dumps(_no_nan(values), ensure_ascii=False, indent=1))
    else:
        _print(text_report(result, differences, lang))
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


def _reading(args: argparse.Namespace) -> int:
    from eval.reading import load_readings, score_reading

    passages, readings = load_readings(args.passages, args.queries)
    if args.limit:
        readings = readings[: args.limit]
    scores = score_reading(passages, readings, noise=args.noise, progress=_progress)
    _print(json.dumps(_no_nan(asdict(scores)), indent=1) if args.json else scores.table())
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


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"应在 0 与 1 之间 (between 0 and 1): {text}")
    return share


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")


def _progress(stage: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{stage} {done}/{total or '?'}" + ("\n" if done == total else ""))
