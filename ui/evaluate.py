"""The evaluation in, its tab out: it runs beside everything else and reports progress.

Runs are kept in the home folder, so that the last one shows again and later ones compare with it.
"""

import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from corpus.errors import UserError
from ui.conversations import Rating
from ui.markup import escape, icon_button
from ui.service import Progress, explain
from ui.text import CAUSES, Lang, local_time, say

if TYPE_CHECKING:
    from eval.runner import Run
    from rag.assistant import Assistant

FOLDER = "evaluations"  # in the home folder
COMPARED = 8  # the last runs are compared
OFFICE = "office"  # the split of the questions that people wrote
SPLITS = ("test", "dev", "all", OFFICE)
_COLUMNS = ("Success@5", "must", "precision", "recall", "verbatim")


class Evaluation:
    """At most one running evaluation, and the results of the last ones."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = False
        self._stopping = threading.Event()
        self._progress = (0, 0)
        self._failure: BaseException | None = None
        self._shown: dict[tuple[str, ...], str] = {}  # markup by the files it was made of

    def begin(self, assistant: "Assistant", split: str) -> None:
        """Run it in a thread of its own; does nothing while one runs."""
        with self._lock:
            if self._running:
                return
            self._running, self._failure, self._progress = True, None, (0, 0)
            self._stopping.clear()
        arguments = (assistant, split if split in SPLITS else "test")
        threading.Thread(target=self._run, args=arguments, name="evaluation", daemon=True).start()

    def stop(self) -> None:
        """Give the running evaluation up."""
        self._stopping.set()

    def show(self, home: Path, lang: Lang) -> dict[str, object]:
        """Progress and, once there is one, the last result beside those before it."""
        with self._lock:
            running, failure, progress = self._running, self._failure, self._progress
        note = ""
        if running:
            note = render_progress(*progress, lang)
        elif failure is not None:
            note = f'<p class="warn" role="alert">{escape(explain(failure, lang))}</p>'
        return {"running": running, "progress": note, "html": self._result(home, lang)}

    def _result(self, home: Path, lang: Lang) -> str:
        found = sorted((home / FOLDER).glob("*.json"), reverse=True)[:COMPARED]
        key = (lang, *(file.name for file in found))
        if found and key not in self._shown:
            self._shown = {key: _render_runs(found, lang)}
        return self._shown.get(key, "")

    def _run(self, assistant: "Assistant", split: str) -> None:
        try:
            _evaluate(assistant, split, self._report)
        except _Stopped:
            pass
        except Exception as error:  # noqa: BLE001 - shown in the tab
            self._failure = error
        finally:
            with self._lock:
                self._running = False

    def _report(self, stage: str, done: int, total: int) -> None:
        if self._stopping.is_set():
            raise _Stopped
        with self._lock:
            self._progress = (done, total)


class _Stopped(Exception):  # noqa: N818 - not an error
    """The evaluation was given up."""


def _render_runs(files: Sequence[Path], lang: Lang) -> str:
    """The report of the newest run, with what changed since the one before it."""
    from eval.report import html_body
    from eval.runs import compare, load_run

    runs: list[Run] = []
    for file in files:
        with suppress(UserError):  # of another version: the others still count
            runs.append(load_run(file))
    if not runs:
        return ""
    before = next((run for run in runs[1:] if run.split == runs[0].split), None)
    differences = compare(before, runs[0]) if before else ()
    return render_comparison(runs, lang) + html_body(runs[0], differences, lang)


def render_progress(done: int, total: int, lang: Lang) -> str:
    """A bar with numbers, and a way to give up."""
    label = escape(say("evaluate_running", lang))
    share = f'value="{100 * done / total:.0f}"' if total else ""
    stop = (
        '<button type="button" class="link" data-do="stop-evaluation">'
        f"{escape(say('stop', lang))}</button>"
    )
    return (
        f"<p>{label} {f'{done} / {total}' if total else ''} {stop}</p>"
        f'<progress max="100" {share} aria-label="{label}"></progress>'
    )


def render_comparison(runs: "Sequence[Run]", lang: Lang) -> str:
    """The last runs as rows, newest first, with the change against the one before it.

    Only runs of the same split are compared; nothing is shown for a single run.
    """
    runs = [run for run in runs if run.split == runs[0].split]
    if len(runs) < 2:
        return ""
    head = "".join(
        f'<th scope="col" class="num">{escape(say("metric_" + name.replace("@", ""), lang))}</th>'
        for name in _COLUMNS
    )
    rows = []
    for run, before in zip(runs, [*runs[1:], None], strict=True):
        cells = "".join(_cell(run, before, name) for name in _COLUMNS)
        when = escape(local_time(run.date))
        rows.append(
            f'<tr><th scope="row">{when}</th><td class="num">{len(run.rows)}</td>{cells}</tr>'
        )
    title = escape(say("evaluate_compared", lang))
    number = escape(say("evaluate_questions", lang))
    return (
        f'<h2>{title}</h2><div class="scroll" tabindex="0"><table class="runs"><thead><tr><td></td>'
        f'<th scope="col" class="num">{number}</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def render_ratings(ratings: Sequence[Rating], lang: Lang) -> str:
    """How often answers were rated good or bad for a cause, and the bad ones with their remarks."""
    names = [("good", say("good", lang))]
    names += [(cause, say("cause_" + cause, lang)) for cause in CAUSES]
    verdicts = [rating.verdict for rating in ratings]
    counts = [(name, verdicts.count(key)) for key, name in names]
    if not any(n for _, n in counts):
        return ""
    items = "".join(f"<div><b>{n}</b><span>{escape(name)}</span></div>" for name, n in counts if n)
    bad = "".join(_bad_rating(rating, lang) for rating in ratings if rating.verdict in CAUSES)
    listed = f'<ul class="remarks">{bad}</ul>' if bad else ""
    return f'<h2>{escape(say("ratings_title", lang))}</h2><div class="facts">{items}</div>{listed}'


def _bad_rating(rating: Rating, lang: Lang) -> str:
    note = f"<span>{escape(rating.note)}</span>" if rating.note else ""
    add = icon_button("label", say("label", lang), "label")
    return (
        f'<li data-message="{rating.message}"><b>{escape(say("cause_" + rating.verdict, lang))}</b>'
        f'<span>{escape(rating.question)}</span>{note}<span class="tools">{add}</span></li>'
    )


def _cell(run: "Run", before: "Run | None", name: str) -> str:
    value = run.mean(name).mean
    change = ""
    if before is not None and abs(difference := value - before.mean(name).mean) >= 0.0005:
        change = f"<small>{difference:+.3f}</small>"
    return f'<td class="num">{value:.3f}{change}</td>'


def _evaluate(assistant: "Assistant", split: str, report: Progress) -> None:
    try:
        from eval.questions import load_questions, office_questions
        from eval.runner import evaluate
        from eval.runs import save_run
    except ImportError as error:
        zh, en = say("evaluate_missing", "zh"), say("evaluate_missing", "en")
        raise UserError(zh, en) from error
    problems: tuple[str, ...] = ()
    if split == OFFICE:
        questions, problems = office_questions(assistant.library.store)
        if not questions:
            raise UserError(say("office_empty", "zh"), say("office_empty", "en"))
    else:
        questions = load_questions(None, split)
    run = evaluate(assistant, questions, split=split, progress=report, problems=problems)
    save_run(run, assistant.library.home / FOLDER)
