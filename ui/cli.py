"""The command line: `zhengwen serve | add | list | remove | rebuild | check | search | ask | eval`.

Results go to stdout, logs and progress to stderr. Exit code 0: done; 1: failed, with one line that
says what, where, and the mend; 2: wrong usage. Everything heavy is imported by the subcommand that
needs it, so that `--help` answers at once.
"""

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpus.errors import CorpusError, UserError

if TYPE_CHECKING:
    from rag.assistant import Assistant
    from rag.intake import Failure

Progress = Callable[[str, int, int], None]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a Windows console may speak another code page
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    argv = sys.argv[1:] if argv is None else argv
    args = _parser(argv).parse_args(argv)
    logging.basicConfig(
        level=logging.DEBUG if args.verbose else logging.WARNING,
        format="%(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    try:
        run: Callable[[argparse.Namespace], int] = args.run
        return run(args)
    except UserError as error:
        print(error, file=sys.stderr)
    except KeyboardInterrupt:
        print("已中断 (interrupted)", file=sys.stderr)
    except BrokenPipeError:
        # The reader of a pipe (head) has gone; closing stdout again must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, MemoryError) as error:
        print(f"zhengwen: {error}", file=sys.stderr)
    return 1


def _common() -> argparse.ArgumentParser:
    """The options of every command; a new one each time, as set_defaults changes shared ones."""
    common = argparse.ArgumentParser(add_help=False)
    keep = argparse.SUPPRESS  # so that an option may stand before or after the subcommand
    common.add_argument("--home", type=Path, default=keep, help="数据目录 (default ~/.zhengwen)")
    common.add_argument("--json", action="store_true", default=keep, help="machine-readable output")
    common.add_argument("--model", default=keep, help="embedding model: a folder or a hub name")
    common.add_argument("--verbose", action="store_true", default=keep, help="log to stderr")
    return common


def _parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zhengwen", description="政问:从材料中找答案,句句有出处。", parents=[_common()]
    )
    parser.set_defaults(home=None, json=False, model="", verbose=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(
        name: str, run: Callable[[argparse.Namespace], int], text: str
    ) -> argparse.ArgumentParser:
        sub: argparse.ArgumentParser = commands.add_parser(
            name, help=text, description=text, parents=[_common()]
        )
        sub.set_defaults(run=run)
        return sub

    serve = command("serve", _serve, "打开网页界面 (the web application)")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=7860)
    _answerer_options(serve)

    add = command("add", _add, "添加文件或文件夹 (add files or folders)")
    add.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    for flag, words in (("--include", "只添加 (only add)"), ("--exclude", "不添加 (leave out)")):
        add.add_argument(flag, action="append", default=[], metavar="PATTERN", help=words)
    command("list", _list, "列出文档 (list documents)")
    remove = command("remove", _remove, "移除文档 (remove documents)")
    remove.add_argument("ids", nargs="+", type=int, metavar="ID")
    command("rebuild", _rebuild, "由数据库重建索引 (rebuild the indexes)")
    command("check", _check, "检查数据库和索引 (check store and indexes)")
    backup = command("backup", _backup, "备份数据库 (back the store up, also while serving)")
    backup.add_argument("file", type=Path, metavar="FILE")
    restore = command("restore", _restore, "从备份恢复 (restore a backup)")
    restore.add_argument("file", type=Path, metavar="FILE")

    search = command("search", _search, "查找段落 (find passages)")
    search.add_argument("question", nargs="?")
    search.add_argument("-k", dest="top_k", type=_positive, default=10)
    search.add_argument("--mode", choices=["hybrid", "dense", "lexical"], default="hybrid")
    search.add_argument("--batch", type=Path, metavar="FILE.jsonl")

    ask = command("ask", _ask, "提问 (ask a question)")
    ask.add_argument("question", nargs="?")
    ask.add_argument("--history", action="append", default=[], metavar="QUESTION")
    ask.add_argument("--batch", type=Path, metavar="FILE.jsonl")
    _answerer_options(ask)

    evaluate = command("eval", _eval, "评测 (evaluate)")
    if "eval" in argv:  # the only subcommand whose arguments another package declares
        from eval.cli import add_arguments

        add_arguments(evaluate)
    return parser


