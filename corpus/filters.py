"""Restrictions of a search in, conditions of an SQL statement and their values out."""

from collections.abc import Sequence


def chunk_conditions(
    documents: Sequence[int],
    cases: Sequence[int],
    places: Sequence[str],
    since: str,
    until: str,
) -> tuple[list[str], list[object]]:
    """Conditions on chunks `c` and their documents `d`; current documents only.

    Dates are ISO and may be shortened on both sides: a document of "2024" may lie after "2024-03",
    and until "2024" takes in all of that year. A document without a date fits no dates.
    """
    conditions, values = ["d.state = 'current'"], list[object]()
    for column, wanted in (("d.id", documents), ("c.case_number", cases), ("c.place", places)):
        if wanted:
            conditions.append(f"{column} IN ({','.join('?' * len(wanted))})")
            values += wanted
    if since:
        conditions.append("d.date <> '' AND d.date >= substr(?, 1, length(d.date))")
        values.append(since)
    if until:
        conditions.append("d.date <> '' AND substr(d.date, 1, ?) <= ?")
        values += [len(until), until]
    return conditions, values
