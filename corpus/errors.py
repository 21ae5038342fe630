"""Errors that a user can mend; everything else is a bug and stays a built-in exception.

UserError
├── CorpusError     a file that cannot be read or split
├── StoreError      the home folder, the database, an index file
│   └── DamagedStore    a database that is damaged: a backup can take its place
├── ModelError      an embedding model or a generator that cannot be loaded or reached
└── QuestionError   a question that cannot be asked (empty, too long)
"""

import errno
import json
import re
import socket

_REASONS = {
    errno.ENOENT: "没有这个文件或文件夹",
    errno.EACCES: "没有权限",
    errno.EPERM: "没有权限",
    errno.EISDIR: "这是文件夹，不是文件",
    errno.ENOTDIR: "路径中有一段是文件，不是文件夹",
    errno.ENOSPC: "磁盘已满",
    errno.EROFS: "磁盘只读",
    errno.EADDRINUSE: "已被其他程序占用",
    errno.EADDRNOTAVAIL: "不是本机的地址",
}


def reason(error: BaseException) -> str:
    """Why something failed, in Chinese where it is known; a system says it in English."""
    if isinstance(error, socket.gaierror):
        return "没有这个地址"
    if isinstance(error, OSError):
        known = _REASONS.get(error.errno or 0)
        return known or error.strerror or str(error)
    if isinstance(error, UnicodeDecodeError):
        return "不是 UTF-8 编码"
    if isinstance(error, json.JSONDecodeError):
        return f"第 {error.lineno} 行不是 JSON"
    return str(error)


class UserError(Exception):
    """A failure with its place and its mend, in Chinese and in English.

    Parameters
    ----------
    zh, en
        What failed, where, and what to do: one sentence each, for an official.
    """

    place = "zhengwen"

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(zh, en)
        self.zh = zh
        self.en = en

    def __str__(self) -> str:
        return f"{self.place}: {self.zh} ({self.en})"


def halves(told: str) -> tuple[str, str]:
    """The Chinese and the English half of `place: Chinese (English)`, as errors are written.

    Both are the whole where it is in one language; notices have no place. A name in it may hold
    brackets: the half in English is what the last bracket closes.
    """
    depth = 0
    for at in range(len(told) - 1, 0, -1):
        depth += (told[at] == ")") - (told[at] == "(")
        if depth == 0:
            if told[at - 1 : at + 1] != " (":
                break
            return re.sub(r"^\w+: ", "", told[: at - 1]), told[at + 1 : -1]
    return told, told


class CorpusError(UserError):
    """A document cannot be read."""

    place = "corpus"


class StoreError(UserError):
    """The home folder or one of its files cannot be used."""

    place = "store"


class DamagedStore(StoreError):  # noqa: N818 - what it is, not what went wrong
    """The database is damaged."""


class ModelError(UserError):
    """A model cannot be loaded or reached."""

    place = "model"


class QuestionError(UserError):
    """A question cannot be asked as it stands."""

    place = "question"