def _answerer_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--answerer", choices=["extractive", "transformers", "openai"], default="")
    parser.add_argument("--generator", default="", help="a folder, a hub name or a served name")
    parser.add_argument("--base-url", default="", help="of an OpenAI-compatible server")


def _positive(value: str) -> int:
    number = int(value)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _open(args: argparse.Namespace, progress: Progress | None = None) -> "Assistant":
    from rag.assistant import Assistant
    from rag.config import default_home, load_config

    home = args.home or default_home()
    flags = {key: getattr(args, key, "") for key in ("model", "answerer", "generator", "base_url")}
    return Assistant.open(home, config=load_config(home, flags), progress=progress or _progress)


def _progress(stage: str, done: int, total: int) -> None:
    if sys.stderr.isatty() or done == total:
        end = "\n" if done == total else "\r"
        print(f"{stage} {done}/{total}", end=end, file=sys.stderr, flush=True)


def _print_json(value: object, indent: int | None = None) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=indent))


def _serve(args: argparse.Namespace) -> int:
    from ui.app import serve

    def opener(progress: Progress) -> "Assistant":
        def both(stage: str, done: int, total: int) -> None:
            _progress(stage, done, total)
            progress(stage, done, total)

        return _open(args, both)

    def announce(address: str) -> None:
        print(f"政问已启动 (Zhengwen is ready): {address}", file=sys.stderr, flush=True)

    serve(opener, host=args.host, port=args.port, announce=announce)
    return 0


def _search(args: argparse.Namespace) -> int:
    from rag.jsonout import hits_json

    with _open(args) as assistant:
        if args.batch:
            for row in _batch(args.batch):
                out = row if "error" in row else _search_row(assistant, args, row)
                _print_json(out)
            return 0
        hits = assistant.search(_required(args), top_k=args.top_k, mode=args.mode)
        if args.json:
            _print_json({"question": args.question, "hits": hits_json(hits)}, indent=1)
            return 0
        for hit in hits:
            chunk = hit.chunk
            place = " · ".join(filter(None, [_case(chunk.case), chunk.case_title, chunk.section]))
            print(f"{hit.rank}. {hit.score:.3f} 《{chunk.document}》{place}\n   {chunk.text}")
    return 0


def _search_row(
    assistant: "Assistant", args: argparse.Namespace, row: dict[str, Any]
) -> dict[str, Any]:
    from rag.jsonout import hits_json

    try:
        hits = assistant.search(row["question"], top_k=args.top_k, mode=args.mode)
    except UserError as error:
        return {"id": row["id"], "error": str(error)}
    return {"id": row["id"], "hits": hits_json(hits)}


def _ask(args: argparse.Namespace) -> int:
    from rag.jsonout import answer_json

    with _open(args) as assistant:
        if args.batch:
            for row in _batch(args.batch):
                _print_json(_ask_row(assistant, row))
            return 0
        answer = assistant.ask(_required(args), history=args.history)
        if args.json:
            _print_json(answer_json(answer), indent=1)
            return 0
        if answer.completed_question != answer.question:
            print(f"按此理解:{answer.completed_question}\n")
        print(answer.answer)
        for citation in answer.nearest if answer.refused else answer.citations:
            place = " · ".join(filter(None, [_case(citation.case), citation.section]))
            print(f"\n[{citation.n}] 《{citation.document}》{place}\n    “{citation.quote}”")
    return 0


def _ask_row(assistant: "Assistant", row: dict[str, Any]) -> dict[str, Any]:
    from rag.jsonout import answer_json

    if "error" in row:
        return row
    try:
        answer = assistant.ask(row["question"], history=row.get("history") or ())
    except UserError as error:
        return {"id": row["id"], "error": str(error)}
    return {"id": row["id"], **answer_json(answer)}


