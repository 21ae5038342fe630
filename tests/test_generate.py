import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_prompt import chunk, evidence
from tiny_chat import TEMPLATE, build, overfit

from corpus.errors import ModelError
from rag.checks import check
from rag.config import GeneratorConfig
from rag.generate import OpenAIAnswerer, TransformersAnswerer, open_generator
from rag.generated import ThoughtFilter, read_draft
from rag.prompt import messages
from rag.types import Delta, Draft

PASSAGE = "2023年,深圳市印发指南,提出12项举措。广州市建成“税宝”平台,服务3.8万家企业。"
QUESTION = "深圳提出几项举措?"
ANSWER = "深圳市印发指南，提出12项举措[1]。"


def written(answerer, source=None, cancel=None) -> tuple[str, Draft]:
    *deltas, draft = answerer.stream(
        source or evidence(chunk(1, PASSAGE), question=QUESTION), cancel
    )
    assert all(isinstance(d, Delta) for d in deltas) and isinstance(draft, Draft)
    return "".join(d.text for d in deltas), draft


# Reading what a model wrote


def test_references_before_and_after_the_stop_cite_the_same_sentence():
    chunks = [chunk(1, PASSAGE), chunk(2, "提出12项举措。")]
    for text in (
        "提出12项举措[1][2]。",
        "提出12项举措。[1][2]",
        "提出12项举措。【1、2】",
        "提出12项举措[1,2]。",
    ):
        (sentence,) = read_draft(text, chunks).sentences
        assert sentence.text == "提出12项举措。"
        assert sentence.citations == (1, 2)


def test_a_quote_is_the_part_of_the_passage_that_says_it():
    draft = read_draft("“税宝”服务3.8万家企业[1]。提出12项举措[1]。", [chunk(1, PASSAGE)])
    assert [c.quote for c in draft.citations] == [
        "广州市建成“税宝”平台,服务3.8万家企业。",
        "2023年,深圳市印发指南,提出12项举措。",
    ]
    for citation in draft.citations:
        assert PASSAGE[citation.start : citation.end] == citation.quote


def test_a_reference_to_no_passage_is_dropped():
    draft = read_draft("提出12项举措[7][0]。", [chunk(1, PASSAGE)])
    assert draft.sentences[0].citations == () and draft.citations == ()
    assert "[" not in draft.sentences[0].text


def test_what_the_documents_do_not_say_is_a_note_or_a_refusal():
    assert read_draft("材料中没有找到相关内容。", [chunk(1)]).refused
    draft = read_draft("提出12项举措[1]。材料中没有提到经费。", [chunk(1)])
    assert draft.note == "材料中没有提到经费。" and len(draft.sentences) == 1
    smuggled = read_draft("材料中没有提到经费,但实际为95万元。", [chunk(1)])
    assert [s.text for s in smuggled.sentences] == ["但实际为95万元。"]
    assert "95" not in smuggled.note
    assert not read_draft("申请人提交的材料无需公证[1]。", [chunk(1)]).note


def test_openings_and_markdown_are_no_claims():
    draft = read_draft("## 结论\n主要做法如下：\n- **提出12项举措**[1]。", [chunk(1, PASSAGE)])
    assert [s.text for s in draft.sentences] == ["结论", "提出12项举措。"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_thoughts_are_hidden_however_the_text_is_cut(size):
    text = "<think>先想[1]一想</think>\n\n答案<b>[1]。"
    thinking = ThoughtFilter()
    pieces = [thinking.feed(text[i : i + size]) for i in range(0, len(text), size)]
    assert "".join([*pieces, thinking.flush()]) == "答案<b>[1]。"


def test_a_thought_that_the_template_opened_is_hidden():
    thinking = ThoughtFilter(inside=True)
    assert thinking.feed("想</think>答") + thinking.flush() == "答"
    assert (
        read_draft("想到[1]</think>提出12项举措[1]。", [chunk(1)]).sentences[0].text
        == "提出12项举措。"
    )
    assert read_draft("<think>没有想完", [chunk(1)]).refused


@given(st.text(alphabet="甲乙[]12。!<think>/ \n材料中没有"))
def test_any_text_can_be_read(text):
    draft = read_draft(text, [chunk(1, PASSAGE)])
    known = {c.n for c in draft.citations}
    assert all(set(s.citations) <= known for s in draft.sentences)


# A local model


@pytest.fixture(scope="session")
def random_model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("random")
    chat = messages(QUESTION, [chunk(1, PASSAGE)])
    build(folder, [m["content"] for m in chat] * 3)
    return folder


@pytest.fixture(scope="session")
def taught_model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("taught")
    chat = messages(QUESTION, [chunk(1, PASSAGE)])
    prompt = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in chat)
    build(folder, [prompt] * 3 + [ANSWER] * 3)
    assert overfit(folder, [(prompt + "<|im_start|>assistant\n", ANSWER)]) < 0.1
    return folder


