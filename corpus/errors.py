"""Errors that a user can mend; everything else is a bug and stays a built-in exception.

UserError
├── CorpusError     a file that cannot be read or split
├── StoreError      the home folder, the database, an index file
├── ModelError      an embedding model or a generator that cannot be loaded or reached
└── QuestionError   a question that cannot be asked (empty, too long)
"""


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


class CorpusError(UserError):
    """A document cannot be read."""

    place = "corpus"


class StoreError(UserError):
    """The home folder or one of its files cannot be used."""

    place = "store"


class ModelError(UserError):
    """A model cannot be loaded or reached."""

    place = "model"


class QuestionError(UserError):
    """A question cannot be asked as it stands."""

    place = "question"
