"""The frame of the page: a language in, the markup around everything else out.

It holds no data; lists, answers and sources are put into it by `ui/static/app.js`.
"""

from ui.evaluate import SPLITS
from ui.markup import escape, icon, icon_button
from ui.text import EXAMPLES, Lang, say

VIEWS = ("ask", "cases", "documents", "evaluate")
_STEPS = {"读取": "Reading", "编码": "Indexing", "重新编码": "Indexing again"}
MAX_QUESTION = 50_000  # characters; the assistant has a lower limit and says so, a box only cuts


def render_shell(lang: Lang, *, max_file_mb: int) -> str:
    """Header and the four views."""
    return (
        f'<a class="skip" href="#question">{escape(say("skip", lang))}</a>{_header(lang)}'
        f'<main class="views">{_ask(lang)}{_cases(lang)}{_documents(lang, max_file_mb)}'
        f"{_evaluate(lang)}</main>"
        '<div class="toast" role="status" aria-live="polite"></div>'
    )


def render_welcome(lang: Lang, *, examples: bool) -> str:
    """What stands in an empty conversation; the examples fit the built-in cases only."""
    asked = [(kind, escape(zh if lang == "zh" else en)) for kind, zh, en in EXAMPLES]
    cards = "".join(
        f'<li><button type="button" data-do="example" data-text="{question}">'
        f'<span class="kind">{escape(say("kind_" + kind, lang))}</span>'
        f"<span>{question}</span></button></li>"
        for kind, question in asked
    )
    shown = f"<h3>{escape(say('examples', lang))}</h3><ul>{cards}</ul>" if examples else ""
    return (
        f'<div class="welcome"><h1>{escape(say("welcome", lang))}</h1>'
        f"<p>{escape(say('welcome_hint', lang))}</p>{shown}</div>"
    )


def render_indexing(lang: Lang, stage: str, done: int, total: int) -> str:
    """Progress while the service opens for the first time."""
    share = round(100 * done / total) if total else 0
    title = escape(say("indexing", lang))
    hint = say("reindexing_hint" if stage == "重新编码" else "indexing_hint", lang)
    return (
        f'<div class="opening"><h1>{title}</h1><p>{escape(hint)}</p>'
        f'<progress max="100" value="{share}" aria-label="{title}"></progress>'
        f"<p>{escape(_step(stage, lang))} {f'{done} / {total}' if total else ''}</p></div>"
    )


def _step(stage: str, lang: Lang) -> str:
    """What the library says it does, in the language of the page."""
    return stage if lang == "zh" else _STEPS.get(stage, "")


def render_problem(message: str) -> str:
    """A failure that leaves nothing to show, in words that an official can act on."""
    return f'<div class="opening"><p class="warn" role="alert">{escape(message)}</p></div>'


def _header(lang: Lang) -> str:
    tabs = "".join(
        f'<button type="button" data-do="view" data-view="{view}">'
        f"{escape(say('view_' + view, lang))}</button>"
        for view in VIEWS
    )
    return (
        f'<header class="top">{icon_button("menu", say("conversations", lang), "rail")}'
        f'<div class="brand"><span class="seal" aria-hidden="true">政问</span>'
        f"<span><b>{escape(say('name', lang))}</b>"
        f"<small>{escape(say('tagline', lang))}</small></span></div>"
        f'<nav class="tabs" aria-label="{escape(say("views", lang))}">{tabs}</nav>'
        f'<button type="button" class="switch" data-do="lang" '
        f'lang="{"en" if lang == "zh" else "zh-CN"}" '
        f'aria-label="{escape(say("switch_label", lang))}">{escape(say("switch", lang))}</button>'
        "</header>"
    )


def _ask(lang: Lang) -> str:
    return (
        f'<section class="view ask" data-name="ask">{_rail(lang)}'
        f'<div class="talk"><div class="thread" role="log" aria-live="polite" tabindex="0" '
        f'aria-label="{escape(say("thread", lang))}"></div>{_composer(lang)}</div>'
        f'<aside class="pane" aria-label="{escape(say("source", lang))}" hidden></aside>'
        "</section>"
    )


