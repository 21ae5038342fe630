"""Nothing in, the product's own promises measured out: cold start, answers, memory.

Everything runs in processes of its own with a fresh home folder, as a user would start it; the
first answer is read off the page in a browser where there is one. Needs the test dependencies.
"""

import math
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING

import numpy as np

from corpus.errors import UserError
from eval.questions import load_questions

if TYPE_CHECKING:
    from playwright.sync_api import Page

QUESTION = "深圳破产案件平均审理周期是多少?"
N_QUESTIONS = 100
N_HELP = 5
START_S = 120  # how long a server may take to start
_COMMAND = (sys.executable, "-m", "ui.cli")


@dataclass(frozen=True, slots=True)
class Speed:
    """Figures of one machine; NaN where there is no browser."""

    help_s: float  # zhengwen --help, median
    first_ask_s: float  # zhengwen ask in a fresh home, indexing included
    second_ask_s: float  # zhengwen ask in a home that is there
    serve_s: float  # zhengwen serve, second start, until the page is delivered
    first_answer_s: float  # the same until the first answer stands in the page
    answer_p50_ms: float  # question to full answer, warm
    answer_p95_ms: float
    serve_memory_mb: float  # resident after the first answer

    def table(self) -> str:
        """One figure a line."""
        return "\n".join(f"{name:<18}{getattr(self, name):10.2f}" for name in self.__slots__)


def measure() -> Speed:
    """Measure once; close other programs first.

    Raises
    ------
    UserError
        If the test dependencies are not installed.
    """
    try:
        import psutil  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise UserError(
            "测速需要测试依赖：请运行 pip install 'zhengwen[test]'",
            "install the test dependencies first: pip install 'zhengwen[test]'",
        ) from error
    with tempfile.TemporaryDirectory() as folder:
        home = ["--home", folder]
        help_s = statistics.median(_timed(["--help"]) for _ in range(N_HELP))
        first = _timed([*home, "ask", QUESTION])
        second = _timed([*home, "ask", QUESTION])
        p50, p95 = _warm(Path(folder))
        serve_s, answer_s, memory = _serve(folder)
    return Speed(help_s, first, second, serve_s, answer_s, p50, p95, memory)


def _timed(arguments: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run([*_COMMAND, *arguments], check=True, capture_output=True)
    return time.perf_counter() - started


def _warm(home: Path) -> tuple[float, float]:
    from rag.assistant import Assistant

    with Assistant.open(home) as assistant:
        questions = load_questions()[:N_QUESTIONS]
        for question in questions[:5]:
            assistant.ask(question.question)
        seconds = []
        for question in questions:
            started = time.perf_counter()
            assistant.ask(question.question, history=question.history)
            seconds.append(time.perf_counter() - started)
    p50, p95 = np.percentile(np.array(seconds) * 1000, [50, 95])
    return float(p50), float(p95)


def _serve(home: str) -> tuple[float, float, float]:
    """Seconds to the page, seconds to the first answer in it, and megabytes then."""
    import psutil

    with closing(socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with _browser_page() as page:  # started before, as an official's browser is
        started = time.perf_counter()
        process = subprocess.Popen(
            [*_COMMAND, "--home", home, "serve", "--port", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_for(f"http://127.0.0.1:{port}/", process)
            serve_s = time.perf_counter() - started
            answer_s = math.nan
            if page is not None:
                _ask_in(page, f"http://127.0.0.1:{port}/")
                answer_s = time.perf_counter() - started
            memory = psutil.Process(process.pid).memory_info().rss / 1e6
        finally:
            process.terminate()
            process.wait(30)
    return serve_s, answer_s, memory


def _wait_for(address: str, process: "subprocess.Popen[bytes]") -> None:
    started = time.perf_counter()
    while process.poll() is None and time.perf_counter() - started < START_S:
        try:
            with urllib.request.urlopen(address, timeout=5) as response:
                if response.status == 200:
                    return
        except OSError:
            time.sleep(0.05)
    raise UserError(
        "zhengwen serve 没有启动，请单独运行它查看原因",
        "zhengwen serve did not start; run it alone",
    )


@contextmanager
def _browser_page() -> Iterator["Page | None"]:
    """A page of Chromium, or None where playwright or the browser is missing."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        path = None
    if path is None:
        yield None
        return
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser.new_page()
        browser.close()


def _ask_in(page: "Page", address: str) -> None:
    page.goto(address)
    page.wait_for_selector(".welcome")
    page.fill("#question", QUESTION)
    page.press("#question", "Enter")
    page.wait_for_function(
        "document.querySelector('.turn[data-question]') && !document.querySelector('#zw.running')"
    )
