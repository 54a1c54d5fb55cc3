"""Set up a shop: a folder with a `shop.toml` that teaches how to complete it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from basketry.app.shop import Shop


@dataclass(frozen=True)
class InitRequest:
    """What kind of shop to set up."""

    adapter: str = field(
        default="",
        metadata={
            "local": True,
            "help": "A ready mapping: complete_journey or uci_online_retail; default: a template to complete.",
        },
    )


@dataclass(frozen=True)
class InitResult:
    """The file that was written."""

    wrote: str
    notes: tuple[str, ...]


def init(shop: Shop, request: InitRequest) -> InitResult:
    """Make a shop: a folder with a commented shop.toml. Never overwrites one."""
    from basketry.core.errors import RequestError
    from basketry.data.templates import template
    from basketry.store import durable

    path = shop.folder / "shop.toml"
    if path.exists():
        raise RequestError(f"{path} is already there", "edit it, or choose another folder with --shop")
    text = template(request.adapter)
    durable.make_folder(shop.folder)
    durable.write_file(path, text.encode())
    step = "complete shop.toml, then run" if not request.adapter else "next:"
    return InitResult(str(path), (f"{step} basketry ingest --shop {shop.folder}",))
