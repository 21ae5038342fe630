"""What the commands share: the assistant of their arguments, progress, JSON on stdout."""

import argparse
import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rag.assistant import Assistant
    from rag.config import Config

Progress = Callable[[str, int, int], None]


def open_assistant(args: argparse.Namespace, progress: Progress | None = None) -> "Assistant":
    """Open the assistant as the arguments say."""
    from rag.assistant import Assistant

    config = settings(args)
    return Assistant.open(args.home, config=config, progress=progress or show_progress)


def settings(args: argparse.Namespace) -> "Config":
    """Read the settings of the home folder under those of the arguments."""
    from rag.config import default_home, load_config

    named = ("model", "answerer", "language", "generator", "base_url")
    flags = {key: getattr(args, key, None) or "" for key in named}
    return load_config(args.home or default_home(), flags)


def show_progress(stage: str, done: int, total: int) -> None:
    """Show how far a step has come: on one line of a terminal, else only its end."""
    if sys.stderr.isatty() or done == total:
        end = "\n" if done == total else "\r"
        print(f"{stage} {done}/{total}", end=end, file=sys.stderr, flush=True)


def print_json(value: object, indent: int | None = None) -> None:
    """Print a value as JSON."""
    print(json.dumps(value, ensure_ascii=False, indent=indent))
