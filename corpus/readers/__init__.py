"""A file's name and bytes in, its text with headings, tables, pages and metadata out."""

from corpus.readers.archive import Entry, expand
from corpus.readers.base import read_document
from corpus.readers.building import Extracted

__all__ = ["Entry", "Extracted", "expand", "read_document"]
