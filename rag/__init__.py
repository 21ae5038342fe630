"""Retrieval and grounded answers."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rag.assistant import Assistant

__all__ = ["Assistant"]


def __getattr__(name: str) -> object:
    # Loaded on first use: the command line imports this package before it knows what it needs.
    if name == "Assistant":
        from rag.assistant import Assistant

        return Assistant
    raise AttributeError(name)
