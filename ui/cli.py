"""The command line of `zhengwen`: serving, asking, searching; the rest is in `ui/manage.py`.

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
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpus.errors import CorpusError, UserError, reason
from ui import manage
from ui.arguments import parser_for
from ui.terminal import Progress, open_assistant, print_json, settings, show_progress

if TYPE_CHECKING:
    from rag.assistant import Assistant
    from rag.types import Filters


_N_KNOWN = 20  # names that are told when a given one is unknown


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a Windows console may speak another code page
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    argv = sys.argv[1:] if argv is None else argv
    args = parser_for(argv).parse_args(argv)
    logging.basicConfig(
        level=logging.DEBUG if args.verbose else logging.WARNING,
        format="%(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    try:
        return _COMMANDS[args.command](args)
    except UserError as error:
        print(error, file=sys.stderr)
    except KeyboardInterrupt:
        print("已中断 (interrupted)", file=sys.stderr)
    except BrokenPipeError:
        # The reader of a pipe (head) has gone; closing stdout again must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, MemoryError) as error:
        where = f" {error.filename}" if isinstance(error, OSError) and error.filename else ""
        why = reason(error) or "内存不足 (out of memory)"
        print(f"zhengwen：出错{where}：{why}，请处理后重试 (failed: {error!r})", file=sys.stderr)
    return 1


def _serve(args: argparse.Namespace) -> int:
    from ui.app import serve
    from ui.service import Following

    def opener(progress: Progress) -> "Assistant":
        def both(stage: str, done: int, total: int) -> None:
            show_progress(stage, done, total)
            progress(stage, done, total)

        return open_assistant(args, both)

    def announce(address: str) -> None:
        print(f"政问已启动 (Zhengwen is ready): {address}", file=sys.stderr, flush=True)

    following = Following(args.watch, lambda: settings(args).model)
    serve(opener, host=args.host, port=args.port, following=following, announce=announce)
    return 0


def _search(args: argparse.Namespace) -> int:
    from rag.jsonout import hits_json

    rows = _batch(args.batch) if args.batch else None
    question = "" if rows else _required(args)
    filters = _filters(args)
    with open_assistant(args) as assistant:
        _tell_unknown(assistant, filters)
        if rows:
            for row in rows:
                out = row if "error" in row else _search_row(assistant, args, row, filters)
                print_json(out)
            return 0
        hits = assistant.search(question, top_k=args.top_k, mode=args.mode, filters=filters)
        if args.json:
            print_json({"question": args.question, "hits": hits_json(hits)}, indent=1)
            return 0
        for hit in hits:
            chunk = hit.chunk
            parts = [_case(chunk.case), chunk.case_title, chunk.section, _page(chunk.page)]
            place = " · ".join(filter(None, parts))
            print(f"{hit.rank}. {hit.score:.3f} 《{chunk.document}》{place}\n   {hit.text}")
    return 0


def _search_row(
    assistant: "Assistant", args: argparse.Namespace, row: dict[str, Any], filters: "Filters"
) -> dict[str, Any]:
    from rag.jsonout import hits_json

    try:
        hits = assistant.search(row["question"], top_k=args.top_k, mode=args.mode, filters=filters)
    except UserError as error:
        return {"id": row["id"], "error": str(error)}
    return {"id": row["id"], "hits": hits_json(hits)}


def _ask(args: argparse.Namespace) -> int:
    from rag.jsonout import answer_json

    rows = _batch(args.batch) if args.batch else None
    question = "" if rows else _required(args)
    filters = _filters(args)
    with open_assistant(args) as assistant:
        _tell_unknown(assistant, filters)
        if rows:
            for row in rows:
                print_json(_ask_row(assistant, row, filters))
            return 0
        answer = assistant.ask(question, history=args.history, filters=filters)
        if args.json:
            print_json(answer_json(answer), indent=1)
            return 0
        if answer.notice:
            print(f"{answer.notice} ({answer.notice_en})", file=sys.stderr)
        if answer.completed_question != answer.question:
            print(f"按此理解：{answer.completed_question}\n")
        print(answer.answer)
        for citation in answer.nearest if answer.refused else answer.citations:
            parts = [_case(citation.case), citation.section, _page(citation.page)]
            place = " · ".join(filter(None, parts))
            print(f"\n[{citation.n}] 《{citation.document}》{place}\n    “{citation.quote}”")
    return 0


def _ask_row(assistant: "Assistant", row: dict[str, Any], filters: "Filters") -> dict[str, Any]:
    from rag.jsonout import answer_json

    if "error" in row:
        return row
    try:
        history = row.get("history") or ()
        answer = assistant.ask(row["question"], history=history, filters=filters)
    except UserError as error:
        return {"id": row["id"], "error": str(error)}
    return {"id": row["id"], **answer_json(answer)}


def _required(args: argparse.Namespace) -> str:
    if args.question is None:
        print(
            f"zhengwen {args.command}：请给出问题或 --batch (give a question or --batch)",
            file=sys.stderr,
        )
        raise SystemExit(2)
    return str(args.question)


def _filters(args: argparse.Namespace) -> "Filters":
    from rag.manifest import metadata_from
    from rag.types import Filters

    return Filters(
        documents=tuple(args.document),
        places=tuple(args.place),
        departments=tuple(args.department),
        themes=tuple(args.theme),
        since=metadata_from({"date": args.since}).date,
        until=metadata_from({"date": args.until}).date,
    )


def _tell_unknown(assistant: "Assistant", filters: "Filters") -> None:
    """Name what no document has: a name that is written otherwise there would just find nothing."""
    from corpus.filters import split_names

    store = assistant.library.store
    for zh, en, names, known in (
        ("地区", "place", filters.places, store.places()),
        ("部门", "department", filters.departments, store.names("department")),
        ("主题", "theme", filters.themes, store.names("theme")),
    ):
        some = "、".join(known[:_N_KNOWN]) + ("…" if len(known) > _N_KNOWN else "")
        for name in (n for n in names if not {*split_names(n)} <= {*known}):
            words = f"没有{zh}为“{name}”的文档，现有：{some or '无'}"
            print(f"{words} (no document of this {en})", file=sys.stderr)


def _case(number: int | None) -> str:
    return f"案例{number}" if number else ""


def _page(number: int | None) -> str:
    return f"第{number}页" if number else ""


def _batch(file: Path) -> Iterator[dict[str, Any]]:
    """The rows of a batch; the file is read at once, before anything else is opened."""
    try:
        # Not splitlines(): JSON strings may hold U+2028 and the like as they are.
        return _rows(file.read_text("utf-8-sig").split("\n"))
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(
            f"无法读取 {file}：{reason(error)}，请给出 UTF-8 编码的 JSON Lines 文件。",
            f"cannot read {file}: expected JSON Lines in UTF-8",
        ) from error


def _rows(lines: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The rows of a batch; a bad one becomes `{"id", "error"}` and the rest goes on."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        row_id: object = number
        try:
            row = json.loads(line)
            row_id = row.get("id", number)
            history = row.get("history") or []
            texts = [row["question"], *history]
            if not isinstance(history, list) or not all(isinstance(text, str) for text in texts):
                raise TypeError("question must be text, history a list of texts")
            yield {**row, "id": row_id}
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            yield {"id": row_id, "error": f"第 {number} 行无效 (line {number}): {error!r}"}


def _eval(args: argparse.Namespace) -> int:
    from eval.cli import run

    return run(args, open_assistant)


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "serve": _serve,
    "add": manage.add_documents,
    "list": manage.list_documents,
    "set": manage.set_metadata,
    "remove": manage.remove_documents,
    "rebuild": manage.rebuild,
    "check": manage.check,
    "backup": manage.backup,
    "restore": manage.restore,
    "search": _search,
    "ask": _ask,
    "eval": _eval,
}


if __name__ == "__main__":
    sys.exit(main())
