"""Evidence in, a streamed answer of a language model out: local weights, or a server.

Both answerers show the same passages, stream the same way and return the same kind of draft, which
`rag.checks` judges afterwards. A model that cannot be loaded, reached, or that says nothing is a
ModelError; the assistant then answers by extraction.
"""

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, Literal, cast

from corpus.errors import ModelError
from rag.config import GeneratorConfig
from rag.evidence import Evidence
from rag.generated import ThoughtFilter, read_draft
from rag.prompt import Message, fitting, messages, passages
from rag.types import Cancel, Delta, Draft

if TYPE_CHECKING:
    from openai import OpenAI

MAX_CONTEXT = 16_384  # tokens; longer prompts only slow an office machine down
SERVER_CHARACTERS = 6_000  # of a prompt for a server, whose tokenizer is not known
RETRIES = 2
POLL_S = 0.05  # how often a silent model's reader looks whether to stop

Pieces = Generator[str, None, None]


def open_generator(
    kind: Literal["transformers", "openai"], config: GeneratorConfig
) -> "TransformersAnswerer | OpenAIAnswerer":
    """The answerer that the settings name.

    Raises
    ------
    ModelError
        If a local model cannot be loaded, or the settings name no model or address.
    """
    if kind == "transformers":
        return TransformersAnswerer(config.generator, max_tokens=config.max_tokens)
    return OpenAIAnswerer(
        config.base_url,
        config.generator,
        max_tokens=config.max_tokens,
        timeout_s=config.timeout_s,
    )


class TransformersAnswerer:
    """A causal chat model that transformers loads from a folder, or from the hub by its name.

    Parameters
    ----------
    model
        A folder, then nothing is downloaded, or a name like `Qwen/Qwen3-4B`.
    max_tokens
        Longest answer.
    device
        "cuda", "cpu", …; empty chooses a GPU where there is one.

    Raises
    ------
    ModelError
        If it cannot be loaded, holds no safetensors, or is no chat model.
    """

    def __init__(self, model: str, *, max_tokens: int = 800, device: str = "") -> None:
        self._tokenizer, self._model = _load(model, device)
        self._max_tokens = max_tokens
        self._one_at_a_time = Lock()
        self.name = f"transformers:{Path(model).name}"
        config = self._model.config.get_text_config()
        longest = getattr(config, "max_position_embeddings", None) or MAX_CONTEXT
        self._prompt_tokens = min(longest, MAX_CONTEXT) - max_tokens
        if self._prompt_tokens < max_tokens // 4:
            self._max_tokens = longest // 4
            self._prompt_tokens = longest - self._max_tokens

    def stream(self, evidence: Evidence, cancel: Cancel | None = None) -> Iterator[Delta | Draft]:
        """Yield the text as it is written, then the draft."""
        return _stream(evidence, cancel, self._count, self._prompt_tokens, self._pieces)

    def _prompt(self, chat: list[Message]) -> str:
        text: str = self._tokenizer.apply_chat_template(
            # Models that can think aloud take seconds a question less without it.
            chat, tokenize=False, add_generation_prompt=True, enable_thinking=False
        )  # fmt: skip
        return text

    def _count(self, chat: list[Message]) -> int:
        return len(self._tokenizer(self._prompt(chat), add_special_tokens=False)["input_ids"])

    def _pieces(self, chat: list[Message], cancel: Cancel | None) -> Pieces:
        prompt = self._prompt(chat)
        thinking = ThoughtFilter(inside=prompt.rstrip().endswith(ThoughtFilter.OPEN))

        def write(put: Callable[[str], None], stopped: Callable[[], bool]) -> None:
            with self._one_at_a_time:
                try:
                    if not stopped():
                        self._generate(prompt, put, stopped)
                except Exception as error:
                    raise ModelError(
                        f"模型 {self.name} 生成时出错：{error}；请换用较小的模型或改用原文摘录。",
                        f"{self.name} failed while writing: {error}; use a smaller model",
                    ) from error

        for piece in _relayed(write, cancel):
            yield thinking.feed(piece)
        yield thinking.flush()

    def _generate(
        self, prompt: str, put: Callable[[str], None], stopped: Callable[[], bool]
    ) -> None:
        import torch
        from transformers import StoppingCriteria, StoppingCriteriaList, TextStreamer

        class Put(TextStreamer):  # type: ignore[misc]
            def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
                put(text)

        class Stopped(StoppingCriteria):  # type: ignore[misc]
            def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:  # noqa: ANN401
                return torch.full((len(input_ids),), stopped(), device=input_ids.device)

        inputs = self._tokenizer(prompt, return_tensors="pt", add_special_tokens=False)
        with torch.inference_mode():
            self._model.generate(
                **inputs.to(self._model.device),
                streamer=Put(self._tokenizer, skip_prompt=True, skip_special_tokens=True),
                stopping_criteria=StoppingCriteriaList([Stopped()]),
                max_new_tokens=self._max_tokens,
                # Greedy: the same question gives the same answer, whatever the model's settings.
                do_sample=False, temperature=None, top_p=None, top_k=None,
            )  # fmt: skip


