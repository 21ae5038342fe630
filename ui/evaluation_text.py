"""The words of the page about evaluation and questions of one's own; `ui/text.py` says them."""

from typing import Final

EVALUATION_TEXT: Final[dict[str, tuple[str, str]]] = {
    "evaluate_title": ("效果评测", "Evaluation"),
    "evaluate_hint": (
        "用自带题目或本单位题目检验检索和回答；运行期间可以继续提问。",
        "Checks retrieval and answers with the questions that come with the program, or your own; "
        "you can go on asking meanwhile.",
    ),
    "evaluate_run": ("开始评测", "Run"),
    "evaluate_running": ("评测进行中", "Running"),
    "evaluate_missing": (
        "评测部分没有安装，请用完整安装包重新安装。",
        "The evaluation part is not installed; install the complete package.",
    ),
    "evaluate_empty": ("还没有评测结果", "No results yet"),
    "ratings_title": ("收到的评价", "Ratings"),
    "evaluate_compared": ("与以往比较", "Compared with earlier runs"),
    "evaluate_questions": ("题数", "Questions"),
    "evaluate_split": ("题目", "Questions"),
    "split_test": ("测试题", "Test questions"),
    "split_dev": ("开发题", "Development questions"),
    "split_all": ("全部题目", "All questions"),
    "split_office": ("本单位题目", "Our own questions"),
    "office_title": ("本单位题目（{n}）", "Our own questions ({n})"),
    "office_hint": (
        "把工作中遇到的问题和标准依据记下来，以后随时检验回答；也可以在回答下方直接添加。",
        "Keep questions from daily work with the evidence a good answer rests on, and check the "
        "answers with them at any time. They can be added below an answer, too.",
    ),
    "office_empty": (
        "还没有本单位题目，请先在本页添加。",
        "There are no questions of your own yet; add some on this page first.",
    ),
    "label": ("加入评测题目", "Add to the evaluation"),
    "label_add": ("添加题目", "Add a question"),
    "label_title": ("评测题目", "A question to evaluate with"),
    "label_question": ("问题", "Question"),
    "label_question_hint": ("写成单独能看懂的问题", "A question that makes sense by itself"),
    "label_type": ("题型", "Type"),
    "label_evidence": ("标准依据：材料原文", "Evidence, as it stands in a document"),
    "label_pasted": ("其他依据", "Other evidence"),
    "label_pasted_hint": (
        "从材料原文复制粘贴；几处依据之间空一行",
        "Paste it from a document; an empty line between excerpts",
    ),
    "label_facts": ("回答必须说到的要点（可不填）", "What an answer must say (optional)"),
    "label_facts_hint": (
        "一行一个；同一要点的几种写法用“ / ”隔开，如：11个 / 十一个",
        "One a line; put “ / ” between wordings of the same fact",
    ),
    "label_saved": ("已加入本单位题目", "Added to our own questions"),
    "label_no_evidence": (
        "请选择或粘贴至少一处依据；材料没有写的问题，题型请选“材料没有”。",
        "Choose or paste some evidence, or choose the type “Not in the documents”.",
    ),
    "label_many": (
        "依据最多 {n} 段，请去掉一些。",
        "There may be {n} pieces of evidence at most; leave some out.",
    ),
    "label_long": (
        "“{text}…”超过 {n} 字，请只摘录回答问题的句子。",
        "“{text}…” has more than {n} characters; paste only the sentences that answer.",
    ),
    "label_not_verbatim": (
        "“{text}”与材料原文不一致，请从原文复制粘贴。",
        "“{text}” stands in no document; paste it from the source.",
    ),
    "label_fact": (
        "要点“{fact}”不在所选依据中，请按依据的写法填写或补充依据。",
        "“{fact}” is not in the evidence; write it as the evidence does, or add evidence.",
    ),
    "delete_label": ("删除这道题目？", "Delete this question?"),
    "type_fact": ("事实", "Fact"),
    "type_how": ("做法", "How"),
    "type_list": ("清单", "List"),
    "type_multi": ("多案例", "Several cases"),
    "type_compare": ("比较", "Comparison"),
    "type_count": ("计数", "Count"),
    "type_paraphrase": ("换说法", "Other words"),
    "type_unanswerable": ("材料没有", "Not in the documents"),
    "metric_Success5": ("前五命中", "Hit@5"),
    "metric_must": ("要点齐全", "Facts stated"),
    "metric_precision": ("引用准确", "Citation precision"),
    "metric_recall": ("引用完整", "Citation recall"),
    "metric_verbatim": ("逐字一致", "Verbatim"),
}
