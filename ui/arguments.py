"""The arguments of the command line: words of a person in, checked values out.

Help is Chinese with English beside it. Nothing heavy is imported: `--help` answers at once.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from ui.text import say

_FIELDS = ("title", "place", "date", "department", "theme")


class Parser(argparse.ArgumentParser):
    """A parser whose help and errors speak Chinese first."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - those of argparse
        super().__init__(**{**options, "add_help": False, "formatter_class": _Formatter})
        self._positionals.title, self._optionals.title = "参数 (arguments)", "选项 (options)"
        words = "显示本说明 (show this help)"
        self.add_argument("-h", "--help", action="help", help=words)

    def error(self, message: str) -> NoReturn:
        """Exit 2 with one line and where to read more."""
        hint = f"请看 {self.prog} --help"
        self.exit(2, f"{self.prog}：用法有误，{hint} (wrong usage): {message}\n")


class _Formatter(argparse.HelpFormatter):
    """Columns wide enough for a whole option beside its words."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30)

    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: Any = None) -> None:  # noqa: ANN401
        """Begin with the word for usage; a subcommand gives a prefix of its own."""
        super().add_usage(usage, actions, groups, "用法 (usage): " if prefix is None else prefix)


def _common(parser: argparse.ArgumentParser, *, main: bool = False) -> None:
    """The options of every command; they may stand before or after it."""
    keep: Any = None if main else argparse.SUPPRESS  # not to undo what stood before the command
    home = "数据目录，缺省为 ~/.zhengwen (where the data is)"
    parser.add_argument("--home", type=Path, default=keep, metavar="DIR", help=home)
    for flag, words in (
        ("--json", "输出 JSON，供程序读取 (machine-readable output)"),
        ("--verbose", "在标准错误输出日志 (log to stderr)"),
    ):
        parser.add_argument(flag, action="store_true", default=False if main else keep, help=words)
    model = "检索模型：文件夹或名称，缺省为内置 (embedding model: a folder or a hub name)"
    parser.add_argument("--model", default="" if main else keep, help=model)


def parser_for(argv: Sequence[str]) -> argparse.ArgumentParser:
    """The parser; what the command is stands in `command` of its result."""
    text = "政问：从材料中找答案，句句有出处。(Answers from your documents, each with its source.)"
    parser = Parser(prog="zhengwen", description=text)
    _common(parser, main=True)
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", title="命令 (commands)"
    )

    def command(name: str, text: str) -> argparse.ArgumentParser:
        sub: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
        return sub

    _serving(command)
    _document_commands(command)
    _store_commands(command)
    _question_commands(command)
    evaluate = command("eval", "评测 (evaluate)")
    if "eval" in argv:  # the only subcommand whose arguments another package declares
        from eval.cli import add_arguments

        add_arguments(evaluate)
    for sub in commands.choices.values():
        _common(sub)
    return parser


_Command = Callable[[str, str], argparse.ArgumentParser]


def _serving(command: _Command) -> None:
    serve = command("serve", "打开网页界面 (the web application)")
    serve.add_argument(
        "--host",
        default="127.0.0.1",
        help="监听地址，缺省只限本机 (address; default: this machine)",
    )
    serve.add_argument(
        "--port", type=_port, default=7860, metavar="N", help="端口，缺省 7860 (default 7860)"
    )
    _watch_option(serve)
    _answerer_options(serve)


def _document_commands(command: _Command) -> None:
    add = command("add", "添加文件或文件夹 (add files or folders)")
    add.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="PATH",
        help="文件、文件夹，或 *.docx 这样的模式 (files, folders, patterns)",
    )
    rows = "清单：CSV 或 JSON Lines，列为路径、标题、地区等 (a list of files with title, place, …)"
    add.add_argument("--manifest", type=Path, metavar="FILE", help=rows)
    _watch_option(add)
    for flag, words in (
        ("--include", "只添加符合的文件，如 *.pdf，可多次给出 (only these; may be repeated)"),
        ("--exclude", "不添加符合的文件，可多次给出 (leave these out; may be repeated)"),
    ):
        add.add_argument(flag, action="append", default=[], metavar="PATTERN", help=words)
    listing = command("list", "列出文档 (list documents)")
    words = "包括旧版本和已移除的 (old versions and removed ones too)"
    listing.add_argument("--all", action="store_true", help=words)
    describe = command("set", "更正文档信息 (correct what is known about a document)")
    number = "list 显示的编号 (id as shown by list)"
    describe.add_argument("id", type=int, metavar="ID", help=number)
    for name in _FIELDS:
        words = f'{say(f"field_{name}", "zh")}，"" 为清空 ({name}; "" clears it)'
        describe.add_argument(f"--{name}", metavar="TEXT", help=words)
    remove = command("remove", "移除文档 (remove documents)")
    numbers = "list 显示的编号 (ids as shown by list)"
    remove.add_argument("ids", nargs="+", type=int, metavar="ID", help=numbers)


def _store_commands(command: _Command) -> None:
    command("rebuild", "由数据库重建索引 (rebuild the indexes)")
    command("check", "检查数据库和索引 (check store and indexes)")
    backup = command("backup", "备份数据库，服务运行时也可以 (back up, also while serving)")
    backup.add_argument("file", type=Path, metavar="FILE", help="写到哪里 (where to)")
    restore = command("restore", "从备份恢复 (restore a backup)")
    restore.add_argument("file", type=Path, metavar="FILE", help="备份文件 (the backup)")


def _question_commands(command: _Command) -> None:
    search = command("search", "查找段落 (find passages)")
    _question(search)
    _filter_options(search)
    count = "段数，缺省 10 (how many; default 10)"
    search.add_argument("-k", dest="top_k", type=_positive, default=10, metavar="N", help=count)
    search.add_argument(
        "--mode",
        choices=["hybrid", "dense", "lexical"],
        default="hybrid",
        help="混合、只用向量、只用词语，缺省混合 (how to retrieve; default: both)",
    )
    ask = command("ask", "提问 (ask a question)")
    _question(ask)
    _filter_options(ask)
    before = "此前的提问，可多次给出 (an earlier question; may be repeated)"
    ask.add_argument("--history", action="append", default=[], metavar="QUESTION", help=before)
    _answerer_options(ask)


def _question(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("question", nargs="?", metavar="QUESTION", help="问题 (the question)")
    rows = "多个问题：每行一个 JSON {id, question} (many questions, one JSON object a line)"
    parser.add_argument("--batch", type=Path, metavar="FILE", help=rows)


def _filter_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    number = "只在此文档中找：list 显示的编号，可多次给出 (id of a document; may be repeated)"
    add("--document", action="append", default=[], type=int, metavar="ID", help=number)
    place = "只在此地区的文档中找，可多次给出 (only of this place; may be repeated)"
    add("--place", action="append", default=[], metavar="NAME", help=place)
    department = "只在此部门的文档中找，可多次给出 (only of this one; may be repeated)"
    add("--department", action="append", default=[], metavar="NAME", help=department)
    theme = "只在此主题的文档中找，可多次给出 (only on this theme; may be repeated)"
    add("--theme", action="append", default=[], metavar="NAME", help=theme)
    add("--since", default="", metavar="DATE", help="不早于，如 2024-03 (not before)")
    add("--until", default="", metavar="DATE", help="不晚于，如 2024-03 (not after)")


def _watch_option(parser: argparse.ArgumentParser) -> None:
    words = "监视文件夹，随时添加、更新、移除 (follow a folder)"
    parser.add_argument("--watch", type=Path, metavar="DIR", help=words)


def _answerer_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--answerer",
        choices=["extractive", "transformers", "openai"],
        default="",
        help="原文摘录（缺省）、本机模型、模型服务 "
        "(verbatim excerpts, the default; a local model; a model server)",
    )
    parser.add_argument(
        "--generator",
        default="",
        metavar="MODEL",
        help="生成模型：文件夹，或服务上的名称 (a folder, a hub name or a served name)",
    )
    parser.add_argument(
        "--base-url",
        default="",
        metavar="URL",
        help="模型服务的地址，如 http://127.0.0.1:8000/v1 (of an OpenAI-compatible server)",
    )


def _port(value: str) -> int:
    number = int(value) if value.isdecimal() else -1
    if not 0 <= number < 1 << 16:
        raise argparse.ArgumentTypeError(f"应为 0 到 65535 (must be 0 to 65535): {value}")
    return number


def _positive(value: str) -> int:
    number = int(value) if value.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"应不小于 1 (must be at least 1): {value}")
    return number
