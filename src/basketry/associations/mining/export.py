"""Itemsets, rules and other tables as files for other programs: CSV, JSON, Parquet, FIMI-like text, and PMML.

JSON is one object: `format`, `version`, facts such as `baskets`, and the rows under what they are, as `itemsets` or `rules`;
what is infinite or undefined is null, and decimals are numbers. CSV joins the names of a list by `; ` and quotes what a
spreadsheet would run. Every file is written aside and then put in its place.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from basketry.associations.mining.itemsets import MinedItemsets
from basketry.associations.mining.rules import MinedRules
from basketry.core.errors import RequestError
from basketry.core.spreadsheet import harmless
from basketry.kernels.trees import Int32s
from basketry.store import durable

VERSION: Final = 1
TABLES: Final = (".csv", ".json", ".parquet")
ITEMSETS: Final = (*TABLES, ".dat")
RULES: Final = (*TABLES, ".pmml")
PMML: Final = "http://www.dmg.org/PMML-4_4"
_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def checked_path(out: str | Path, endings: tuple[str, ...] = TABLES) -> Path:
    """The path, to be refused before any work is done for it. Raises RequestError where it has none of the endings."""
    path = Path(out).expanduser()
    if path.suffix.lower() not in endings:
        raise RequestError(f"cannot write to {path.name}", f"let its name end in {', '.join(endings)}")
    return path


def write_table(rows: pl.DataFrame, out: str | Path, what: str, facts: Mapping[str, int] | None = None) -> str:
    """Write a table of `what`, as "itemsets", by the ending of its path: .csv, .json or .parquet. Returns the path.

    Raises RequestError for another ending, StorageError by the disk.
    """
    path = checked_path(out)
    match path.suffix.lower():
        case ".csv":
            with durable.writing(path) as aside:
                harmless(rows).write_csv(aside)
        case ".parquet":
            with durable.writing(path) as aside:
                rows.write_parquet(aside)
        case _:
            whole = {"format": f"basketry-{what}", "version": VERSION, **(facts or {}), what: _plain(rows).to_dicts()}
            text = json.dumps(whole, ensure_ascii=False, indent=1, allow_nan=False)
            durable.write_file(path, text.encode(errors="strict") + b"\n")
    return str(path)


def write_itemsets(mined: MinedItemsets, out: str | Path, *, table: pl.DataFrame | None = None) -> int:
    """Write itemsets by the ending of `out`: .csv, .json, .parquet, or .dat (numbers, then the count in brackets).

    `table`: rows of `mined.frame()`, chosen and ordered as they shall be written; all of them otherwise. Returns how many were
    written. Raises RequestError for another ending, and for .dat where items are not whole numbers; StorageError by the disk.
    """
    rows = mined.frame() if table is None else table
    path = checked_path(out, ITEMSETS)
    if path.suffix.lower() == ".dat":
        durable.write_file(path, _numbers(rows))
    else:
        write_table(rows, path, "itemsets", _counted(mined))
    return len(rows)


def write_rules(
    rules: MinedRules, out: str | Path, *, measures: tuple[str, ...] = (), table: pl.DataFrame | None = None
) -> int:
    """Write rules, in their order, by the ending of `out`: .csv, .json, .parquet, or .pmml (see `pmml`).

    `measures` are columns besides support, confidence and lift; or give the `table`, a row a rule. PMML has columns of its own.
    Returns how many were written. Raises RequestError for another ending or an unknown measure; StorageError by the disk.
    """
    path = checked_path(out, RULES)
    if path.suffix.lower() == ".pmml":
        durable.write_file(path, pmml(rules))
    else:
        write_table(rules.frame(measures) if table is None else table, path, "rules", _counted(rules.itemsets))
    return len(rules)


def pmml(rules: MinedRules) -> bytes:
    """The rules as a PMML 4.4 document with one AssociationModel (Data Mining Group, 2019): items, itemsets, rules.

    `minimumSupport` is the share the itemsets were mined with, `minimumConfidence` the least there is. About 200 bytes a rule.
    Raises RequestError where a name holds a sign that XML has no way to write.
    """
    names = [str(name) for name in rules.itemsets.names.to_list()]
    root = ET.Element("PMML", {"xmlns": PMML, "version": "4.4"})
    header = ET.SubElement(root, "Header", {"description": "Association rules"})
    ET.SubElement(header, "Application", {"name": "Basketry"})
    fields = ET.SubElement(root, "DataDictionary", {"numberOfFields": "2"})
    for name in ("basket", "item"):
        ET.SubElement(fields, "DataField", {"name": name, "optype": "categorical", "dataType": "string"})
    nodes, sides = np.unique(np.concatenate([rules.antecedent, rules.consequent]), return_inverse=True)
    indptr, items = rules.itemsets.tree.flatten(nodes.astype(np.int32))
    used = np.unique(items)
    model = ET.SubElement(root, "AssociationModel", _facts(rules, len(used), len(nodes)))
    schema = ET.SubElement(model, "MiningSchema")
    ET.SubElement(schema, "MiningField", {"name": "basket", "usageType": "group"})
    ET.SubElement(schema, "MiningField", {"name": "item", "usageType": "active"})
    for code in used.tolist():
        ET.SubElement(model, "Item", {"id": str(code), "value": _writable(names[code])})
    _itemsets(model, rules, nodes.astype(np.int32), indptr.tolist(), items.tolist())
    measured = rules.measures(("support", "confidence", "lift", "leverage"))
    columns = [values.tolist() for values in measured.values()]
    for x, y, *figures in zip(sides[: len(rules)].tolist(), sides[len(rules) :].tolist(), *columns, strict=True):
        told = {name: repr(value) for name, value in zip(measured, figures, strict=True)}
        ET.SubElement(model, "AssociationRule", {"antecedent": str(x), "consequent": str(y)} | told)
    ET.indent(root, " ")
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _itemsets(model: ET.Element, rules: MinedRules, nodes: Int32s, indptr: list[int], items: list[int]) -> None:
    supports = rules.itemsets.tree.support[nodes] / rules.n_baskets if len(nodes) else np.empty(0)
    for place, support in enumerate(supports.tolist()):
        held = items[indptr[place] : indptr[place + 1]]
        told = {"id": str(place), "support": repr(support), "numberOfItems": str(len(held))}
        itemset = ET.SubElement(model, "Itemset", told)
        for code in held:
            ET.SubElement(itemset, "ItemRef", {"itemRef": str(code)})


def _facts(rules: MinedRules, items: int, itemsets: int) -> dict[str, str]:
    confidence = rules.measure("confidence")
    return {
        "functionName": "associationRules",
        "modelName": "rules",
        "numberOfTransactions": str(rules.n_baskets),
        "numberOfItems": str(items),
        "minimumSupport": repr(rules.itemsets.min_count / rules.n_baskets if rules.n_baskets else 0.0),
        "minimumConfidence": repr(float(confidence.min()) if len(confidence) else 0.0),
        "numberOfItemsets": str(itemsets),
        "numberOfRules": str(len(rules)),
    }


def _writable(name: str) -> str:
    if _NO_XML.search(name):
        raise RequestError(f"XML has no way to write the item {name!r}", "rename it, or write JSON instead")
    return name


def _counted(mined: MinedItemsets) -> dict[str, int]:
    return {"baskets": mined.n_baskets, "min_baskets": mined.min_count}


def _plain(rows: pl.DataFrame) -> pl.DataFrame:
    """What JSON has words for."""
    number = pl.selectors.float() | pl.selectors.decimal()
    figures = number.cast(pl.Float64)
    return rows.with_columns(pl.when(figures.is_finite()).then(figures).otherwise(None).name.keep())


def _numbers(rows: pl.DataFrame) -> bytes:
    """One line an itemset: its numbers, then the count of its baskets in brackets."""
    inner = rows.schema["itemset"].inner  # type: ignore[attr-defined] # a list column
    if not inner.is_integer() and len(rows):
        told = rows["itemset"][0].to_list()
        raise RequestError(f"a .dat file holds whole numbers only, but items are called such as {told}", "write .csv instead")
    sets = pl.col("itemset").cast(pl.List(pl.String)).list.join(" ")
    lines = rows.select(pl.concat_str(sets, pl.lit(" ("), pl.col("baskets").cast(pl.String), pl.lit(")"))).to_series()
    return "".join(f"{line}\n" for line in lines.to_list()).encode()
