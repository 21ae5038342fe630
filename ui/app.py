"""The web application: an opener of the assistant in, a FastAPI application or a server out.

Gradio carries the page: one HTML component with the frame, one that receives streamed answers,
functions of `ui.endpoints` that the page's script calls. Our own markup and style fill it.
"""

import errno
import os
import signal
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from corpus.errors import UserError, reason
from ui.asking import Asked, Update, answer_question
from ui.documents import MAX_FILE_MB
from ui.endpoints import Endpoints
from ui.service import NOTHING, Following, Opener, Service
from ui.shell import render_shell
from ui.text import keys, say

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Scope = MutableMapping[str, Any]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# Gradio needs inline and evaluated scripts; nothing may come from or go to another host.
CSP = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self'; worker-src 'self' blob:; media-src 'self'; form-action 'self'; "
    "base-uri 'self'; object-src 'none'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
)
FAREWELL_S = 3.0  # for an open page to show why the service cannot start
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

# Gradio puts these into the page by script, so their order and moment are open: one script file,
# and the page waits for it and for the style.
_HEAD = (
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    '<link rel="stylesheet" href="page/app.css"><script src="page.js"></script>'
)
_SCRIPTS = ("core.js", "talk.js", "library.js", "uploads.js", "labels.js", "app.js")
_MOUNT = """
const mount = () => {
  const styled = getComputedStyle(document.documentElement).getPropertyValue('--paper');
  if (!styled || !window.zhengwen?.mount) { setTimeout(mount, 20); return; }
  const ask = (data) => trigger('ask', data);
  zhengwen.mount(element, { server, upload, props, ask });
};
mount();
"""
_WIRE = "watch('value', () => zhengwen.onAnswer(props.value));"


def serve(
    opener: Opener,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    following: Following = NOTHING,
    announce: Callable[[str], None] | None = None,
) -> None:
    """Serve the page until interrupted.

    Parameters
    ----------
    opener
        Opens the assistant, given a function to report progress to; it runs beside the start of
        the server, so that the page can show how far the first indexing has come.
    following
        What is followed while serving.
    announce
        Called with the address once it answers.

    Raises
    ------
    UserError
        If the port is taken or the assistant cannot be opened.
    """
    listener = _listen(host, port)
    uploads = TemporaryDirectory(prefix="zhengwen-", ignore_cleanup_errors=True)
    service = Service(opener, following)
    service.open()
    try:
        import uvicorn

        app = build(service, Path(uploads.name), host=host)
        if service.failure is not None:
            raise service.failure
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2)
        server = uvicorn.Server(config)
        if announce is not None:
            announce(_address(host, listener))
        service.on_failure(lambda: _end(server))
        _end_on_sigterm()
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listener])
    finally:
        listener.close()
        service.close()
        uploads.cleanup()
    if service.failure is not None:
        raise service.failure


def _address(host: str, listener: socket.socket) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listener.getsockname()[1]}"


def _end_on_sigterm() -> None:
    # uvicorn raises the signal again when it has ended: a polite kill is to clean up as well.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def _end(server: "uvicorn.Server") -> None:
    time.sleep(FAREWELL_S)
    server.should_exit = True


