"""The evaluation in, its tab out: it runs beside everything else and reports progress."""

import threading
from typing import TYPE_CHECKING

from ui.markup import escape
from ui.service import explain
from ui.text import Lang, say

if TYPE_CHECKING:
    from rag.assistant import Assistant


class Evaluation:
    """At most one running evaluation, and the last result."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = False
        self._progress = ("", 0, 0)
        self._failure: BaseException | None = None
        self._html = ""

    def begin(self, assistant: "Assistant") -> None:
        """Run it in a thread of its own; does nothing while one runs."""
        with self._lock:
            if self._running:
                return
            self._running, self._failure, self._progress = True, None, ("", 0, 0)
        threading.Thread(
            target=self._run, args=(assistant,), name="evaluation", daemon=True
        ).start()

    def show(self, lang: Lang) -> dict[str, object]:
        """Progress and, once there is one, the result."""
        with self._lock:
            running, failure, progress = self._running, self._failure, self._progress
        note = ""
        if running:
            note = render_progress(*progress, lang)
        elif failure is not None:
            note = f'<p class="warn" role="alert">{escape(explain(failure, lang))}</p>'
        return {"running": running, "progress": note, "html": self._html}

    def report(self, stage: str, done: int, total: int) -> None:
        """Take note of progress."""
        with self._lock:
            self._progress = (stage, done, total)

    def _run(self, assistant: "Assistant") -> None:
        try:
            from eval.questions import load_questions
            from eval.report import html_body
            from eval.runner import evaluate, save_run

            run = evaluate(assistant, load_questions(), progress=self.report)
            save_run(run, assistant.library.home / "runs")
            self._html = html_body(run)
        except Exception as error:  # noqa: BLE001 - shown in the tab
            self._failure = error
        finally:
            with self._lock:
                self._running = False


def render_progress(stage: str, done: int, total: int, lang: Lang) -> str:
    """A bar with numbers."""
    label = escape(say("evaluate_running", lang))
    share = f'value="{100 * done / total:.0f}"' if total else ""
    return (
        f"<p>{label} {escape(stage)} {f'{done} / {total}' if total else ''}</p>"
        f'<progress max="100" {share} aria-label="{label}"></progress>'
    )
