"""The words of the report and the charts: a key and a language in, a sentence for a reader out."""

from typing import Final, Literal

Lang = Literal["zh", "en"]

LABELS: Final[dict[str, tuple[str, str]]] = {
    "Success@1": ("首条命中 hit@1", "hit@1"),
    "Success@5": ("前五命中 hit@5", "hit@5"),
    "Success@10": ("前十命中 hit@10", "hit@10"),
    "R@5": ("召回 recall@5", "recall@5"),
    "R@10": ("召回 recall@10", "recall@10"),
    "RR@10": ("首条位次 MRR@10", "MRR@10"),
    "nDCG@10": ("排序质量 nDCG@10", "nDCG@10"),
    "AP@10": ("平均准确率 MAP@10", "MAP@10"),
    "must": ("要点齐全", "facts stated"),
    "precision": ("引用准确", "citation precision"),
    "recall": ("引用完整", "citation recall"),
    "verbatim": ("逐字一致", "verbatim quotes"),
}
TYPES: Final[dict[str, tuple[str, str]]] = {
    "fact": ("事实", "fact"),
    "how": ("做法", "how"),
    "list": ("清单", "list"),
    "multi": ("多案例", "several cases"),
    "compare": ("比较", "comparison"),
    "count": ("计数", "count"),
    "paraphrase": ("换说法", "other words"),
    "followup": ("追问", "follow-up"),
    "switch": ("换话题", "change of topic"),
    "aside": ("同案另问", "another question on the case"),
    "unanswerable": ("材料没有", "not in the documents"),
    "typo": ("错别字", "typo"),
    "english": ("英文", "English"),
}
CAUSES: Final[dict[str, tuple[str, str]]] = {
    "refused": ("误拒", "refused wrongly"),
    "answered": ("应拒未拒", "should have refused"),
    "must": ("缺要点", "facts missing"),
    "precision": ("引用不准", "citations beside the point"),
    "recall": ("引用不全", "citations incomplete"),
    "verbatim": ("引文不符", "quote does not match"),
    "error": ("出错", "error"),
}
SPLITS: Final[dict[str, tuple[str, str]]] = {
    "test": ("测试题", "test questions"),
    "dev": ("开发题", "development questions"),
    "all": ("全部题目", "all questions"),
    "office": ("本单位题目", "questions of this office"),
}
MODELS: Final[dict[str, tuple[str, str]]] = {
    "built-in": ("内置", "built-in"),
    "extractive": ("原文摘录", "verbatim excerpts"),
}
_TEXT: Final[dict[str, tuple[str, str]]] = {
    "title": ("政问评测报告", "Zhengwen evaluation"),
    "about": (
        "{date} · {n} 个问题（{split}）· 检索模型 {model} · 回答方式 {answerer}",
        "{date} · {n} questions ({split}) · retrieval model {model} · answers: {answerer}",
    ),
    "overall": ("总体", "Overall"),
    "intervals": (
        "红线为 95% 置信区间（自助法）。",
        "Red lines are 95% confidence intervals (bootstrap).",
    ),
    "retrieval": ("检索", "Retrieval"),
    "answers": ("回答", "Answers"),
    "by_type": ("分题型", "By type of question"),
    "refusal": ("拒答", "Refusals"),
    "time": ("用时", "Time"),
    "time_taken": (
        "中位数 {p50:.0f} 毫秒，95% 的问题在 {p95:.0f} 毫秒以内。",
        "Median {p50:.0f} ms; 95% of the questions within {p95:.0f} ms.",
    ),
    "failed": ("未完全答对的问题（{n}）", "Questions not answered in full ({n})"),
    "all_right": ("全部答对。", "All questions were answered in full."),
    "left_out": ("未评测的问题（{n}）", "Questions left out ({n})"),
    "due": ("应拒的被拒答", "refused rightly"),
    "undue": ("不应拒的被误拒", "refused wrongly"),
    "refusal_precision": ("拒答的准确率", "precision of refusing"),
    "type": ("题型", "Type"),
    "questions": ("题数", "n"),
    "whole": ("完整答出", "answered in full"),
    "compared": ("与此前比较", "Compared with the run before"),
    "compared_how": (
        "配对置换检验；p 值小于 0.05 的变化着色。",
        "Paired permutation test; changes with p below 0.05 are coloured.",
    ),
    "before": ("此前", "Before"),
    "after": ("本次", "Now"),
    "change": ("变化", "Change"),
    "p_value": ("p 值", "p"),
    "refusal_rates": (
        "材料没有的问题，{due} 被拒答；材料有的问题，{undue} 被误拒；拒答的准确率 {precision}。",
        "Of the questions that the documents do not answer {due} were refused, of the others "
        "{undue}; precision of refusing {precision}.",
    ),
    "best_threshold": (
        "只看把握的话，误拒不超过 5% 的最佳阈值是 {threshold:.2f}：应拒的拒答 {recall}，"
        "误拒 {false}，准确率 {precision}。曲线取自开发题（没有开发题时取全部）。",
        "By confidence alone, the best threshold with at most 5% wrong refusals is "
        "{threshold:.2f}: {recall} refused rightly, {false} wrongly, precision {precision}. The "
        "curve is that of the development questions (of all where there are none).",
    ),
    "history": ("（此前问：{asked}）", " (asked before: {asked})"),
    "confidence": ("把握 {value:.2f}", "confidence {value:.2f}"),
    "facts": ("要点：{facts}", "facts: {facts}"),
    "completed": ("补全为：{question}", "completed to: {question}"),
    "answer": ("回答", "Answer"),
    "gold": ("标准依据", "Expected evidence"),
    "no_gold": ("（材料没有）", "(not in the documents)"),
    "retrieved": ("检索到的前{n}段", "The first {n} passages found"),
    "curve_due": ("材料没有的问题被拒答", "unanswerable, refused"),
    "curve_undue": ("材料有的问题被误拒", "answerable, refused"),
    "best": ("最佳", "best"),
    "in_use": ("现用", "in use"),
    "threshold": ("拒答阈值（把握）", "threshold (confidence)"),
    "curve": (
        "拒答率随阈值变化；阈值 {threshold:.2f} 时材料没有的问题 {recall} 被拒答，"
        "材料有的问题 {false} 被误拒",
        "Refusals by threshold; at {threshold:.2f}, {recall} of the unanswerable and {false} of "
        "the answerable questions are refused",
    ),
}


def say(key: str, lang: Lang, **values: object) -> str:
    """The words for `key`; `{name}` places are filled from `values`."""
    words = _TEXT[key][lang == "en"]
    return words.format(**values) if values else words


def named(names: dict[str, tuple[str, str]], key: str, lang: Lang) -> str:
    """The name of a measure, type, cause or split; people may write types of their own."""
    return names[key][lang == "en"] if key in names else key


def listed(parts: list[str], lang: Lang) -> str:
    """Parts of a sentence in a row."""
    return ("；" if lang == "zh" else "; ").join(parts)
