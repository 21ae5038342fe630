"""The words of the page: a key and a language in, a sentence for an official out.

Chinese is the language of the product; English is a full second, never a mixture.
"""

from datetime import UTC, datetime
from typing import Final, Literal

from ui.evaluation_text import EVALUATION_TEXT

Lang = Literal["zh", "en"]

CAUSES: Final = ("引文不符", "数字有误", "应拒未拒", "遗漏", "其他")
"""What can be wrong with an answer; stored in Chinese whatever the language of the page."""

EXAMPLES: Final[tuple[tuple[str, str, str], ...]] = (
    # kind, Chinese, English: the range of what can be asked, the last one has no answer.
    (
        "figure",
        "广州税费争议调解机构有几个，配备多少名调解员？",
        "How many tax dispute mediation bodies does Guangzhou have?",
    ),
    (
        "list",
        "深圳推动公平竞争审查提质增效有哪些创新做法？",
        "What are Shenzhen's innovations in fair competition review?",
    ),
    (
        "across",
        "哪些案例提到了粤港澳大湾区？",
        "Which cases mention the Greater Bay Area?",
    ),
    (
        "plain",
        "小公司欠了债还不上，想快点走完破产程序怎么办？",
        "How does Shenzhen speed up bankruptcy cases?",
    ),
    (
        "absent",
        "汕头市最低工资标准是多少？",
        "What is the minimum wage in Shantou?",
    ),
)

