"""The commands that look after the library: arguments in, changes and lists out."""

import argparse
import json
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from corpus.errors import CorpusError, DamagedStore
from ui.terminal import open_assistant, print_json, settings, show_progress

if TYPE_CHECKING:
    from rag.assistant import Assistant
    from rag.intake import Failure
    from rag.library import AddReport
    from rag.watch import WatchState


def add_documents(args: argparse.Namespace) -> int:
    """Add files, folders and the files of a list; then follow a folder if asked."""
    from rag.intake import select_files
    from rag.manifest import read_manifest

    if not args.paths and not args.manifest and not args.watch:
        print(
            "zhengwen add：请给出 PATH、--manifest 或 --watch (name what to add)", file=sys.stderr
        )
        return 2
    failed: list[Failure] = []
    files = select_files(args.paths, args.include, args.exclude, failed)
    if args.manifest:
        files += read_manifest(args.manifest, failed)
    with open_assistant(args) as assistant:
        if args.watch and not files:
            return _watch(args, assistant)
        report = assistant.library.add(files, progress=show_progress)
        report = replace(report, failed=(*failed, *report.failed))
        _print_report(args, report)
        if args.watch:
            return _watch(args, assistant)
    return 1 if report.failed and not (report.added or report.replaced or report.unchanged) else 0


def _print_report(args: argparse.Namespace, report: "AddReport") -> None:
    from rag.jsonout import plain

    if args.json:
        print_json(plain(report), indent=1)
    else:
        print(
            f"新增 {len(report.added)}，更新 {len(report.replaced)}，"
            f"未变 {len(report.unchanged)}，失败 {len(report.failed)}"
        )
    for remark in _remarks(report):
        print(remark, file=sys.stderr)


def _remarks(of: "AddReport | WatchState") -> list[str]:
    """What a person should know of files: what was not read of them, why others were not added."""
    return [
        *(f"{notice.name}：{notice.text}" for notice in of.notices),
        *(failure.reason for failure in of.failed),
    ]


def _watch(args: argparse.Namespace, assistant: "Assistant") -> int:
    """Follow a folder until Ctrl-C; one line (or one JSON object) for whatever was done."""
    from rag.jsonout import plain
    from rag.model_watch import ModelWatch
    from rag.watch import Watcher

    told: set[str] = set()

    def tell(state: "WatchState") -> None:
        if args.json:
            print_json(plain(state))
        elif not state.problem:
            print(f"新增 {state.added}，更新 {state.replaced}，移除 {state.removed}")
        sys.stdout.flush()
        remarks = [state.problem, *_remarks(state)]
        for remark in remarks:
            if remark and remark not in told:
                print(remark, file=sys.stderr)
        told.clear()
        told.update(remarks)

    library = assistant.library
    watcher = Watcher(library, args.watch, include=args.include, exclude=args.exclude)
    # Else a page that has changed its model would encode each file a second time.
    models = ModelWatch(library, assistant.config.model, lambda: settings(args).model)
    print(f"正在监视 {args.watch}，按 Ctrl-C 停止 (Ctrl-C stops)", file=sys.stderr)
    stop = threading.Event()
    threading.Thread(target=models.run, args=(stop,), name="models", daemon=True).start()
    try:
        watcher.run(stop, tell)
    except KeyboardInterrupt:
        print("已停止监视 (stopped)", file=sys.stderr)
    finally:
        stop.set()
    return 0


def list_documents(args: argparse.Namespace) -> int:
    """List the documents, with `--all` the old ones too."""
    from rag.jsonout import plain

    with open_assistant(args) as assistant:
        documents = assistant.library.store.documents(all_states=args.all)
    if args.json:
        print_json({"documents": plain(documents)}, indent=1)
        return 0
    states = {"current": "可检索", "replaced": "旧版本", "removed": "已移除"}
    print("编号\t状态\t字数\t段数\t日期\t添加时间\t标题\t文件\t地区\t部门\t主题")
    for d in documents:
        state = states[d.state] + (f"→{d.replaced_by}" if d.replaced_by else "")
        about = [d.id, state, d.size, d.n_chunks, d.date or "-", d.added[:10], d.title or d.name]
        known = [part or "-" for part in (d.name, d.place, d.department, d.theme)]
        print(*about, *known, sep="\t")
    return 0


