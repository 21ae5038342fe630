"""Workbooks of older programs (.xls, .et) and .ods in, their rows out: by way of LibreOffice."""

from corpus.readers import office, sheets
from corpus.readers.building import Extracted

# By how a file begins. Not told its kind, LibreOffice takes a damaged one for text.
_KINDS = (
    (b"\xd0\xcf\x11\xe0", "MS Excel 97"),
    (b"PK", "calc8"),
    (b"", "MS Excel 2003 XML"),
)


def read(name: str, data: bytes) -> Extracted:
    """Read a workbook that LibreOffice knows.

    Raises
    ------
    CorpusError
        If LibreOffice is not installed, or cannot read the file in time; or if it is too large.
    """
    kind = next(kind for start, kind in _KINDS if data.startswith(start))
    return sheets.read(name, office.converted(name, data, office.WORKBOOK, kind=kind))
