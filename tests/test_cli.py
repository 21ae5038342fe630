"""The command line as scripts use it: real processes, exit codes, JSON on stdout only."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from make_ofd import partly_scanned_ofd

from rag.config import choose_model, load_config
from ui.cli import _COMMANDS, main

MODEL = Path(__file__).parent.parent / "embeddings" / "model"
QUESTION = "深圳有多少台ATM机支持外卡取现?"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


def zhengwen(home, *arguments, check=0):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ZHENGWEN_")}
    done = subprocess.run(
        [sys.executable, "-m", "ui.cli", "--home", str(home), *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        env=environment,
        timeout=300,
    )
    assert done.returncode == check, done.stderr
    assert "Traceback" not in done.stderr
    return done


def rows(text):
    return [json.loads(line) for line in text.splitlines()]


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom ui.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted(m for m in sys.modules if m in "
        "('torch', 'numpy', 'gradio', 'transformers', 'faiss', 'tantivy')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8")
    assert done.stdout.splitlines()[-1] == "[]"


def test_asking_and_searching_never_import_torch(home) -> None:
    code = (
        "import sys\nfrom ui.cli import main\n"
        f"main(['--home', {str(home)!r}, 'ask', {QUESTION!r}, '--json'])\n"
        "print([m for m in ('torch', 'transformers', 'sentence_transformers', 'gradio')"
        " if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8")
    assert done.stderr.splitlines()[-1] == "[]"


def test_search_prints_its_contract(home) -> None:
    found = json.loads(zhengwen(home, "search", QUESTION, "-k", 3, "--json").stdout)
    assert found["question"] == QUESTION
    assert [hit["rank"] for hit in found["hits"]] == [1, 2, 3]
    assert set(found["hits"][0]) == {
        "rank", "score", "document", "case", "case_title", "section", "chunk_id", "start", "end",
        "text",
    }  # fmt: skip
    assert found["hits"][0]["case"] == 10


def test_ask_prints_its_contract(home) -> None:
    found = json.loads(zhengwen(home, "ask", QUESTION, "--json").stdout)
    assert {
        "question",
        "answer",
        "refused",
        "sentences",
        "citations",
        "answerer",
        "seconds",
    } <= set(found)
    assert found["refused"] is False
    citation = found["citations"][0]
    assert {
        "n",
        "document",
        "case",
        "case_title",
        "section",
        "chunk_id",
        "start",
        "end",
        "quote",
    } <= (set(citation))
    assert "4357台" in citation["quote"]
    assert found["sentences"][0]["citations"] == [1]


def test_a_batch_goes_on_after_a_bad_row_and_keeps_the_order(home, tmp_path) -> None:
    file = tmp_path / "batch.jsonl"
    lines = [
        json.dumps({"id": "a", "question": QUESTION}),
        "{not json",
        json.dumps({"id": "c"}),
        json.dumps({"id": "d", "question": "???"}),
        json.dumps({"id": "f", "question": QUESTION, "history": "前一问"}),
        json.dumps({"id": "e", "question": "那金额呢?", "history": ["外籍来华人员消费了多少笔?"]}),
    ]
    file.write_text("\n".join(lines), "utf-8")
    answers = rows(zhengwen(home, "ask", "--batch", file, "--json").stdout)
    assert [row["id"] for row in answers] == ["a", 2, "c", "d", "f", "e"]
    assert ["error" in row for row in answers] == [False, True, True, True, True, False]
    hits = rows(zhengwen(home, "search", "--batch", file, "-k", 2, "--json").stdout)
    assert [row["id"] for row in hits] == ["a", 2, "c", "d", "f", "e"]
    assert len(hits[0]["hits"]) == 2


def test_documents_can_be_added_listed_searched_and_removed(home, tmp_path) -> None:
    file = tmp_path / "通知.txt"
    file.write_text("关于食堂用餐的通知\n一、时间\n午餐供应时间为十一点半至十三点。\n", "utf-8")
    report = json.loads(zhengwen(home, "add", file, "--json").stdout)
    number = report["added"][0]
    assert json.loads(zhengwen(home, "add", file, "--json").stdout)["unchanged"] == [number]
    listed = json.loads(zhengwen(home, "list", "--json").stdout)["documents"]
    assert number in [d["id"] for d in listed]
    found = json.loads(zhengwen(home, "search", "午餐几点供应", "--json").stdout)["hits"]
    assert "十一点半" in found[0]["text"]
    assert found[0]["case"] is None
    zhengwen(home, "remove", number)
    found = json.loads(zhengwen(home, "search", "午餐几点供应", "--json").stdout)["hits"]
    assert all("十一点半" not in hit["text"] for hit in found)


def test_list_tells_documents_of_one_title_apart(home, tmp_path) -> None:
    for name in ("甲.txt", "乙.txt"):
        words = f"某县水务局关于放水的通知\n各镇：\n一、时间\n{name}所附时间表。\n"
        (tmp_path / name).write_text(words, "utf-8")
    zhengwen(home, "add", tmp_path / "?.txt", "--json")
    shown = [row.split("\t") for row in zhengwen(home, "list").stdout.splitlines()]
    of = dict(zip(shown[0], zip(*shown[1:], strict=True), strict=True))
    assert of["标题"][-2:] == ("某县水务局关于放水的通知",) * 2
    assert set(of["文件"][-2:]) == {"甲.txt", "乙.txt"}
    assert of["部门"][-2:] == ("某县水务局",) * 2
    zhengwen(home, "remove", *of["编号"][-2:])


def test_a_missing_file_is_reported_and_the_rest_is_added(home, tmp_path) -> None:
    good = tmp_path / "好.txt"
    good.write_text("值班电话每天更新一次。", "utf-8")
    done = zhengwen(home, "add", tmp_path / "没有.txt", good)
    assert "没有.txt" in done.stderr
    assert "新增 1" in done.stdout
    zhengwen(home, "add", tmp_path / "没有.txt", check=1)


def test_files_come_from_a_list_and_what_is_known_is_corrected(home, tmp_path) -> None:
    (tmp_path / "班车.txt").write_text("班车每日七点二十分从东门发车。", "utf-8")
    manifest = tmp_path / "清单.csv"
    manifest.write_text(
        "路径,标题,地区,日期\n班车.txt,班车安排,珠海市,2024年3月\n无.txt,,,\n", "utf-8"
    )
    done = zhengwen(home, "add", "--manifest", manifest, "--json")
    [number] = json.loads(done.stdout)["added"]
    assert "清单.csv:3" in done.stderr
    zhengwen(home, "set", number, "--date", "2025/1/2", "--place", "")
    listed = json.loads(zhengwen(home, "list", "--json").stdout)["documents"]
    [info] = [d for d in listed if d["id"] == number]
    assert (info["title"], info["place"], info["date"]) == ("班车安排", "", "2025-01-02")
    assert "去年" in zhengwen(home, "set", number, "--date", "去年", check=1).stderr
    zhengwen(home, "set", number, check=2)
    zhengwen(home, "add", check=2)
    zhengwen(home, "remove", number)
    assert f"{number}\t已移除" in zhengwen(home, "list", "--all").stdout
    assert "班车安排" not in zhengwen(home, "list").stdout


def test_search_is_restricted_by_department_and_theme(home, tmp_path) -> None:
    for n in (1, 2):
        (tmp_path / f"{n}.txt").write_text(f"第{n}号灯塔由{n}名值守员看管。", "utf-8")
    manifest = tmp_path / "清单.csv"
    rows = "路径,部门,主题\n1.txt,市航道局、市海事局,航标\n2.txt,市海事局,值守\n"
    manifest.write_text(rows, "utf-8")
    added = json.loads(zhengwen(home, "add", "--manifest", manifest, "--json").stdout)["added"]

    def found(*options):
        done = zhengwen(home, "search", "灯塔由几名值守员看管", "--json", *options)
        return sorted(h["text"][1] for h in json.loads(done.stdout)["hits"]), done.stderr

    assert found("--department", "市海事局") == (["1", "2"], "")
    assert found("--department", "市航道局") == (["1"], "")
    assert found("--department", "市航道局、市海事局") == (["1"], "")
    assert found("--theme", "航标", "--theme", "值守") == (["1", "2"], "")
    assert found("--department", "市航道局", "--theme", "值守") == ([], "")
    hits, told = found("--department", "航道局")
    assert hits == []
    assert "没有部门为“航道局”的文档，现有：市海事局、市航道局" in told
    answer = zhengwen(home, "ask", "灯塔由几名值守员看管？", "--theme", "值守").stdout
    assert "第2号" in answer
    assert "第1号" not in answer
    zhengwen(home, "remove", *added)


def test_folder_is_watched_until_it_is_interrupted(home, tmp_path) -> None:
    folder = tmp_path / "材料"
    folder.mkdir()
    (folder / "船期.txt").write_text("渡船每小时一班。", "utf-8")
    (folder / "扫描.ofd").write_bytes(partly_scanned_ofd())
    errors = tmp_path / "errors.txt"
    with errors.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "ui.cli", "--home", str(home), "add", "--watch", str(folder)],
            stdout=subprocess.PIPE,
            stderr=out,
            encoding="utf-8",
        )
    with process:
        assert process.stdout.readline() == "新增 2，更新 0，移除 0\n"
        (folder / "船期.txt").unlink()
        assert process.stdout.readline() == "新增 0，更新 0，移除 1\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert errors.read_text("utf-8").count("扫描.ofd：第2页是扫描件，没有文字层，未读入") == 1


def test_check_and_rebuild_find_everything_in_order(home) -> None:
    zhengwen(home, "rebuild")
    report = json.loads(zhengwen(home, "check", "--json").stdout)
    assert report["problems"] == []


@pytest.mark.parametrize("command", _COMMANDS)
def test_help_is_chinese_with_english_beside_it(command, capsys) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    shown = capsys.readouterr().out
    assert shown.startswith(f"用法 (usage): zhengwen {command} ")
    options = shown.split("选项 (options):")[1]
    for words in re.split(r"\n  (?=-)", options)[1:]:
        assert re.search("[\u4e00-\u9fff]", words), words
        assert re.search(r"\(.*[a-z]", words, re.DOTALL), words


def test_without_a_question_nothing_is_opened(tmp_path) -> None:
    zhengwen(tmp_path / "new", "ask", check=2)
    zhengwen(tmp_path / "new", "search", check=2)
    assert not (tmp_path / "new").exists()


def test_model_that_was_rebuilt_with_stays_chosen(tmp_path) -> None:
    home = tmp_path / "home"
    zhengwen(home, "list")
    settings = '# 设置\nmodel = "old"\n\n[answers]\nmax_chars = 500\n'
    (home / "config.toml").write_text(settings, "utf-8")
    zhengwen(home, "rebuild", "--model", MODEL)
    config = load_config(home)
    assert (Path(config.model), config.answers.max_chars) == (MODEL.resolve(), 500)
    assert "# 设置" in (home / "config.toml").read_text("utf-8")
    (home / "config.toml").unlink()
    choose_model(home, "BAAI/bge-small-zh-v1.5")
    assert load_config(home).model == "BAAI/bge-small-zh-v1.5"


def test_wrong_usage_exits_with_two(home) -> None:
    zhengwen(home, "ask", check=2)
    zhengwen(home, "frobnicate", check=2)
    zhengwen(home, "search", "问", "-k", "0", check=2)


def test_failures_are_one_line_with_a_mend(home, tmp_path) -> None:
    assert zhengwen(home, "ask", "??", check=1).stderr.startswith("question: ")
    assert "list" in zhengwen(home, "remove", 999, check=1).stderr
    missing = zhengwen(home, "--model", str(tmp_path / "no"), "ask", QUESTION, check=1)
    assert missing.stderr.startswith("model: ")
    file = tmp_path / "file"
    file.write_text("", "utf-8")
    assert zhengwen(file, "ask", QUESTION, check=1).stderr.startswith("store: ")
    (home / "config.toml").write_text('answerer = "gpt"', "utf-8")
    assert "answerer" in zhengwen(home, "ask", QUESTION, check=1).stderr
    (home / "config.toml").unlink()


def test_a_damaged_database_gives_way_to_a_backup_and_is_kept(home, tmp_path) -> None:
    backup, broken = tmp_path / "backup.db", tmp_path / "broken"
    zhengwen(home, "backup", backup)
    broken.mkdir()
    (broken / "zhengwen.db").write_bytes(b"damaged" * 1000)
    assert "zhengwen restore" in zhengwen(broken, "list", check=1).stderr
    refused = zhengwen(broken, "restore", __file__, check=1)
    assert "不是本程序的完整备份" in refused.stderr
    assert not (broken / "zhengwen.db.damaged").exists()
    zhengwen(broken, "restore", backup)
    assert (broken / "zhengwen.db.damaged").read_bytes() == b"damaged" * 1000
    assert zhengwen(broken, "list").stdout == zhengwen(home, "list").stdout
    assert json.loads(zhengwen(broken, "check", "--json").stdout)["problems"] == []


def test_reasons_of_the_system_are_told_in_chinese(home, tmp_path) -> None:
    nowhere = zhengwen(home, "backup", tmp_path / "没有" / "b.db", check=1).stderr
    assert "文件夹不存在" in nowhere
    assert "--home" not in nowhere
    told = zhengwen(tmp_path / "new", "ask", "--batch", tmp_path / "no.jsonl", check=1).stderr
    assert "没有这个文件" in told
    assert "Errno" not in told
    assert not (tmp_path / "new").exists()
    assert "这是文件夹" in zhengwen(home, "ask", "--batch", tmp_path, check=1).stderr


def test_eval_prints_a_table_and_writes_a_report(home, tmp_path) -> None:
    report = tmp_path / "report.html"
    done = zhengwen(home, "eval", "--split", "dev", "--limit", 12, "--report", report)
    assert "hit@5" in done.stdout
    page = report.read_text("utf-8")
    assert "<svg" in page
    assert "http:" not in page
    assert "https:" not in page


def test_eval_retrieval_scores_any_benchmark(home, tmp_path) -> None:
    passages, queries = tmp_path / "p.jsonl", tmp_path / "q.jsonl"
    texts = {
        "p1": "苹果是一种水果。",
        "p2": "长江是中国最长的河流。",
        "p3": "数字人民币由央行发行。",
    }
    passages.write_text(
        "\n".join(json.dumps({"id": i, "text": t}) for i, t in texts.items()), "utf-8"
    )
    asked = [("q1", "中国最长的河", "p2"), ("q2", "谁发行数字人民币", "p3")]
    queries.write_text(
        "\n".join(json.dumps({"id": i, "query": q, "relevant": [r]}) for i, q, r in asked), "utf-8"
    )
    arguments = ["eval", "retrieval", "--passages", passages, "--queries", queries, "--json"]
    found = json.loads(zhengwen(home, *arguments).stdout)
    assert found["scores"]["Success@1"]["mean"] == 1.0
    assert found["n_passages"] == 3
