"""Restrictions of a search in, the condition of an SQL statement and its values out.

A document may name several departments or themes in one field (省发展改革委、省财政厅): a
restriction to one of them fits, and so does the whole field.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

from corpus.types import Home

NamingField = Literal["department", "theme"]  # columns that may hold several names
NAMING_FIELDS: tuple[NamingField, ...] = get_args(NamingField)

# Joint issuers are also written with a space between them; English names hold spaces of their own.
# A list within brackets explains a name and ends none.
_BETWEEN = re.compile(
    r"(?:\s*[、，,；;/／|｜]\s*|(?<=[\u4e00-\u9fff])\s+(?=[\u4e00-\u9fff]))(?![^（(]*[）)])"
)


@dataclass(frozen=True, slots=True)
class Filters:
    """Restricts a search; an empty tuple or string does not restrict."""

    documents: tuple[int, ...] = ()  # document ids
    cases: tuple[int, ...] = ()  # case numbers
    places: tuple[str, ...] = ()
    departments: tuple[str, ...] = ()
    themes: tuple[str, ...] = ()
    since: str = ""  # ISO dates, inclusive
    until: str = ""

    def __bool__(self) -> bool:
        return self != NO_FILTERS

    def within(self, home: Home) -> "Filters":
        """The same in one case, or document, alone."""
        document, case, _ = home
        return replace(self, documents=(document,), cases=(case,) if case else ())


NO_FILTERS = Filters()


def split_names(field: str) -> tuple[str, ...]:
    """The names that one field holds, each once."""
    return tuple(dict.fromkeys(name for name in _BETWEEN.split(field) if name))


def ranked_names(fields: Iterable[tuple[str, int]]) -> list[str]:
    """The names in `(field, number of documents)` pairs, those of most documents first."""
    counts: Counter[str] = Counter()
    for field, n_documents in fields:
        counts.update(dict.fromkeys(split_names(field), n_documents))
    return sorted(counts, key=lambda name: (-counts[name], name))


def chunk_condition(
    filters: Filters, known: Mapping[NamingField, Iterable[str]]
) -> tuple[str, list[object]]:
    """The condition on chunks `c` and their documents `d`; current documents only.

    `known` holds what stands in the naming fields of the documents. Dates are ISO and may be
    shortened on both sides: a document of "2024" may lie after "2024-03", and until "2024" takes in
    all of that year. A document without a date fits no dates.
    """
    conditions, values = ["d.state = 'current'"], list[object]()

    def one_of(column: str, wanted: Collection[object]) -> None:
        conditions.append(f"{column} IN ({','.join('?' * len(wanted))})")
        values.extend(wanted)

    if filters.documents:
        one_of("d.id", filters.documents)
    if filters.cases:
        one_of("c.case_number", filters.cases)
    if filters.places:
        one_of("c.place", filters.places)
    if filters.departments:
        one_of("d.department", _naming(known["department"], filters.departments))
    if filters.themes:
        one_of("d.theme", _naming(known["theme"], filters.themes))
    if filters.since:
        conditions.append("d.date <> '' AND d.date >= substr(?, 1, length(d.date))")
        values.append(filters.since)
    if filters.until:
        conditions.append("d.date <> '' AND substr(d.date, 1, ?) <= ?")
        values += [len(filters.until), filters.until]
    return " AND ".join(conditions), values


def _naming(fields: Iterable[str], names: Collection[str]) -> list[str]:
    """The fields that are one of the names or hold it."""
    return [field for field in fields if not {field, *split_names(field)}.isdisjoint(names)]
