"""A small assistant over the real cases for the tests of the page: no index, no model."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

from corpus.builtin import builtin_document
from corpus.chunks import split_chunks
from corpus.errors import StoreError
from corpus.outline import parse_outline
from corpus.people import Question
from corpus.types import Chunk, Document
from rag.types import Answer, Citation, Delta, Filters, Sentence, Stage, Support, Table


def cases_document() -> Document:
    name, data = builtin_document()
    text = data.decode("utf-8")
    return Document(1, name, text, "", parse_outline(text))


def cite(document: Document, quote: str, n: int, mark: str = "") -> Citation:
    """The citation of an exact excerpt of `document`, with its case and section."""
    start = document.text.index(quote)
    chunk = next(c for c in split_chunks(document) if c.start <= start < c.end)
    at = start + quote.index(mark) if mark else 0
    return Citation(
        n=n,
        document=document.title,
        document_id=document.id,
        case=chunk.case,
        case_title=chunk.case_title,
        section=chunk.section,
        chunk_id=chunk.id,
        start=start,
        end=start + len(quote),
        quote=quote,
        marks=((at, at + len(mark)),) if mark else (),
    )


def sentence(citation: Citation, *, group: str = "", problems: Sequence[str] = ()) -> Sentence:
    marks = tuple((a - citation.start, b - citation.start) for a, b in citation.marks)
    support = Support(not problems, 0.31 if problems else 0.97, tuple(problems))
    return Sentence(citation.quote, (citation.n,), support, marks, group)


def answer(question: str, citations: Sequence[Citation], **fields: object) -> Answer:
    """An answer of one sentence per citation, one per line."""
    sentences = tuple(sentence(c) for c in citations)
    built = Answer(
        question=question,
        completed_question=question,
        answer="\n".join(f"{s.text}[{s.citations[0]}]" for s in sentences),
        refused=False,
        sentences=sentences,
        citations=tuple(citations),
        answerer="extractive",
        seconds=0.043,
        stages=(
            Stage("retrieve", 0.012),
            Stage("rank", 0.008),
            Stage("generate", 0.006),
            Stage("verify", 0.011),
        ),
    )
    return replace(built, **fields)


class FakeStore:
    def __init__(self) -> None:
        self.talks: dict[int, SimpleNamespace] = {}
        self.kept: dict[int, SimpleNamespace] = {}
        self.labels: dict[str, Question] = {}

    def conversations(self, query: str = "") -> list[SimpleNamespace]:
        found = [t for t in self.talks.values() if query in t.title]
        return sorted(found, key=lambda t: -t.id)

    def new_conversation(self, title: str) -> int:
        number = len(self.talks) + 1
        self.talks[number] = SimpleNamespace(
            id=number, title=title, updated=time.strftime("%Y-%m-%dT%H:%M:%S")
        )
        return number

    def messages(self, conversation: int) -> list[SimpleNamespace]:
        return [m for m in self.kept.values() if m.conversation == conversation]

    def add_message(self, conversation: int, question: str, answer: str) -> int:
        number = len(self.kept) + 1
        self.kept[number] = SimpleNamespace(
            id=number,
            conversation=conversation,
            question=question,
            answer=answer,
            rating="",
            note="",
        )
        return number

    def rename_conversation(self, conversation: int, title: str) -> None:
        self.talks[conversation].title = title

    def delete_conversation(self, conversation: int) -> None:
        del self.talks[conversation]

    def message(self, message: int) -> SimpleNamespace | None:
        return self.kept.get(message)

    def questions(self) -> list[Question]:
        return list(self.labels.values())

    def put_question(self, question: str, data: str) -> int:
        self.labels[question] = Question(len(self.labels) + 1, question, data)
        return self.labels[question].id

    def delete_question(self, question: int) -> None:
        self.labels = {text: q for text, q in self.labels.items() if q.id != question}

    def rated_messages(self) -> list[SimpleNamespace]:
        return [m for m in self.kept.values() if m.rating]

    def rate(self, message: int, rating: str, note: str = "") -> None:
        self.kept[message].rating, self.kept[message].note = rating, note

    def documents(self, *, all_states: bool = False) -> list[SimpleNamespace]:
        return FakeLibrary().documents()

    def info(self, number: int) -> SimpleNamespace:
        if number != 1:
            raise StoreError("没有", "none")
        return FakeLibrary().documents()[0]

    def documents_with_cases(self) -> list[int]:
        return [1]

    def places(self) -> list[str]:
        return ["深圳市", "广东省"]

    def names(self, column: str) -> list[str]:
        return []

    def chunks(self, document: int) -> list[Chunk]:
        return split_chunks(cases_document())


@dataclass
class FakeLibrary:
    store: FakeStore = field(default_factory=FakeStore)

    def documents(self) -> list[SimpleNamespace]:
        d = cases_document()
        return [
            SimpleNamespace(
                id=1,
                name=d.name,
                title=d.title,
                size=22706,
                n_chunks=203,
                added="2026-11-24",
                place="广东省",
                department="",
                theme="",
                date="2024",
                state="current",
            )
        ]

    def document(self, number: int) -> Document:
        if number != 1:
            raise LookupError(number)
        return cases_document()


class FakeAssistant:
    """Answers a few questions about the cases from exact excerpts; refuses all others."""

    def __init__(self, delay_s: float = 0.0) -> None:
        self.library = FakeLibrary()
        self.delay_s = delay_s

    def close(self) -> None:
        pass

    def stream(
        self,
        question: str,
        *,
        history: Sequence[str] = (),
        filters: Filters | None = None,
        cancel=None,
    ) -> Iterator[Stage | Delta | Answer]:
        built = self.ask(question, history=history)
        for stage in built.stages[:2]:
            time.sleep(self.delay_s)
            yield stage
        for at in range(0, len(built.answer), 8):
            if cancel is not None and cancel.is_set():
                return
            time.sleep(self.delay_s / 4)
            yield Delta(built.answer[at : at + 8])
        yield from built.stages[2:]
        yield built

    def ask(
        self, question: str, *, history: Sequence[str] = (), filters: Filters | None = None
    ) -> Answer:
        d = cases_document()
        if "调解" in question:
            c = cite(
                d,
                "全市成立11个税费争议调解机构,配备调解员528人,实现社会保险费征缴争议由联合处置中心统一受理、集中处置和结果告知,让诉求反映、争议处置“最多跑一地”,有效降低争议处置成本。",
                1,
                "11个税费争议调解机构,配备调解员528人",
            )
            return answer(question, [c], lead="案例二《广州市：建设智慧税务》写道：")
        if "公平竞争" in question:
            starts = [n for n in d.outline if n.case == 4 and n.kind == "item"][:4]
            cs = [
                cite(d, d.text[n.start : n.end].strip().split("。")[0] + "。", i)
                for i, n in enumerate(starts, 1)
            ]
            return answer(question, cs)
        if "大湾区" in question:
            cs = [
                cite(
                    d,
                    "发布推进粤港澳大湾区三年行动方案和服务保障南沙平台建设意见,推进区域内商事规则衔接融通。",
                    1,
                ),
                cite(d, "广深两地合力打造“湾区通办”试点示范区", 2),
            ]
            built = answer(question, cs, lead="14 个案例中有 2 个提到：")
            ss = tuple(
                replace(s, group=g)
                for s, g in zip(built.sentences, ["案例一 广东省", "案例二 广州市"], strict=True)
            )
            bad = replace(ss[1], support=Support(False, 0.31, ("数字“95%”不在引文中",)))
            return replace(built, sentences=(ss[0], bad), note="材料没有写明另一座城市的相关数字。")
        if "比较" in question or "异同" in question:
            cs = [
                cite(d, "推行“自行判别、申报享受、资料留存备查”办理方式", 1),
                cite(d, "为全市超百万户纳税人打造可随身携带的纳税信用电子名片", 2),
                cite(d, "提出重点对策建议120余条", 3, "120余条"),
            ]
            built = answer(question, cs)
            return replace(
                built,
                table=Table(("广州市", "广东省"), ("做法", "数量"), (((0,), (2,)), ((1,), ()))),
            )
        if "呢" in question and history:
            built = self.ask("公平竞争")
            return replace(
                built, question=question, completed_question="深圳市推动公平竞争审查有哪些做法？"
            )
        near = (
            cite(
                d,
                "广州市与深圳市签署《双城联动税收合作框架协议》,推动10大方面33项措施深入合作,持续为粤港澳大湾区优化营商环境贡献税务力量。",
                1,
            ),
            cite(d, "近年来,广东法院坚持“两个毫不动摇”“三个没有变”方针政策", 2),
        )
        return Answer(
            question,
            question,
            "材料中没有找到佛山市 2023 年新登记企业的数量。",
            True,
            (),
            (),
            "extractive",
            0.02,
            nearest=near,
            stages=(Stage("retrieve", 0.012), Stage("rank", 0.008)),
        )