class OpenAIAnswerer:
    """Any server that speaks the protocol of OpenAI: vLLM, Ollama, llama.cpp, LM Studio.

    The key is read from ZHENGWEN_API_KEY, else OPENAI_API_KEY; local servers need none.

    Raises
    ------
    ModelError
        From `stream`, if the server is down, refuses or says nothing.
    """

    def __init__(
        self, base_url: str, model: str, *, max_tokens: int = 800, timeout_s: float = 120.0
    ) -> None:
        if not base_url or not model:
            raise ModelError(
                "使用 openai 回答方式时须给出 --base-url 和 --generator。",
                "the openai answerer needs --base-url and --generator",
            )
        self.name = f"openai:{model}"
        self._base_url, self._model = base_url, model
        self._max_tokens, self._timeout_s = max_tokens, timeout_s

    def stream(self, evidence: Evidence, cancel: Cancel | None = None) -> Iterator[Delta | Draft]:
        """Yield the text as it is written, then the draft."""
        return _stream(evidence, cancel, _characters, SERVER_CHARACTERS, self._pieces)

    def _pieces(self, chat: list[Message], cancel: Cancel | None) -> Pieces:
        thinking = ThoughtFilter()
        for piece in _relayed(lambda put, stopped: self._receive(chat, put, stopped), cancel):
            yield thinking.feed(piece)
        yield thinking.flush()

    def _receive(
        self, chat: list[Message], put: Callable[[str], None], stopped: Callable[[], bool]
    ) -> None:
        try:
            with (
                self._client() as client,
                client.chat.completions.create(
                    model=self._model,
                    messages=cast("Any", chat),
                    max_tokens=self._max_tokens,
                    temperature=0,
                    stream=True,
                ) as events,
            ):
                for event in events:
                    if stopped():
                        return
                    if event.choices and (piece := event.choices[0].delta.content):
                        put(piece)
        except Exception as error:  # an address or a key may be such that no request can be made
            raise ModelError(
                f"模型服务 {self._base_url} 无法使用（{_reason(error)}），本次改用原文摘录；"
                "请确认服务已启动、地址和模型名称正确。",
                f"The model server {self._base_url} cannot be used ({error}); answered with "
                "excerpts instead. Check that it runs, its address and the name of the model.",
            ) from error

    def _client(self) -> "OpenAI":
        from openai import OpenAI

        key = os.environ.get("ZHENGWEN_API_KEY") or os.environ.get("OPENAI_API_KEY")
        return OpenAI(
            base_url=self._base_url,
            api_key=key or "none",
            timeout=self._timeout_s,
            max_retries=RETRIES,
        )


