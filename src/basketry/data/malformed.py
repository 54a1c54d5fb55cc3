"""Text files with lines that cannot be parsed: rewritten so that each bad line becomes a row that says so.

Only taken when the engine's strict reader has objected, since it runs in Python, a record at a time.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from basketry.core.errors import SourceFormat
from basketry.core.protocols import Csv
from basketry.data.text import MAX_LINE

ROW: Final = "__row"
MALFORMED: Final = "__malformed"


def rewrite_csv(relation: Csv, copy: Path, name: str) -> Csv:
    """Copy a CSV file with the columns `__row` and `__malformed` added.

    A record with another number of fields than the header is one row whose `__malformed` says so and whose fields are empty:
    its content is not kept, since nobody knows which field holds a customer. Raises SourceFormat where a quote is opened and
    never closed, because all lines after it would be lost in it.
    """
    csv.field_size_limit(MAX_LINE)
    with relation.path.open(encoding="utf-8-sig", newline="") as source, copy.open("w", encoding="utf-8", newline="") as target:
        reader = csv.reader(source, delimiter=relation.delimiter, quotechar=relation.quote, strict=False)
        next(reader)
        writer = csv.writer(target, delimiter=relation.delimiter, quotechar=relation.quote, lineterminator="\n")
        writer.writerow((ROW, MALFORMED, *relation.columns))
        row, width, line = 0, len(relation.columns), reader.line_num
        for record in _records(reader, name):
            started, line = line + 1, reader.line_num
            if not record:
                continue
            row += 1
            if len(record) == width:
                writer.writerow((row, "", *record))
            elif line > started:
                hint = f"close the quote ({relation.quote}), or set quote in shop.toml"
                raise SourceFormat(f"{name}, line {started}: a quote is opened and not closed", hint)
            else:
                says = json.dumps({"line": started, "fields": len(record), "expected": width})
                writer.writerow((row, says, *[""] * width))
    return Csv(copy, (ROW, MALFORMED, *relation.columns), relation.delimiter, relation.quote)


def rewrite_jsonl(path: Path, columns: tuple[str, ...], copy: Path) -> Csv:
    """Copy a JSON lines file into CSV, as `rewrite_csv` does; a line that is not one JSON object is malformed."""
    with path.open(encoding="utf-8-sig", newline="\n") as source, copy.open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow((ROW, MALFORMED, *columns))
        row = 0
        for line, text in enumerate(source, start=1):
            if not text.strip():
                continue
            row += 1
            try:
                value = json.loads(text)
            except (json.JSONDecodeError, RecursionError):
                value = None
            if isinstance(value, dict):
                writer.writerow((row, "", *(_text(value.get(column)) for column in columns)))
            else:
                says = json.dumps({"line": line, "fields": 0, "expected": len(columns)})
                writer.writerow((row, says, *[""] * len(columns)))
    return Csv(copy, (ROW, MALFORMED, *columns))


def _records(reader: Iterator[list[str]], name: str) -> Iterator[list[str]]:
    try:
        yield from reader
    except csv.Error as error:
        line = getattr(reader, "line_num", 0)
        raise SourceFormat(f"{name}, near line {line}: {error}", "a closing quote may be missing above that line") from error


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
