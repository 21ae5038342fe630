"""A file's name and bytes in, its text with headings, tables, pages and metadata out."""

from corpus.readers.base import Extracted, expand, read_document

__all__ = ["Extracted", "expand", "read_document"]