def test_a_taught_model_answers_with_a_checked_citation(taught_model):
    answerer = TransformersAnswerer(str(taught_model), max_tokens=60)
    source = evidence(chunk(1, PASSAGE), question=QUESTION)
    text, draft = written(answerer, source)
    assert text == ANSWER
    checked = check(draft, source.hits, None)
    assert checked.sentences[0].support.supported
    assert checked.citations[0].quote == "2023年,深圳市印发指南,提出12项举措。"
    assert written(answerer)[0] == text  # greedy, and free for the next question
    assert answerer.name == f"transformers:{taught_model.name}"


def test_a_random_model_is_not_believed(random_model):
    source = evidence(chunk(1, PASSAGE), question=QUESTION)
    _, draft = written(TransformersAnswerer(str(random_model), max_tokens=40), source)
    assert not any(s.support.supported for s in check(draft, source.hits, None).sentences)


def test_cancelling_stops_within_a_token(random_model):
    answerer = TransformersAnswerer(str(random_model), max_tokens=400)
    cancel = threading.Event()
    stream = answerer.stream(evidence(chunk(1, PASSAGE)), cancel)
    next(stream)
    cancel.set()
    rest = list(stream)
    assert isinstance(rest[-1], Draft)
    assert len(rest) < 100
    assert threading.active_count() < 20


def test_a_reader_that_goes_away_frees_the_model(random_model):
    answerer = TransformersAnswerer(str(random_model), max_tokens=400)
    before = threading.active_count()
    stream = answerer.stream(evidence(chunk(1, PASSAGE)))
    next(stream)
    stream.close()
    waited = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < waited:
        time.sleep(0.02)
    assert threading.active_count() <= before  # of which some may be other tests'
    short = TransformersAnswerer(str(random_model), max_tokens=5)
    assert written(short)[1]


def test_long_passages_are_left_out_to_fit_the_context(random_model):
    answerer = TransformersAnswerer(str(random_model), max_tokens=8)
    many = evidence(*(chunk(i, PASSAGE * 200) for i in range(2, 8)), question=QUESTION)
    *_, draft = answerer.stream(many)
    assert draft.refused  # not even one fits into 1,024 tokens
    *deltas, _ = answerer.stream(evidence(chunk(1, PASSAGE), *(h.chunk for h in many.hits)))
    assert deltas


def test_a_failure_while_writing_is_a_model_error(random_model):
    answerer = TransformersAnswerer(str(random_model), max_tokens=8)
    answerer._model.model.layers[0].self_attn.q_proj.weight.data = answerer._model.model.layers[
        0
    ].self_attn.q_proj.weight.data[:3]
    with pytest.raises(ModelError, match="生成时出错"):
        list(answerer.stream(evidence(chunk(1, PASSAGE))))


def test_folders_that_are_no_chat_model_are_refused(random_model, tmp_path):
    import shutil

    with pytest.raises(ModelError, match="没有生成模型文件夹"):
        TransformersAnswerer(str(tmp_path / "none"))
    with pytest.raises(ModelError, match="没有生成模型文件夹"):
        TransformersAnswerer("")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="无法加载"):
        TransformersAnswerer(str(tmp_path / "empty"))
    plain = tmp_path / "plain"
    shutil.copytree(random_model, plain)
    (plain / "chat_template.jinja").unlink()
    with pytest.raises(ModelError, match="不是对话模型"):
        TransformersAnswerer(str(plain))
    pickled = tmp_path / "pickled"
    shutil.copytree(random_model, pickled)
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    with pytest.raises(ModelError, match="safetensors"):
        TransformersAnswerer(str(pickled))


def test_a_template_that_opens_a_thought_hides_it(taught_model, tmp_path):
    import shutil

    shutil.copytree(taught_model, tmp_path / "thinks")
    (tmp_path / "thinks" / "chat_template.jinja").write_text(
        TEMPLATE.replace("assistant\n", "assistant\n<think>\n"), "utf-8"
    )
    text, _ = "", None
    with pytest.raises(ModelError, match="没有写出"):
        text, _ = written(TransformersAnswerer(str(tmp_path / "thinks"), max_tokens=30))
    assert text == ""


# A server


