"""The SQL of cleaning: one source's rows as they were mapped, and what each step asks of them.

```
own      the shop's own columns, numbered
typed    text, numbers and naive times as the mapping says
timed    instants in UTC and the shop's local day
checked  beside each row, what other tables say of it
```
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from basketry.data import clock
from basketry.data.expressions import (
    DISCOUNTS,
    NUMBERS,
    date_sql,
    identifier,
    literal,
    naive_sql,
    number_sql,
    own,
    read_name,
    text_sql,
)
from basketry.data.malformed import MALFORMED, ROW
from basketry.data.shapes import SHAPES, personal, timed
from basketry.data.shopfile import TABLES, Rules, Source, own_names

if TYPE_CHECKING:
    from basketry.data.rules import Rule
    from basketry.data.sources import Kind, Raw

_SENSIBLE: Final = "TIMESTAMP '1900-01-01' AND TIMESTAMP '2199-12-31'"
_NO_MONEY: Final = "CAST(NULL AS DECIMAL(18, 4))"


@dataclass(frozen=True)
class Clock:
    """Shifts of the source's and of the shop's time zone over the span of the data."""

    source: tuple[int, tuple[clock.Shift, ...]]
    shop: tuple[int, tuple[clock.Shift, ...]]


@dataclass(frozen=True)
class Stages:
    """The steps for one source; `beside` names the row sets already written: repeated, already, outlier, offsets."""

    source: Source
    raw: Raw
    rules: Rules
    id: str
    catalogue: bool
    clock: Clock | None = None

    @property
    def columns(self) -> Mapping[str, Kind]:
        """The shop's own columns."""
        return self.raw.columns

    def own(self) -> str:
        """Only the mapped columns: what is not asked for is never read, nor kept in a record."""
        names = sorted({name for _, column in self.source.columns for name in own_names(column)})
        row = ROW if self.raw.numbered else f"row_number() OVER () AS {ROW}"
        malformed = MALFORMED if self.raw.malformed else f"CAST(NULL AS VARCHAR) AS {MALFORMED}"
        return (
            f"SELECT {', '.join([row, malformed, *(f'{identifier(name)} AS {own(name)}' for name in names)])} FROM stored.raw"
        )

    def typed(self) -> str:
        """Every column of the table, mapped or absent."""
        mapping, found = self.source.mapping, ["*"]
        for name in sorted(TABLES[self.source.table]):
            column = mapping.get(name)
            if name == "ts" and column is not None:
                naive = naive_sql(column, self.columns, self.source)[0]
                found.append(f"CASE WHEN {naive} BETWEEN {_SENSIBLE} THEN {naive} END AS ts_naive")
            elif name == "first_day" and column is not None:
                found.append(f"{date_sql(column, self.columns, self.source)} AS first_day")
            elif name in NUMBERS:
                scale = NUMBERS[name]
                value = f"CAST(NULL AS DECIMAL(18, {scale}))"
                if column is not None:
                    value = number_sql(column, self.columns, self.source, scale)
                found.append(f"{value} AS {read_name(name)}")
            else:
                text = "CAST(NULL AS VARCHAR)" if column is None else text_sql(column, self.columns)
                found.append(f"{text} AS {'customer' if name == 'customer_id' else name}")
        return f"SELECT {', '.join(found)} FROM ({self.own()})"

    def timed(self) -> str:
        """Instants and days; discounts that are not given are 0."""
        if not timed(self.source.table):
            return self.typed()
        assert self.clock is not None
        is_utc = naive_sql(self.source.mapping["ts"], self.columns, self.source)[1]
        begun, found = self.clock.source
        utc = clock.utc_sql("ts_naive", begun, found)
        if isinstance(is_utc, bool):
            ts, local = ("ts_naive", "false") if is_utc else (utc, "true")
        else:
            ts, local = f"CASE WHEN {is_utc} THEN ts_naive ELSE {utc} END", f"NOT {is_utc}"
        never, twice = (f"{local} AND ({test('ts_naive', found)})" for test in (clock.never_sql, clock.twice_sql))
        given = [name for name in DISCOUNTS if name in TABLES[self.source.table]]
        discounts = "".join(f", coalesce({read_name(name)}, 0) AS {name}" for name in given)
        inner = f"SELECT *, {ts} AS ts, {never} AS ts_never, {twice} AS ts_twice{discounts} FROM ({self.typed()})"
        return f"SELECT *, CAST({clock.local_sql('ts', *self.clock.shop)} AS DATE) AS day FROM ({inner})"

    def checked(self, beside: Collection[str]) -> str:
        """Rows with what the row sets in `beside` say of them."""
        if self.source.table != "order_lines":
            flags = [f"{self._within(name, beside)} AS {name}" for name in ("repeated", "already")]
            flags.append(f"{'known.product_id IS NOT NULL' if 'known' in beside else 'true'} AS known")
            return f"SELECT line.*, {', '.join(flags)} FROM ({self.timed()}) AS line {self._joins(beside)}"
        by_volume = "coalesce(known.by_volume, false)" if self._volume() else "false"
        below = f"CAST(amount_read AS DOUBLE) < {self.rules.thousandths_below!r} * CAST(units_read AS DOUBLE)"
        flags = [f"{self._within(name, beside)} AS {name}" for name in ("repeated", "already")]
        netted = "offsets" in beside
        offsets = ["units_off", "amount_off", "outcome"] if netted else []
        cancelling = f"starts_with(order_id, {literal(self.rules.cancellation_prefix)})" if netted else "false"
        select = [
            "line.*",
            *offsets,
            *flags,
            f"{'known.product_id IS NOT NULL' if 'known' in beside else 'true'} AS known",
            f"{cancelling} AS cancelling",
            f"{by_volume} AS by_volume",
            f"{by_volume} AND {below} AS in_thousandths",
        ]
        lines = f"SELECT {', '.join(select)} FROM ({self.timed()}) AS line {self._joins(beside)}"
        units = "CAST(units_read / 1000 AS DECIMAL(18, 3))"
        plain = "units_read - coalesce(units_off, 0)" if netted else "units_read"
        amount = "amount_read - coalesce(amount_off, 0)" if netted else "amount_read"
        whole = f"SELECT *, CASE WHEN in_thousandths THEN {units} ELSE {plain} END AS units, {amount} AS amount FROM ({lines})"
        if "outlier" not in beside:
            return f"SELECT *, false AS outlier FROM ({whole})"
        far = "stored.outlier AS far ON far.product_id = w.product_id AND far.units = w.units"
        return f"SELECT w.*, far.units IS NOT NULL AS outlier FROM ({whole}) AS w LEFT JOIN {far}"

    def totals(self) -> str:
        """Rows, money and first and last time of each customer."""
        times = ("min(ts_naive)", "max(ts_naive)") if timed(self.source.table) else ("NULL", "NULL")
        money = "amount_read" if self.source.table == "order_lines" else _NO_MONEY
        customer = "customer" if personal(self.source.table) else "CAST(NULL AS VARCHAR)"
        return (
            f"SELECT {customer} AS customer, count(*) AS n, CAST(coalesce(sum({money}), 0) AS DECIMAL(38, 4)) AS money, "
            f"CAST({times[0]} AS TIMESTAMP) AS first, CAST({times[1]} AS TIMESTAMP) AS last FROM ({self.typed()}) GROUP BY 1"
        )

    def hashes(self, part: int, parts: int) -> str:
        """The hash of each row's key; of `parts` equal parts of all hashes the one numbered `part`."""
        of = f" WHERE hash % {parts} = {part}" if parts > 1 else ""
        return f"SELECT hash FROM (SELECT hash({self._key()}) AS hash FROM ({self.typed()}) WHERE {MALFORMED} IS NULL){of}"

    def repeated(self) -> str:
        """Rows whose key stands in an earlier row, out of those whose hash is among the suspects."""
        key = self._key()
        nth = f"row_number() OVER (PARTITION BY {key} ORDER BY {ROW}) AS nth"
        rows = f"FROM ({self.typed()}) WHERE {MALFORMED} IS NULL AND hash({key}) IN (SELECT hash FROM stored.suspects)"
        return f"SELECT row FROM (SELECT {ROW} AS row, {nth} {rows}) WHERE nth > 1"

    def already(self) -> str:
        """Rows that the committed table holds from another source."""
        same = "e.order_id = n.order_id AND e.product_id = n.product_id AND timezone('UTC', e.ts) = n.ts"
        if (shape := SHAPES.get(self.source.table)) is not None:
            tests = dict.fromkeys(shape.key, "=") | dict.fromkeys(shape.loose, "IS NOT DISTINCT FROM")
            stored = {name: "timezone('UTC', e.ts)" if name == "ts" else f"e.{name}" for name in shape.key}
            same = " AND ".join(f"{stored[name]} {test} n.{name}" for name, test in tests.items())
        return f"SELECT {ROW} AS row FROM ({self.timed()}) AS n WHERE EXISTS (SELECT 1 FROM stored.earlier AS e WHERE {same})"

    def candidates(self, beside: Collection[str]) -> str:
        """Cancelling lines, and the sound lines of the same customers and products."""
        prefix = literal(self.rules.cancellation_prefix)
        lines = (
            f"SELECT customer, product_id, ts, {ROW} AS row, units_read AS units, amount_read AS amount, "
            f"starts_with(order_id, {prefix}) AS cancelling FROM ({self.checked(beside)}) "
            f"WHERE customer IS NOT NULL AND NOT repeated AND NOT already AND ts IS NOT NULL AND amount_read IS NOT NULL"
        )
        cancelling = f"SELECT DISTINCT customer, product_id FROM ({lines}) WHERE cancelling AND units < 0"
        return (
            f"SELECT * FROM ({lines}) AS one WHERE (cancelling AND units < 0 OR NOT cancelling AND units > 0 AND amount > 0) "
            f"AND EXISTS (SELECT 1 FROM ({cancelling}) AS c WHERE c.customer = one.customer AND c.product_id = one.product_id) "
            "ORDER BY customer, product_id, ts, row"
        )

    def outliers(self, beside: Collection[str]) -> str:
        """Products and units far from the product's median, in logarithms, by its median absolute deviation (lower medians)."""
        rows = f"FROM ({self.checked(beside)}) WHERE units > 0 AND product_id IS NOT NULL"
        counts = f"SELECT product_id, units, count(*) AS n {rows} GROUP BY product_id, units"
        mads, floor = self.rules.outlier_mads, self.rules.outlier_floor
        apart = f"max(CAST(units AS DOUBLE)) > {math.exp(mads * floor):e} * min(CAST(units AS DOUBLE))"
        products = f"SELECT product_id FROM counts GROUP BY product_id HAVING {apart}"
        logs = "SELECT product_id, units, n, ln(CAST(units AS DOUBLE)) AS x FROM counts"
        middle = f"SELECT product_id, {_median('x')} AS m FROM ({_running('wide', 'x')}) GROUP BY product_id"
        spread = f"SELECT product_id, {_median('d')} AS mad FROM ({_running('away', 'd')}) GROUP BY product_id"
        far = f"d > {mads!r} * greatest(1.4826 * mad, {floor!r})"
        steps = {
            "counts": counts,
            "wide": f"{logs} WHERE product_id IN ({products})",
            "away": f"SELECT product_id, units, n, abs(x - m) AS d FROM wide JOIN ({middle}) AS middle USING (product_id)",
        }
        once = ", ".join(f"{name} AS MATERIALIZED ({step})" for name, step in steps.items())
        return f"WITH {once} SELECT product_id, units FROM away JOIN ({spread}) AS spread USING (product_id) WHERE {far}"

    def marks(self, rules: Sequence[Rule], beside: Collection[str], now: str) -> str:
        """Rows that break any rule: a bit a rule, and the text the first of them would quote."""
        tests = [rule.condition.replace("{now}", now) for rule in rules]
        mask = " + ".join(f"CASE WHEN {test} THEN {1 << bit} ELSE 0 END" for bit, test in enumerate(tests))
        pairs = zip(tests, rules, strict=True)
        shown = " ".join(f"WHEN {test} THEN CAST({rule.shown} AS VARCHAR)" for test, rule in pairs)
        rows = f"SELECT *, CAST({mask} AS BIGINT) AS mask FROM ({self.checked(beside)})"
        return f"SELECT {ROW} AS row, mask, CASE {shown} END AS shown FROM ({rows}) WHERE mask <> 0"

    def kept(self, rules: Sequence[Rule], beside: Collection[str]) -> str:
        """The rows that broke no rule that sets aside, as their contract wants them."""
        lineage = f"SELECT {self._lineage()} AS source, {ROW} AS row"
        rest = f"FROM ({self.checked(beside)}) AS one"
        aside = f"NOT EXISTS (SELECT 1 FROM ({self._aside(rules)}) AS a WHERE a.row = one.{ROW})"
        customers = "LEFT JOIN stored.pseudonyms AS known ON known.customer = one.customer"
        if (shape := SHAPES.get(self.source.table)) is not None:
            select = f"{lineage}, {', '.join(shape.kept)}" if shape.lineage else f"SELECT {', '.join(shape.kept)}"
            return f"{select} {rest} {customers if personal(self.source.table) else ''} WHERE {aside}"
        return (
            f"{lineage}, order_id, known.customer_id, product_id, make_timestamptz(epoch_us(ts)) AS ts, day, store_id, units, "
            f"CAST(amount AS DECIMAL(18, 4)) AS amount, {', '.join(f'CAST({d} AS DECIMAL(18, 4)) AS {d}' for d in DISCOUNTS)} "
            f"{rest} {customers} WHERE {aside}"
        )

    def quarantined(self, rules: Sequence[Rule]) -> str:
        """The other rows, each with its rules and its record; customers by pseudonym only."""
        bits = [(1 << bit, literal(rule.name)) for bit, rule in enumerate(rules) if rule.sets_aside]
        first = " ".join(f"WHEN a.mask & {bit} <> 0 THEN {name}" for bit, name in bits)
        every = ", ".join(f"CASE WHEN a.mask & {bit} <> 0 THEN {name} END" for bit, name in bits)
        lines, named = self.source.table == "order_lines", personal(self.source.table)
        customer = self.source.mapping.get("customer_id")
        hidden = own_names(customer) if customer is not None else set()
        fields = {name for _, column in self.source.columns for name in own_names(column)} - hidden
        packed = [f"{identifier(name)} := {own(name)}" for name in sorted(fields)]
        packed += ["customer_id := known.customer_id"] if named and "customer_id" not in fields else []
        return (
            f'SELECT {self._lineage()} AS source, one.{ROW} AS row, {literal(self.source.table)} AS "table", '
            f"CASE {first} END AS rule, string_split(concat_ws(',', {every}), ',') AS rules, "
            f"{'amount_read' if lines else _NO_MONEY} AS money, "
            f"coalesce({MALFORMED}, CAST(to_json(struct_pack({', '.join(packed)})) AS VARCHAR)) AS record "
            f"FROM ({self.typed()}) AS one JOIN ({self._aside(rules)}) AS a ON a.row = one.{ROW}"
            + (" LEFT JOIN stored.pseudonyms AS known ON known.customer = one.customer" if named else "")
        )

    def netted(self, rules: Sequence[Rule]) -> str:
        """What cancellations took off lines that are kept."""
        gone = f"EXISTS (SELECT 1 FROM ({self._aside(rules)}) AS a WHERE a.row = o.row)"
        return f"SELECT amount_off AS money FROM stored.offsets AS o WHERE NOT {gone}"

    def _aside(self, rules: Sequence[Rule]) -> str:
        sets_aside = sum(1 << bit for bit, rule in enumerate(rules) if rule.sets_aside)
        return f"SELECT row, mask FROM stored.marks WHERE mask & {sets_aside} <> 0"

    def _key(self) -> str:
        """What makes a row the same as another: its key, or its whole content where the table has no key."""
        whole = sorted({name for _, column in self.source.columns for name in own_names(column)})
        shape = SHAPES.get(self.source.table)
        return ", ".join(["ts_naive" if name == "ts" else name for name in shape.key] if shape else map(own, whole))

    def _lineage(self) -> str:
        """The source's id as an enumeration of one: a dictionary that need not be looked up for every row."""
        return f"CAST({literal(self.id)} AS ENUM ({literal(self.id)}))"

    def _volume(self) -> bool:
        return self.catalogue and self.source.table == "order_lines" and bool(self.rules.thousandths)

    def _within(self, name: str, beside: Collection[str]) -> str:
        return f"{name}_rows.row IS NOT NULL" if name in beside else "false"

    def _joins(self, beside: Collection[str]) -> str:
        sets = [name for name in ("repeated", "already") if name in beside]
        joins = [f"LEFT JOIN stored.{name} AS {name}_rows ON {name}_rows.row = line.{ROW}" for name in sets]
        if "offsets" in beside:
            joins.append(f"LEFT JOIN stored.offsets AS offsets ON offsets.row = line.{ROW}")
        volume = (
            f"coalesce(subcategory IN ({', '.join(map(literal, self.rules.thousandths))}), false)"
            if self._volume()
            else "false"
        )
        catalogue = f"SELECT product_id, {volume} AS by_volume FROM stored.products"
        if "known" in beside:
            joins.append(f"LEFT JOIN ({catalogue}) AS known ON known.product_id = line.product_id")
        elif self._volume():
            joins.append(f"LEFT JOIN ({catalogue} WHERE {volume}) AS known ON known.product_id = line.product_id")
        return " ".join(joins)


def _running(rows: str, value: str) -> str:
    """Rows of (product_id, n, value) with the count up to each value, and over all values, of its product."""
    upto = f"sum(n) OVER (PARTITION BY product_id ORDER BY {value} RANGE UNBOUNDED PRECEDING) AS upto"
    return f"SELECT *, {upto}, sum(n) OVER (PARTITION BY product_id) AS whole FROM {rows}"


def _median(value: str) -> str:
    """The lower median of `_running` rows: the least value up to which lie at least half."""
    return f"min(CASE WHEN 2 * upto >= whole THEN {value} END)"
