"""Itemsets of a shop kept from one mining to the next, so that new baskets alone need be mined: what `mine --update` does.

A release cannot serve for it: what stands below its privacy floor is not in it, and an itemset that is missing might have been
in any number of baskets. So all itemsets are kept beside the tables, in SHOP/cache/itemsets/, which holds no more than the
tables do and is nobody's to publish. The file bears the sha256 of its own bytes as its name, and says of which baskets it is.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from basketry.core.errors import BasketryError, Busy, RequestError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from basketry.app.mine import MineRequest
    from basketry.app.shop import Shop
    from basketry.associations.mining.itemsets import MinedItemsets
    from basketry.associations.mining.transactions import Transactions
    from basketry.core.protocols import Run

    Mask = npt.NDArray[np.bool_]

RESERVE: Final = 0.8  # of the support asked for is what is kept: so old baskets seldom need be looked at again
STALE: Final = 0.25  # of the kept baskets: with more added since, all are mined and kept anew
PLAIN: Final = (
    "source",
    "by",
    "kind",
    "top",
    "min_length",
    "max_length",
    "must_contain",
    "must_not_contain",
    "only",
    "levels",
    "taxonomy",
)


@dataclass(frozen=True)
class Kept:
    """Itemsets of all baskets up to and with `last_day` (days since 1970-01-01), and the digest of those baskets."""

    mined: MinedItemsets
    last_day: int
    digest: bytes


def refuse_others(request: MineRequest) -> None:
    """Raises RequestError where more is asked than all itemsets of the shop, which is what can be brought up to date."""
    plain = type(request)()
    other = next((name for name in PLAIN if getattr(request, name) != getattr(plain, name)), None)
    if other is not None:
        raise RequestError(f"{other} does not go with update", "update all itemsets of the shop, or mine again without it")


def mine_updated(
    shop: Shop, transactions: Transactions, support: int | float, max_itemsets: int, run: Run
) -> tuple[MinedItemsets, str]:
    """All itemsets of the shop's baskets at `support`, by the codes of `transactions`, and a sentence on how they were had.

    They are those that mining all baskets gives. Where the baskets up to the last day kept are still the very same (a line that
    came late, was corrected or removed changes their digest), those after it are added by `incremental.update`; elsewhere all
    are mined at RESERVE of the support, and kept. Raises RequestError past `max_itemsets` where all are mined.
    """
    import datetime as dt

    from basketry.associations.mining.incremental import at_least, update
    from basketry.associations.mining.itemsets import Itemsets, min_count
    from basketry.store.lock import locked

    folder = shop.folder / "cache" / "itemsets"
    least = min_count(support, len(transactions))
    kept, reason = _usable(_read(folder), transactions, least)
    if kept is not None:
        known = transactions.baskets.days <= kept.last_day
        old, added = transactions.select(known), transactions.select(~known)
        found = update(kept.mined, added, least, run, old=old)
        day = dt.date(1970, 1, 1) + dt.timedelta(days=kept.last_day)
        return _coded(found, transactions), f"{len(added):,} baskets added to the {len(old):,} that were mined up to {day}"
    reserve = max(1, int(RESERVE * least))
    whole = Itemsets(reserve, max_itemsets=max_itemsets).fit(transactions, run)
    if len(transactions):
        with suppress(Busy), locked(shop.folder, "itemsets"):  # what another process keeps is as good
            _write(folder, Kept(whole, int(transactions.baskets.days.max()), basket_digest(transactions)))
    return at_least(whole, least), f"all baskets were mined, for {reason}"


def basket_digest(transactions: Transactions) -> bytes:
    """sha256 of which items stand in which basket, by names: products that nobody bought change nothing."""
    import hashlib

    import numpy as np

    baskets = transactions.baskets
    names = np.zeros((len(transactions.names), 2), dtype=np.uint64)
    for code in np.unique(baskets.items).tolist():
        hashed = hashlib.blake2b(str(transactions.names[code]).encode(), digest_size=16).digest()
        names[code] = np.frombuffer(hashed, dtype=np.uint64)
    whole = hashlib.sha256(baskets.indptr.tobytes())
    whole.update(names[baskets.items].tobytes())
    return whole.digest()


def _usable(kept: Kept | None, transactions: Transactions, least: int) -> tuple[Kept | None, str]:
    """What was kept if the new baskets can be added to it; else why not."""
    if kept is None:
        return None, "none had been kept"
    known = transactions.baskets.days <= kept.last_day
    if kept.mined.min_count > least:
        return None, f"those kept stand in {kept.mined.min_count} baskets at least"
    if (~known).sum() > STALE * known.sum():
        return None, "more are new than a quarter of those known"
    if basket_digest(transactions.select(known)) != kept.digest:
        return None, "those known before have changed"
    return kept, ""


def _coded(found: MinedItemsets, transactions: Transactions) -> MinedItemsets:
    """The same itemsets by the codes of the transactions."""
    from basketry.associations.mining.names import joined

    _, code = joined(transactions.names, found.names)
    return replace(found, tree=replace(found.tree, item=code[found.tree.item]), names=transactions.names)


def _read(folder: Path) -> Kept | None:
    """What is kept, if it is what was written; a file that is not is passed over."""
    import numpy as np

    from basketry.associations.mining.itemsets import MinedItemsets
    from basketry.store import durable
    from basketry.store.arrays import read_arrays

    for path in sorted(folder.glob("*.safetensors")):
        with suppress(BasketryError, KeyError, OSError):  # of another version, or put away by another process
            if durable.fingerprint(path)[0] == path.stem:
                state: dict[str, Any] = dict(read_arrays(path))
                return Kept(MinedItemsets.from_state(state), int(state["last_day"][0]), np.asarray(state["digest"]).tobytes())
    return None


def _write(folder: Path, kept: Kept) -> None:
    """Keep this and nothing else."""
    import numpy as np

    from basketry.store import durable
    from basketry.store.arrays import write_arrays

    durable.make_folder(folder)
    staged = folder / ".itemsets"
    facts = {"last_day": np.array([kept.last_day]), "digest": np.frombuffer(kept.digest, dtype=np.uint8)}
    write_arrays(staged, {**kept.mined.state(), **facts})
    target = folder / f"{durable.fingerprint(staged)[0]}.safetensors"
    former = [path for path in folder.glob("*.safetensors") if path != target]
    durable.move_file(staged, target)
    with durable.guarded(folder, "clear"):
        for path in former:
            path.unlink(missing_ok=True)