def set_metadata(args: argparse.Namespace) -> int:
    """Correct what is known about a document."""
    from rag.jsonout import plain
    from rag.manifest import FIELDS, metadata_from

    given = {name: getattr(args, name) for name in FIELDS if getattr(args, name) is not None}
    if not given:
        print("zhengwen set：请给出 --title、--place 等 (name what to set)", file=sys.stderr)
        return 2
    wanted = metadata_from(given)
    with open_assistant(args) as assistant:
        known = assistant.library.store.info(args.id).metadata
        metadata = replace(known, **{name: getattr(wanted, name) for name in given})
        assistant.library.update_metadata(args.id, metadata)
    if args.json:
        print_json({"id": args.id, **plain(metadata)})
    else:
        print(f"已更正文档 {args.id}")
    return 0


def remove_documents(args: argparse.Namespace) -> int:
    """Remove documents by their ids."""
    with open_assistant(args) as assistant:
        known = {info.id for info in assistant.library.documents()}
        if missing := [str(i) for i in args.ids if i not in known]:
            raise CorpusError(
                f"没有编号为 {'、'.join(missing)} 的文档，请用 zhengwen list 查看编号。",
                f"no document with id {', '.join(missing)}; see zhengwen list",
            )
        assistant.library.remove(args.ids)
    if args.json:
        print_json({"removed": args.ids})
    else:
        print(f"已移除 {len(args.ids)} 份文档")
    return 0


def rebuild(args: argparse.Namespace) -> int:
    """Build the indexes anew from the store; with `--model` that model is used from now on."""
    # Opening encodes with a new model, beside the vectors that other processes serve with.
    with open_assistant(args) as assistant:
        assistant.library.rebuild(show_progress)
        home = assistant.library.home
    if args.model:
        from rag.config import SETTINGS, choose_model

        choose_model(home, args.model)
        words = f"今后使用模型 {args.model}，已写入 {home / SETTINGS}，运行中的网页会自动换用"
        print(f"{words} (a page that is running takes it up)", file=sys.stderr)
    print(json.dumps({"rebuilt": True}) if args.json else "索引已重建")
    return 0


def check(args: argparse.Namespace) -> int:
    """Verify store and indexes; exit code 1 if something is wrong."""
    from rag.jsonout import plain

    with open_assistant(args) as assistant:
        report = assistant.library.check()
    if args.json:
        print_json(plain(report), indent=1)
    else:
        for problem in report.problems:
            print(problem)
        print("正常" if not report.problems else f"发现 {len(report.problems)} 个问题")
    return 1 if report.problems else 0


def backup(args: argparse.Namespace) -> int:
    """Write a copy of the store."""
    with open_assistant(args) as assistant:
        assistant.library.backup(args.file)
    print(json.dumps({"backup": str(args.file)}) if args.json else f"已备份到 {args.file}")
    return 0


def restore(args: argparse.Namespace) -> int:
    """Take over a copy of the store, also in place of a damaged one."""
    try:
        assistant = open_assistant(args)
    except DamagedStore:
        # The very case that backups are for: the damaged file makes room, and is kept.
        from corpus.database import set_aside
        from corpus.store import FILE_NAME, MIGRATIONS
        from rag.config import default_home

        file = (args.home or default_home()) / FILE_NAME
        aside = set_aside(file, args.file, len(MIGRATIONS))
        print(f"已损坏的数据库保存为 {aside} (the damaged database was kept)", file=sys.stderr)
        assistant = open_assistant(args)
    with assistant:
        assistant.library.restore(args.file)
    print(json.dumps({"restored": str(args.file)}) if args.json else f"已从 {args.file} 恢复")
    return 0
