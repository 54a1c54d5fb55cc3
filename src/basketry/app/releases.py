"""Releases: list them, prove them, go back to an earlier one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from basketry.app.shop import Shop


@dataclass(frozen=True)
class ReleasesRequest:
    """Which releases to list."""

    prune: int = field(
        default=0,
        metadata={"role": "operator", "help": "Remove all but this many newest releases and the current one; 0 removes none."},
    )


@dataclass(frozen=True)
class ReleasesResult:
    """Releases in the order they were published; the one that serves is marked."""

    releases: pl.DataFrame
    notes: tuple[str, ...]


def releases(shop: Shop, request: ReleasesRequest) -> ReleasesResult:
    """List the published releases, oldest first, and say which one serves."""
    import polars as pl

    notes = tuple(f"removed {each}" for each in (shop.releases.prune(request.prune) if request.prune else ()))
    ids = shop.releases.published()
    serving = shop.releases.current(files=()) if ids else None
    rows = []
    for each in ids:
        manifest = shop.releases.open(each).manifest
        rows.append(
            {
                "release": each,
                "serves": serving is not None and serving.id == each,
                "created": manifest.created,
                "as_of": manifest.as_of,
                "edges": manifest.facts.get("edges"),
                "bytes": sum(entry.bytes for entry in manifest.files.values()),
            }
        )
    if serving is not None and serving.fell_back_from:
        notes += (f"release {serving.fell_back_from} is damaged: {serving.id} serves in its place",)
    return ReleasesResult(pl.DataFrame(rows), notes or (() if ids else ("nothing is published yet: run basketry build",)))


@dataclass(frozen=True)
class VerifyRequest:
    """What to prove."""

    release: str = field(default="", metadata={"help": "Id of the release to prove; default: all, and the committed tables."})


@dataclass(frozen=True)
class VerifyResult:
    """Every file read and compared with its checksum; `damaged` names those that differ or are gone."""

    checked: int
    damaged: pl.DataFrame
    notes: tuple[str, ...]


def verify(shop: Shop, request: VerifyRequest) -> VerifyResult:
    """Read every byte of releases and tables and compare it with its checksum; fails if any differs."""
    import polars as pl

    from basketry.core.errors import ReleaseDamaged

    ids = (request.release,) if request.release else shop.releases.published()
    rows = [{"place": each, "file": name} for each in ids for name in shop.releases.verify(each)]
    if not request.release:
        rows += [{"place": "tables", "file": path.name} for path in shop.tables.verify()]
    if rows:
        names = ", ".join(f"{row['place']}/{row['file']}" for row in rows[:5])
        hint = "roll back to a good release (basketry rollback), restore the files from a backup, or ingest and build again"
        raise ReleaseDamaged(f"{len(rows)} damaged or missing: {names}", hint)
    what = ("1 release" if len(ids) == 1 else f"{len(ids)} releases") + ("" if request.release else " and the committed tables")
    return VerifyResult(len(ids), pl.DataFrame(rows), (f"{what}: every checksum agrees",))


@dataclass(frozen=True)
class RollbackRequest:
    """Where to go back to."""

    release: str = field(
        default="", metadata={"help": "Id of the release to serve; default: the one before the current.", "argument": True}
    )


@dataclass(frozen=True)
class RollbackResult:
    """The release that serves now."""

    serves: str


def rollback(shop: Shop, request: RollbackRequest) -> RollbackResult:
    """Let an earlier release serve again, at once; it is proved first."""
    return RollbackResult(shop.releases.rollback(request.release or None).id)