def _required(args: argparse.Namespace) -> str:
    if args.question is None:
        print(
            f"zhengwen {args.command}: 请给出问题或 --batch (a question or --batch)",
            file=sys.stderr,
        )
        raise SystemExit(2)
    return str(args.question)


def _case(number: int | None) -> str:
    return f"案例{number}" if number else ""


def _batch(file: Path) -> Iterator[dict[str, Any]]:
    """The rows of a batch; a bad one becomes `{"id", "error"}` and the rest goes on."""
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(
            f"无法读取 {file}:{error},请给出 UTF-8 编码的 JSON Lines 文件",
            f"cannot read {file}: expected JSON Lines in UTF-8",
        ) from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        row_id: object = number
        try:
            row = json.loads(line)
            row_id = row.get("id", number)
            history = row.get("history") or []
            if not isinstance(row["question"], str) or not all(isinstance(h, str) for h in history):
                raise TypeError("question and history must be text")
            yield {**row, "id": row_id}
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            yield {"id": row_id, "error": f"第 {number} 行无效 (line {number}): {error!r}"}


def _add(args: argparse.Namespace) -> int:
    from rag.intake import select_files

    missing: list[Failure] = []
    files = select_files(args.paths, args.include, args.exclude, missing)
    with _open(args) as assistant:
        report = assistant.library.add(files, progress=_progress)
    report = replace(report, failed=(*missing, *report.failed))
    if args.json:
        from rag.jsonout import plain

        _print_json(plain(report), indent=1)
    else:
        print(
            f"新增 {len(report.added)},更新 {len(report.replaced)},"
            f"未变 {len(report.unchanged)},失败 {len(report.failed)}"
        )
    for failure in report.failed:
        print(failure.reason, file=sys.stderr)
    return 1 if report.failed and not (report.added or report.replaced or report.unchanged) else 0


def _list(args: argparse.Namespace) -> int:
    from rag.jsonout import plain

    with _open(args) as assistant:
        documents = assistant.library.documents()
    if args.json:
        _print_json({"documents": plain(documents)}, indent=1)
        return 0
    for info in documents:
        print(f"{info.id}\t{info.n_chunks}\t{info.date or '-'}\t{info.title}")
    return 0


def _remove(args: argparse.Namespace) -> int:
    with _open(args) as assistant:
        known = {info.id for info in assistant.library.documents()}
        if missing := [str(i) for i in args.ids if i not in known]:
            raise CorpusError(
                f"没有编号为 {'、'.join(missing)} 的文档,请用 zhengwen list 查看编号",
                f"no document with id {', '.join(missing)}; see zhengwen list",
            )
        assistant.library.remove(args.ids)
    if args.json:
        _print_json({"removed": args.ids})
    else:
        print(f"已移除 {len(args.ids)} 份文档")
    return 0


def _rebuild(args: argparse.Namespace) -> int:
    with _open(args) as assistant:
        assistant.library.rebuild()
    print(json.dumps({"rebuilt": True}) if args.json else "索引已重建")
    return 0


def _check(args: argparse.Namespace) -> int:
    from rag.jsonout import plain

    with _open(args) as assistant:
        report = assistant.library.check()
    if args.json:
        _print_json(plain(report), indent=1)
    else:
        for problem in report.problems:
            print(problem)
        print("正常" if not report.problems else f"发现 {len(report.problems)} 个问题")
    return 1 if report.problems else 0


def _backup(args: argparse.Namespace) -> int:
    with _open(args) as assistant:
        assistant.library.backup(args.file)
    print(json.dumps({"backup": str(args.file)}) if args.json else f"已备份到 {args.file}")
    return 0


def _restore(args: argparse.Namespace) -> int:
    with _open(args) as assistant:
        assistant.library.restore(args.file)
    print(json.dumps({"restored": str(args.file)}) if args.json else f"已从 {args.file} 恢复")
    return 0


def _eval(args: argparse.Namespace) -> int:
    from eval.cli import run

    return run(args, _open)


if __name__ == "__main__":
    sys.exit(main())