def build(service: Service, uploads: Path, *, host: str = "127.0.0.1") -> "FastAPI":
    """The application around `service`, which may still be opening; files go to `uploads` first."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when gradio is imported
    os.environ["GRADIO_TEMP_DIR"] = str(uploads)
    import gradio as gr
    from fastapi import FastAPI, Response
    from fastapi.staticfiles import StaticFiles

    endpoints = Endpoints(service, uploads)
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    static = Path(str(files("ui") / "static"))
    app.mount("/page", StaticFiles(directory=static), name="page")

    script = "".join((static / name).read_text("utf-8") for name in _SCRIPTS)

    @app.get("/page.js")
    def page_script() -> Response:
        return Response(script, media_type="text/javascript; charset=utf-8")

    @app.get("/export/{conversation}/{message}.{kind}")
    def export(conversation: int, message: int, kind: str) -> Response:
        found = endpoints.export(conversation, message, kind)
        if found is None:
            return Response(status_code=404)
        headers = {"Content-Disposition": found.disposition}
        return Response(found.data, media_type=found.media_type, headers=headers)

    gr.mount_gradio_app(
        app,
        _blocks(gr, service, endpoints),
        path="/",
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        show_error=False,
        max_file_size=f"{MAX_FILE_MB}mb",
        favicon_path=str(static / "favicon.svg"),
        head=_HEAD,
        app_kwargs={"openapi_url": None, "docs_url": None, "redoc_url": None},
    )
    app.add_middleware(_guarded(host))
    return app


def _blocks(gr: Any, service: Service, endpoints: Endpoints) -> Any:  # noqa: ANN401 - gradio has no types
    def ask(event: gr.EventData) -> Iterator[Update]:
        asked = Asked.from_page(event._data)
        yield from answer_question(
            service, asked, lambda conversation: endpoints.list_for(asked.lang, conversation)
        )

    value = {
        "shells": {lang: render_shell(lang, max_file_mb=MAX_FILE_MB) for lang in ("zh", "en")},
        "words": {lang: {key: _script_words(key, lang) for key in keys()} for lang in ("zh", "en")},
    }
    with gr.Blocks(title=say("name", "zh"), delete_cache=(3600, 24 * 3600)) as blocks:
        page = gr.HTML(
            value,
            html_template='<div id="zw"></div>',
            js_on_load=_MOUNT,
            apply_default_css=False,
            server_functions=endpoints.functions(),
        )
        wire = gr.HTML(
            None, html_template="<i></i>", js_on_load=_WIRE, elem_classes="wire", visible="hidden"
        )
        # The queue of the page itself (`Runs`) says how many are ahead; gradio's would not.
        page.ask(
            ask,
            None,
            wire,
            show_progress="hidden",
            concurrency_limit=32,
            # "once", the default, would drop a question put before gradio has closed the last one.
            trigger_mode="multiple",
            api_visibility="private",
        )
    return blocks


def _script_words(key: str, lang: Any) -> str:  # noqa: ANN401 - "zh" or "en"
    names = ("name", "total", "done", "failed", "left", "cancelled")
    filled_there = {name: f"{{{name}}}" for name in names}
    try:
        return say(key, lang, mb=MAX_FILE_MB, **filled_there)
    except KeyError:
        return ""  # has places that only the server fills


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    if os.name != "nt":  # on Windows the option would let two servers share a port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(512)  # a browser that is early waits instead of being refused
    except (OSError, OverflowError) as error:
        listener.close()
        zh = "请用 --port 换一个端口，或先停止占用它的程序"
        en = "choose another --port or stop the program that uses it"
        elsewhere = getattr(error, "errno", 0) == errno.EADDRNOTAVAIL
        if elsewhere or isinstance(error, socket.gaierror):
            zh, en = "请检查 --host", "check --host"
        raise UserError(
            f"无法使用地址 {host}:{port}（{reason(error)}）；{zh}。",
            f"Cannot listen on {host}:{port} ({error}); {en}.",
        ) from error
    return listener


def _guarded(host: str) -> Callable[[App], App]:
    """Headers on every response; nothing for pages of other sites.

    A page of another site could otherwise post to a service on the same machine (it cannot read
    the answer, but a document would be added), or reach it under its own name by DNS rebinding.
    """

    def wrap(app: App) -> App:
        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            headers = dict(scope["headers"])
            if not _own_page(scope["method"], headers, host):
                await send({"type": "http.response.start", "status": 403, "headers": HEADERS})
                await send({"type": "http.response.body", "body": b"forbidden"})
                return

            async def send_with_headers(message: Message) -> None:
                if message["type"] == "http.response.start":
                    message["headers"] = [*message.get("headers", ()), *HEADERS]
                await send(message)

            await app(scope, receive, send_with_headers)

        return guarded

    return wrap


def _own_page(method: str, headers: dict[bytes, bytes], host: str) -> bool:
    here = headers.get(b"host", b"").decode("latin-1")
    if host in LOOPBACK and here.rsplit(":", 1)[0].strip("[]") not in LOOPBACK:
        return False
    if method in ("GET", "HEAD", "OPTIONS"):
        return True
    if site := headers.get(b"sec-fetch-site"):
        return site in (b"same-origin", b"none")
    # To a plain http address in a network, browsers tell the origin only.
    origin = headers.get(b"origin", b"").decode("latin-1").partition("://")[2]
    return origin in ("", here)