def _rail(lang: Lang) -> str:
    find = escape(say("find_conversation", lang))
    return (
        f'<aside class="rail" aria-label="{escape(say("conversations", lang))}">'
        f'<button type="button" class="newtalk" data-do="new">{icon("plus")}'
        f"<span>{escape(say('new', lang))}</span></button>"
        f'<label class="find">{icon("search")}<input type="search" placeholder="{find}" '
        f'aria-label="{find}" maxlength="100" data-on="find-conversation"></label>'
        '<div class="list"></div></aside><div class="veil" data-do="rail-close"></div>'
    )


def _composer(lang: Lang) -> str:
    return (
        f'<form class="composer"><div class="box"><textarea id="question" rows="1" '
        f'maxlength="{MAX_QUESTION}" placeholder="{escape(say("placeholder", lang))}" '
        f'aria-label="{escape(say("question", lang))}"></textarea>'
        f'<div class="bar"><span class="scope" role="group" '
        f'aria-label="{escape(say("scope", lang))}">'
        f'<select name="place" aria-label="{escape(say("place", lang))}"></select>'
        f'<select name="case" aria-label="{escape(say("scope", lang))}"></select>'
        f"{_optional('department', lang)}{_optional('theme', lang)}{_optional('date', lang)}"
        "</span>"
        f'<span class="keys"><span class="idle">{escape(say("keys", lang))}</span>'
        f'<span class="busy">{escape(say("keys_running", lang))}</span></span>'
        f'<button type="submit" class="send" title="{escape(say("send", lang))}" '
        f'aria-label="{escape(say("send", lang))}">{icon("send")}</button>'
        f'<button type="button" class="stop" data-do="stop" title="{escape(say("stop", lang))}" '
        f'aria-label="{escape(say("stop", lang))}">{icon("stop")}</button></div></div>'
        f'<p class="disclaimer">{escape(say("disclaimer", lang))}</p></form>'
    )


def _optional(name: str, lang: Lang) -> str:
    """A selector that is shown only when some document has what it selects by."""
    label = escape(say(f"field_{name}", lang))
    return f'<select name="{name}" aria-label="{label}" hidden></select>'


def _cases(lang: Lang) -> str:
    return (
        '<section class="view cases" data-name="cases"><div class="sheet"></div>'
        f'<aside class="reader" aria-label="{escape(say("read_case", lang))}" hidden></aside>'
        "</section>"
    )


def _documents(lang: Lang, max_file_mb: int) -> str:
    find = escape(say("find_document", lang))
    return (
        '<section class="view documents" data-name="documents"><div class="sheet">'
        f'<div class="title"><h1>{escape(say("documents_title", lang))}</h1>'
        f"<p>{escape(say('documents_hint', lang))}</p></div>"
        f'<label class="drop">{icon("file")}<span>{escape(say("drop", lang))}'
        f"<u>{escape(say('choose_files', lang))}</u></span>"
        f"<small>{escape(say('formats', lang, mb=max_file_mb))}</small>"
        f'<input type="file" multiple data-on="files" data-mb="{max_file_mb}"></label>'
        f'<label class="peek"><input type="checkbox" data-on="peek">'
        f"<span>{escape(say('peek', lang))}</span></label>"
        f'<div class="watched"></div><div class="uploads" role="status" aria-live="polite" '
        f'aria-label="{escape(say("upload_list", lang))}"></div>'
        f'<label class="find">{icon("search")}<input type="search" placeholder="{find}" '
        f'aria-label="{find}" maxlength="100" data-on="find-document"></label>'
        '<div class="table"></div></div>'
        f'<aside class="reader" aria-label="{escape(say("preview_title", lang))}" hidden></aside>'
        "</section>"
    )


def _evaluate(lang: Lang) -> str:
    splits = "".join(
        f'<option value="{split}">{escape(say("split_" + split, lang))}</option>'
        for split in SPLITS
    )
    return (
        '<section class="view evaluate" data-name="evaluate"><div class="sheet">'
        f'<div class="title"><h1>{escape(say("evaluate_title", lang))}</h1>'
        f"<p>{escape(say('evaluate_hint', lang))}</p></div>"
        f'<p class="acts"><select name="split" aria-label="{escape(say("evaluate_split", lang))}">'
        f"{splits}</select>"
        f'<button type="button" class="primary" data-do="evaluate">'
        f"{escape(say('evaluate_run', lang))}</button></p>"
        '<div class="run" role="status" aria-live="polite"></div>'
        '<div class="office result"></div><div class="ratings result"></div>'
        f'<div class="scores result"><p class="empty">{escape(say("evaluate_empty", lang))}</p>'
        "</div></div></section>"
    )