def _stream(
    evidence: Evidence,
    cancel: Cancel | None,
    count: Callable[[list[Message]], int],
    limit: int,
    pieces: Callable[[list[Message], Cancel | None], Pieces],
) -> Iterator[Delta | Draft]:
    """Choose the passages that fit, stream what is written about them, read it as a draft."""
    chunks = fitting(evidence.question, passages(evidence), count, limit)
    if not chunks:
        yield Draft(refused=True, confidence=evidence.confidence)
        return
    written = []
    with closing(pieces(messages(evidence.question, chunks), cancel)) as stream:
        for piece in stream:
            if piece:
                written.append(piece)
                yield Delta(piece)
    text = "".join(written)
    if not text.strip() and not _cancelled(cancel):
        raise ModelError(
            "模型没有写出任何内容，本次改用原文摘录。",
            "the model wrote nothing; answering by extraction",
        )
    draft = read_draft(text, chunks)
    yield Draft(
        sentences=draft.sentences,
        citations=draft.citations,
        refused=draft.refused,
        note=draft.note,
        confidence=evidence.confidence,
    )


def _relayed(
    produce: Callable[[Callable[[str], None], Callable[[], bool]], None], cancel: Cancel | None
) -> Pieces:
    """What `produce(put, stopped)` puts, from a thread of its own.

    A model may be silent for long, reading the prompt: the reader looks at `cancel` meanwhile and
    goes away at once; the thread ends at its next piece.
    """
    pieces, stop, failures = SimpleQueue[str | None](), Event(), list[Exception]()

    def run() -> None:
        try:
            produce(pieces.put, stop.is_set)
        except Exception as error:  # noqa: BLE001  it is raised again in the reader's thread
            failures.append(error)
        finally:
            pieces.put(None)  # without it the reader of a dead thread waits for ever

    Thread(target=run, daemon=True).start()
    try:
        while not _cancelled(cancel):
            with suppress(Empty):
                piece = pieces.get(timeout=POLL_S)
                if piece is None:
                    break
                yield piece
    finally:
        stop.set()
    if failures and not _cancelled(cancel):
        raise failures[0]


def _characters(chat: list[Message]) -> int:
    return sum(len(message["content"]) for message in chat)


def _cancelled(cancel: Cancel | None) -> bool:
    return cancel is not None and cancel.is_set()


def _reason(error: Exception) -> str:
    from openai import APIConnectionError, APIStatusError, APITimeoutError

    if isinstance(error, APITimeoutError):
        return "超时"
    if isinstance(error, APIConnectionError):
        return "连接不上"
    if isinstance(error, APIStatusError):
        return f"返回 {error.status_code}"
    # The client's own library for requests names it, in whatever version.
    unsendable = isinstance(error, UnicodeError) or type(error).__name__ == "InvalidURL"
    return "地址或密钥有误" if unsendable else "传输中断"


def _load(model: str, device: str) -> tuple[Any, Any]:
    """The tokenizer and the model, ready to generate."""
    local = bool(model) and Path(model).is_dir()
    if not local and (model.count("/") != 1 or model.startswith((".", "~", "/"))):
        raise ModelError(
            f"没有生成模型文件夹 {model or '（未指定）'}，"
            "请用 --generator 给出文件夹，或形如 Qwen/Qwen3-4B 的名称。",
            f"no model folder {model!r}; give a folder or a name like Qwen/Qwen3-4B",
        )
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    options = {"local_files_only": local, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(model, **options)
        weights = AutoModelForCausalLM.from_pretrained(
            model, use_safetensors=True, dtype="auto", **options
        )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise ModelError(
            f"无法加载生成模型 {model}：请检查文件夹是否完整（须为 safetensors 格式的对话模型）。",
            f"cannot load generator {model}: {error}",
        ) from error
    if not tokenizer.chat_template:
        raise ModelError(
            f"{model} 不是对话模型（没有 chat template），请换用 Instruct 或 Chat 版本。",
            f"{model} has no chat template; use an instruct or chat model",
        )
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    return tokenizer, weights.to(device).eval()
