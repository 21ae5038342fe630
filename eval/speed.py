"""Nothing in, the product's own promises measured out: cold start, answers, memory.

Everything runs in processes of its own with a fresh home folder, as a user would start it.
"""

import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from socket import socket

import numpy as np

from eval.questions import load_questions

N_QUESTIONS = 100


@dataclass(frozen=True, slots=True)
class Speed:
    """Figures of one machine."""

    help_s: float  # zhengwen --help
    first_ask_s: float  # zhengwen ask in a fresh home, indexing included
    second_ask_s: float  # zhengwen ask in a home that is there
    serve_s: float  # zhengwen serve, second start, until the page answers
    answer_p50_ms: float  # question to full answer, warm
    answer_p95_ms: float
    serve_memory_mb: float  # resident while serving

    def table(self) -> str:
        """One figure a line."""
        return "\n".join(f"{name:<18}{getattr(self, name):10.2f}" for name in self.__slots__)


def measure() -> Speed:
    """Measure once; close other programs first."""
    question = "深圳破产案件平均审理周期是多少?"
    with tempfile.TemporaryDirectory() as folder:
        home = ["--home", folder]
        help_s = _timed(["--help"])
        first = _timed([*home, "ask", question])
        second = _timed([*home, "ask", question])
        p50, p95 = _warm(Path(folder))
        serve_s, memory = _serve(folder)
    return Speed(help_s, first, second, serve_s, p50, p95, memory)


def _timed(arguments: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "ui.cli", *arguments], check=True, capture_output=True)
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


def _serve(home: str) -> tuple[float, float]:
    import psutil

    with closing(socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = time.perf_counter()
    command = [sys.executable, "-m", "ui.cli", "--home", home, "serve", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while time.perf_counter() - started < 120:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as response:
                    if response.status == 200:
                        break
            except OSError:
                time.sleep(0.1)
        seconds = time.perf_counter() - started
        memory = psutil.Process(process.pid).memory_info().rss / 1e6
    finally:
        process.terminate()
        process.wait(30)
    return seconds, memory
