"""Itemsets and rules as files for other programs: CSV, JSON, Parquet, FIMI-like text, and PMML.

JSON is one object: `format`, `version`, `baskets`, `min_baskets`, and the rows under `itemsets` or `rules`; what is
infinite or undefined is null. CSV joins the names of a list by `; ` and quotes what a spreadsheet would run. Every file is
written aside and then put in its place.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from basketry.associations.mining.itemsets import MinedItemsets
from basketry.associations.mining.rules import MinedRules
from basketry.core.errors import RequestError
from basketry.core.spreadsheet import harmless
from basketry.kernels.trees import Int32s
from basketry.store import durable

VERSION: Final = 1
PMML: Final = "http://www.dmg.org/PMML-4_4"
_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_itemsets(mined: MinedItemsets, path: str | Path, *, table: pl.DataFrame | None = None) -> int:
    """Write itemsets by the ending of `path`: .csv, .json, .parquet, or .dat (numbers, then the count in brackets).

    `table`: rows of `mined.frame()`, chosen and ordered as they shall be written; all of them otherwise. Returns how many were
    written. Raises RequestError for another ending, and for .dat where items are not whole numbers; StorageError by the disk.
    """
    rows = mined.frame() if table is None else table
    path = Path(path)
    about = {"format": "basketry-itemsets", "version": VERSION, "baskets": mined.n_baskets, "min_baskets": mined.min_count}
    match path.suffix.lower():
        case ".dat":
            durable.write_file(path, _numbers(rows))
        case ending:
            _write(rows, path, ending, about | {"itemsets": None}, ".csv, .json, .parquet or .dat")
    return len(rows)


def write_rules(rules: MinedRules, path: str | Path, *, measures: tuple[str, ...] = ()) -> int:
    """Write rules, in their order, by the ending of `path`: .csv, .json, .parquet, or .pmml (see `pmml`).

    `measures` are columns besides support, confidence and lift; PMML has its own. Returns how many were written. Raises
    RequestError for another ending or an unknown measure; StorageError by the disk.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending == ".pmml":
        durable.write_file(path, pmml(rules))
        return len(rules)
    about = {
        "format": "basketry-rules",
        "version": VERSION,
        "baskets": rules.n_baskets,
        "min_baskets": rules.itemsets.min_count,
    }
    _write(rules.frame(measures), path, ending, about | {"rules": None}, ".csv, .json, .parquet or .pmml")
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


def _write(rows: pl.DataFrame, path: Path, ending: str, about: dict[str, Any], endings: str) -> None:
    match ending:
        case ".csv":
            with durable.writing(path) as aside:
                harmless(rows).write_csv(aside)
        case ".parquet":
            with durable.writing(path) as aside:
                rows.write_parquet(aside)
        case ".json":
            finite = pl.when(pl.selectors.float().is_finite()).then(pl.selectors.float()).otherwise(None).name.keep()
            rows = rows.with_columns(finite)
            whole = {name: rows.to_dicts() if value is None else value for name, value in about.items()}
            text = json.dumps(whole, ensure_ascii=False, indent=1, allow_nan=False)
            durable.write_file(path, text.encode(errors="strict") + b"\n")
        case _:
            raise RequestError(f"cannot write {path.name}", f"give a path that ends in {endings}")


def _numbers(rows: pl.DataFrame) -> bytes:
    """One line an itemset: its numbers, then the count of its baskets in brackets."""
    inner = rows.schema["itemset"].inner  # type: ignore[attr-defined] # a list column
    if not inner.is_integer() and len(rows):
        told = rows["itemset"][0].to_list()
        raise RequestError(f"a .dat file holds whole numbers only, but items are called such as {told}", "write .csv instead")
    sets = pl.col("itemset").cast(pl.List(pl.String)).list.join(" ")
    lines = rows.select(pl.concat_str(sets, pl.lit(" ("), pl.col("baskets").cast(pl.String), pl.lit(")"))).to_series()
    return "".join(f"{line}\n" for line in lines.to_list()).encode()