_TEXT: Final[dict[str, tuple[str, str]]] = {
    # Frame
    "name": ("政问", "Zhengwen"),
    "tagline": ("有据可查的案例问答", "Answers with their sources"),
    "skip": ("跳到提问框", "Skip to the question box"),
    "views": ("主导航", "Main"),
    "view_ask": ("问答", "Ask"),
    "view_cases": ("案例", "Cases"),
    "view_documents": ("文档", "Documents"),
    "view_evaluate": ("评测", "Evaluation"),
    "switch": ("English", "中文"),
    "switch_label": ("Switch to English", "切换为中文"),
    "close": ("关闭", "Close"),
    "back": ("返回", "Back"),
    "cancel": ("取消", "Cancel"),
    "offline": (
        "与本机服务的连接中断，请确认程序仍在运行，然后重试。",
        "The connection to the local service was lost. Check that it is running, then try again.",
    ),
    "broken": (
        "处理时出现内部错误，已记入日志；请重试，仍不行时请把日志交给管理员。",
        "An internal error occurred and was logged. Try again; if it stays, send the log to your "
        "administrator.",
    ),
    "indexing": ("正在打开", "Opening"),
    "indexing_hint": (
        "首次启动要建立索引，通常只需几秒，完成后会自动打开。",
        "The first start builds the index, which takes seconds; the page opens by itself.",
    ),
    "reindexing_hint": (
        "检索模型已更换，正在重新编码全部材料；材料多时需要几分钟，完成后会自动打开。",
        "The retrieval model was changed: all documents are encoded again, which may take minutes; "
        "the page opens by itself.",
    ),
    # Conversations
    "conversations": ("对话", "Conversations"),
    "new": ("新对话", "New conversation"),
    "find_conversation": ("搜索对话", "Search conversations"),
    "no_conversations": ("还没有对话", "No conversations yet"),
    "no_match": ("没有匹配的对话", "No matching conversation"),
    "rename": ("重命名", "Rename"),
    "delete": ("删除", "Delete"),
    "export_talk": ("导出整个对话（Word）", "Export the conversation (Word)"),
    "delete_conversation": (
        "删除这个对话？其中的回答和评价也会删除。",
        "Delete this conversation with its answers and ratings?",
    ),
    "untitled": ("未命名", "Untitled"),
    "today": ("今天", "Today"),
    "earlier": ("更早", "Earlier"),
    # Asking
    "welcome": ("请提问", "Ask a question"),
    "welcome_hint": (
        "回答逐句注明出处，点击句末编号即可查看原文；材料没有写的，会如实说明。",
        "Every sentence of an answer has its source: click its number to read it. "
        "What the documents do not say is said plainly.",
    ),
    "examples": ("可以这样问", "For example"),
    "kind_figure": ("查数字", "A figure"),
    "kind_list": ("列做法", "A list"),
    "kind_across": ("跨案例", "Across cases"),
    "kind_plain": ("日常说法", "Plain words"),
    "kind_absent": ("材料中没有的", "Not in the documents"),
    "question": ("问题", "Question"),
    "placeholder": ("输入问题", "Type a question"),
    "send": ("发送", "Send"),
    "stop": ("停止", "Stop"),
    "keys": ("Enter 发送 · Shift+Enter 换行", "Enter sends · Shift+Enter: new line"),
    "keys_running": ("Esc 停止", "Esc to stop"),
    "scope": ("提问范围", "Scope"),
    "all_places": ("全部地区", "All places"),
    "all_departments": ("全部部门", "All departments"),
    "all_themes": ("全部主题", "All themes"),
    "all_dates": ("全部日期", "All dates"),
    "since_year": ("{year} 年以来", "Since {year}"),
    "only_year": ("{year} 年", "In {year}"),
    "all_cases": ("全部材料", "All documents"),
    "whole_document": ("整篇文档", "Whole document"),
    "disclaimer": (
        "本内容由人工智能辅助生成，重要事项请核对原文。",
        "Generated with the help of AI. Check important matters against the source.",
    ),
    "thread": ("问答内容", "Conversation"),
    "queued": ("前面还有 {n} 个提问，请稍候…", "{n} questions are ahead of yours…"),
    "working": ("正在理解问题…", "Reading the question…"),
    "working_complete": ("正在查找材料…", "Searching the documents…"),
    "working_retrieve": ("正在排序…", "Ranking…"),
    "working_rank": ("正在整理回答…", "Writing the answer…"),
    "working_generate": ("正在核验…", "Checking the answer…"),
    "working_verify": ("即将完成…", "Nearly done…"),
    "stopped": ("已停止，以上内容未经核验。", "Stopped; the text above was not checked."),
    "stopped_early": ("已停止。", "Stopped."),
    "scoped": (
        "只在所选的提问范围内查找；放宽范围后可以再问。",
        "Only the chosen scope was searched; widen it and ask again.",
    ),
    "unsaved": (
        "这次问答没有保存：{reason}",
        "This answer was not saved: {reason}",
    ),
    # Answer
    "understood": ("按此理解：", "Understood as: "),
    "edit_asked": ("修改问题后再问", "Edit the question and ask again"),
    "edit_question": ("修改", "Edit"),
    "stage_complete": ("理解", "Understand"),
    "stage_retrieve": ("检索", "Retrieve"),
    "stage_rank": ("排序", "Rank"),
    "stage_generate": ("生成", "Write"),
    "stage_verify": ("核验", "Check"),
    "seconds": ("{n} 秒", "{n} s"),
    "milliseconds": ("{n} 毫秒", "{n} ms"),
    "total": ("共 {time}", "{time} in all"),
    "extractive": ("原文摘录", "verbatim excerpts"),
    "model": ("模型 {name}", "model {name}"),
    "sources": ("出处", "Sources"),
    "source_n": ("出处 {n}:{place}", "Source {n}: {place}"),
    "supported": ("已核验，与出处相符（{score}）", "Checked against its source ({score})"),
    "unsupported": ("未通过核验：{reason}", "Not supported: {reason}"),
    "unsupported_short": ("存疑", "unsupported"),
    "refused": (
        "材料中没有找到能回答这个问题的内容。",
        "The documents do not answer this question.",
    ),
    "nearest": ("最接近的段落（不是对问题的回答）", "Nearest passages (not an answer)"),
    "open_source": ("查看原文", "Read in context"),
    "note": ("说明", "Note"),
    "copy": ("复制", "Copy"),
    "copied": ("已复制", "Copied"),
    "copy_answer": ("复制回答和出处", "Copy the answer with its sources"),
    "retry": ("重新回答", "Ask again"),
    "export_md": ("Markdown", "Markdown"),
    "export_docx": ("Word", "Word"),
    "export": ("导出", "Export"),
    "good": ("回答有用", "Good answer"),
    "bad": ("回答有问题", "Bad answer"),
    "rated_good": ("已记录：有用", "Recorded: good"),
    "rated_bad": ("已记录：{cause}", "Recorded: {cause}"),
    "cause": ("问题出在哪里？", "What is wrong?"),
    "rate_note": ("补充说明（可不填）", "Details (optional)"),
    "cause_引文不符": ("引文不符", "Quote does not match"),
    "cause_数字有误": ("数字有误", "Wrong figure"),
    "cause_应拒未拒": ("应拒未拒", "Should have refused"),
    "cause_遗漏": ("遗漏", "Incomplete"),
    "cause_其他": ("其他", "Other"),
    # Source pane
    "source": ("出处原文", "Source"),
    "source_of": ("出处 {n} / {total}", "Source {n} of {total}"),
    "nearest_of": (
        "相近段落 {n} / {total}，不是回答",
        "Nearest passage {n} of {total}, not an answer",
    ),
    "previous": ("上一处", "Previous"),
    "next": ("下一处", "Next"),
    "outline": ("目录", "Outline"),
    "copy_reference": ("复制引文及出处", "Copy with reference"),
    "removed": ("已移除", "removed"),
    "replaced": ("旧版本", "earlier version"),
    "removed_hint": (
        "这份文档已从材料库移除，以下为回答时保存的引文。",
        "This document has been removed; the quote below was kept with the answer.",
    ),
    "cut": ("此处省略 {n} 字", "{n} characters not shown"),
    "show_all": ("显示全文", "Show all"),
    "page_n": ("第 {n} 页", "page {n}"),
    "case_n": ("案例{n}", "Case {n}"),
    "quote_unverified": (
        "文档内容已变化，以下为回答时保存的引文。",
        "The document has changed; the quote below was kept with the answer.",
    ),
    # Cases
    "cases_title": ("案例库", "Cases"),
    "cases_count": ("{n} 个案例", "{n} cases"),
    "place": ("地区", "Place"),
    "theme": ("主题", "Theme"),
    "all": ("全部", "All"),
    "read_case": ("阅读全文", "Read in full"),
    "ask_case": ("就此案例提问", "Ask about this case"),
    "no_cases": ("没有符合条件的案例", "No case matches"),
    "find_case": ("在案例中查找", "Search the cases"),
    "characters": ("{n} 字", "{n} characters"),
    # Documents
    "documents_title": ("材料库", "Documents"),
    "documents_hint": (
        "文件只保存在本机；只有本单位另设了远程模型时，提问才会把相关段落发给它。",
        "Files stay on this machine; only where your office has set up a remote model, a question "
        "sends it the passages it needs.",
    ),
    "drop": ("将文件拖到这里，或", "Drop files here, or"),
    "choose_files": ("选择文件", "choose files"),
    "formats": (
        "支持 Word、PDF、OFD、Excel、HTML、Markdown、文本和 ZIP，单个文件不超过 {mb} MB",
        "Word, PDF, OFD, Excel, HTML, Markdown, text and ZIP, up to {mb} MB each",
    ),
    "too_big": (
        "{name} 超过 {mb} MB，没有添加；请拆分后再添加。",
        "{name} is larger than {mb} MB and was not added; split it first.",
    ),
    "peek": ("添加前先预览拆分", "Preview before adding"),
    "peek_add": ("添加", "Add"),
    "peek_discard": ("不添加", "Do not add"),
    "peek_more": ("另有 {n} 份文档", "{n} more documents"),
    "upload_deciding": ("等待确认", "Waiting for your decision"),
    "upload_waiting": ("等待", "Waiting"),
    "upload_sending": ("传输", "Sending"),
    "upload_reading": ("读取", "Reading"),
    "upload_encoding": ("编码", "Encoding"),
    "upload_sum": (
        "共 {total} 个文件，已完成 {done}，失败 {failed}，剩余 {left}",
        "{total} files: {done} done, {failed} failed, {left} to go",
    ),
    "upload_sum_done": (
        "共 {total} 个文件，已完成 {done}，失败 {failed}",
        "{total} files: {done} done, {failed} failed",
    ),
    "upload_sum_cancelled": ("，取消 {cancelled}", ", {cancelled} cancelled"),
    "cancel_all": ("全部取消", "Cancel all"),
    "clear_list": ("清除列表", "Clear the list"),
    "watching": ("正在监视文件夹 {folder}，共 {n} 个文件", "Following {folder}, {n} files"),
    "watch_last": (
        "；{time} 新增 {added}、更新 {replaced}、移除 {removed}",
        "; at {time} {added} added, {replaced} replaced, {removed} removed",
    ),
    "watch_failed": ("{n} 个文件未能添加", "{n} files could not be added"),
    "watch_notices": ("{n} 个文件的文字可能不全或有误", "{n} files may have gaps or mistakes"),
    "upload_done": ("已添加，{n} 段", "Added, {n} passages"),
    "upload_replaced": (
        "已更新同名文档，{n} 段",
        "New version of the document of this name, {n} passages",
    ),
    "upload_same": ("已有，未重复添加", "Already there, not added twice"),
    "upload_cancelled": ("已取消", "Cancelled"),
    "upload_failed": ("未添加", "Not added"),
    "upload_refused": (
        "这个文件不是通过本页面传输的，没有添加。",
        "This file did not come through this page and was not added.",
    ),
    "upload_list": ("添加进度", "Progress"),
    "col_document": ("文档", "Document"),
    "col_status": ("状态", "Status"),
    "col_size": ("字数", "Length"),
    "col_chunks": ("段数", "Passages"),
    "col_added": ("添加日期", "Added"),
    "col_actions": ("操作", "Actions"),
    "status_ready": ("可检索", "Ready"),
    "preview": ("查看拆分", "Preview"),
    "remove": ("移除", "Remove"),
    "remove_document": (
        "从材料库移除“{name}”？已有回答中的引文会保留。",
        "Remove “{name}”? Quotes in earlier answers are kept.",
    ),
    "find_document": ("查找文档", "Search the documents"),
    "ask_document": ("就此文档提问", "Ask about this document"),
    "more_documents": ("还有 {n} 份，显示更多", "{n} more, show some"),
    "no_document_found": ("没有符合条件的文档", "No document matches"),
    "no_documents": (
        "材料库是空的。添加文档后即可提问。",
        "There are no documents yet. Add some, then ask.",
    ),
    "describe": ("文档信息", "About this document"),
    "field_title": ("标题", "Title"),
    "field_place": ("地区", "Place"),
    "field_date": ("日期", "Date"),
    "field_department": ("部门", "Department"),
    "field_theme": ("主题", "Theme"),
    "save": ("保存", "Save"),
    "saved": ("已保存", "Saved"),
    "preview_title": ("拆分预览", "How it was split"),
    "preview_chunks": ("{n} 段", "{n} passages"),
    "chunk_n": ("第 {n} 段", "Passage {n}"),
    **EVALUATION_TEXT,
}


def say(key: str, lang: Lang, **values: object) -> str:
    """The words for `key`; `{name}` places are filled from `values`.

    Raises
    ------
    KeyError
        If there is no such key: a mistake of ours that a test must find.
    """
    words = _TEXT[key][0 if lang == "zh" else 1]
    return words.format(**values) if values else words


def keys() -> tuple[str, ...]:
    """Every key, for the tests and for the page's own script."""
    return tuple(_TEXT)


def as_lang(value: object) -> Lang:
    """`en` for "en", Chinese for anything else."""
    return "en" if value == "en" else "zh"


def local_time(utc: str) -> str:
    """`2026-11-24 23:30` in the zone of this machine for an ISO time of the store, which is UTC."""
    try:
        time = datetime.fromisoformat(utc)
    except ValueError:
        return utc
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return time.astimezone().isoformat(" ", "minutes")[:16]