class Server(BaseHTTPRequestHandler):
    silent_s = 0.0
    pieces = ("<thi", "nk>想", "</think>深圳市印发指南,", "提出12项举措", "[1]。")
    status = 200
    breaks_off = False
    requests: list[dict] = []  # noqa: RUF012

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).requests.append(
            {"key": self.headers["Authorization"], "path": self.path, **body}
        )
        self.send_response(self.status)
        self.send_header("Content-Type", "text/event-stream")
        if self.breaks_off:
            self.send_header("Content-Length", "100000")
        self.end_headers()
        if self.status != 200:
            return
        time.sleep(self.silent_s)
        for piece in self.pieces:
            event = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m",
                     "choices": [{"index": 0, "delta": {"content": piece}}]}  # fmt: skip
            self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
        if not self.breaks_off:
            self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    for name in (
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("rag.generate.RETRIES", 0)

    class Own(Server):
        requests: list[dict] = []  # noqa: RUF012

    with ThreadingHTTPServer(("127.0.0.1", 0), Own) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        Own.url = f"http://127.0.0.1:{running.server_port}/v1"
        yield Own
        running.shutdown()
        thread.join()


def test_a_server_streams_an_answer(server, monkeypatch):
    monkeypatch.setenv("ZHENGWEN_API_KEY", "geheim")
    answerer = OpenAIAnswerer(server.url, "qwen3")
    text, draft = written(answerer)
    assert text == "深圳市印发指南,提出12项举措[1]。"
    assert draft.sentences[0].citations == (1,)
    (request,) = server.requests
    assert request["key"] == "Bearer geheim" and request["path"] == "/v1/chat/completions"
    assert request["stream"] and request["temperature"] == 0 and request["model"] == "qwen3"
    assert PASSAGE in request["messages"][1]["content"]
    assert answerer.name == "openai:qwen3"


def test_cancelling_leaves_the_server(server):
    cancel = threading.Event()
    stream = OpenAIAnswerer(server.url, "m").stream(evidence(chunk(1, PASSAGE)), cancel)
    next(stream)
    cancel.set()
    *deltas, last = list(stream)
    assert isinstance(last, Draft) and not deltas


def test_a_silent_server_can_be_left_at_once(server):
    server.silent_s = 5.0
    cancel = threading.Event()
    threading.Timer(0.3, cancel.set).start()
    started = time.monotonic()
    answerer = OpenAIAnswerer(server.url, "m")
    (last,) = answerer.stream(evidence(chunk(1, PASSAGE)), cancel)
    assert isinstance(last, Draft) and last.refused
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("status", [401, 404, 500])
def test_a_server_that_refuses_is_a_model_error(server, status):
    server.status = status
    with pytest.raises(ModelError, match=str(status)):
        written(OpenAIAnswerer(server.url, "m"))


def test_a_server_that_is_down_breaks_off_or_says_nothing_is_a_model_error(server):
    with pytest.raises(ModelError, match="连接不上"):
        written(OpenAIAnswerer("http://127.0.0.1:9/v1", "m"))
    server.breaks_off = True
    with pytest.raises(ModelError, match="模型服务"):
        written(OpenAIAnswerer(server.url, "m"))
    server.breaks_off, server.pieces = False, ()
    with pytest.raises(ModelError, match="没有写出"):
        written(OpenAIAnswerer(server.url, "m"))


def test_a_server_without_address_or_model_is_refused():
    with pytest.raises(ModelError, match="--base-url"):
        OpenAIAnswerer("", "m")


def test_the_settings_choose_the_answerer(random_model):
    local = GeneratorConfig(generator=str(random_model))
    assert open_generator("transformers", local).name == f"transformers:{random_model.name}"
    remote = GeneratorConfig(generator="m", base_url="http://127.0.0.1:9/v1")
    assert open_generator("openai", remote).name == "openai:m"
    with pytest.raises(ModelError):
        open_generator("openai", GeneratorConfig())


@pytest.mark.parametrize("address", ["http://localhost:80a0/v1", "http://[::1/v1"])
def test_an_address_that_is_none_is_told_with_its_mend(address):
    with pytest.raises(ModelError, match="地址"):
        written(OpenAIAnswerer(address, "m"))


# The whole way: question, passages, model, checks


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    from rag.assistant import Assistant

    folder = tmp_path_factory.mktemp("home")
    Assistant.open(folder).close()
    return folder


def asked(home, server_url: str, question: str, **answers):
    from rag.assistant import Assistant
    from rag.config import AnswerConfig, Config

    config = Config(
        answerer="openai",
        generation=GeneratorConfig(generator="m", base_url=server_url),
        answers=AnswerConfig(**answers),
    )
    with Assistant.open(home, config=config) as assistant:
        return assistant.ask(question)


COUNT = "广州税费争议调解机构有几个，配备多少名调解员？"


def test_an_altered_number_is_marked_in_the_answer(server, home):
    extracted = asked(home, "http://127.0.0.1:9/v1", COUNT)
    true = extracted.sentences[-1].text  # the number alone comes first
    digits = [c for c in true if c.isdigit() and c != "9"]
    server.pieces = (true, "[1]", true.replace(digits[0], "9"), "[1][99]", "今天天气晴朗。")
    answer = asked(home, server.url, COUNT)
    assert answer.answerer == "openai:m" and not answer.notice
    right, altered, added = answer.sentences
    assert right.support.supported
    assert not altered.support.supported and "不在引文中" in altered.support.problems[0]
    assert added.support.problems == ("未找到依据",)
    dropped = asked(home, server.url, COUNT, failing="drop")
    assert [s.text for s in dropped.sentences] == [true]


def test_a_server_that_is_down_leaves_the_extractive_answer_with_a_notice(home):
    answer = asked(home, "http://127.0.0.1:9/v1", COUNT)
    assert answer.answerer == "extractive" and answer.sentences and not answer.refused
    assert "连接不上" in answer.notice
    assert all(s.support.supported for s in answer.sentences)
