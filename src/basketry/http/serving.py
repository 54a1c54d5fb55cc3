"""Starts the server: shops, their journal, the worker of their jobs, and the API on one port."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from basketry.app.house import House
from basketry.app.working import Worker
from basketry.core.errors import BasketryError, ConfigError
from basketry.http.server import LOOPBACK, make_app

if TYPE_CHECKING:
    from fastapi import FastAPI

_GLANCE: Final = 1.0  # seconds between two looks for a job


def serve(folders: Sequence[Path], host: str, port: int, journal: str = "", names: Sequence[str] = ()) -> None:
    """Serve until told to stop. A shop without a key is served on loopback alone, where whoever asks is its owner.

    `names`: host names it answers for besides loopback. Raises ConfigError for another address while a shop has no key.
    """
    import uvicorn

    house = House.open(folders, journal)
    app = guarded(house, host, names)
    stop = threading.Event()
    workers = [threading.Thread(target=_work, args=(house, name, stop), daemon=True) for name in house.shops]
    for worker in workers:
        worker.start()
    try:
        uvicorn.run(app, host=host, port=port, log_level="warning", server_header=False, date_header=False)
    finally:
        stop.set()


def guarded(house: House, host: str, names: Sequence[str] = ()) -> FastAPI:
    """The application as it may be bound to an address."""
    loopback = _is_loopback(host)
    bare = [] if loopback else [name for name in house.shops if not house.has_keys(name)]
    if bare:
        house.close()
        raise ConfigError(
            f"nobody has a key for {', '.join(bare)}, and {host} can be reached by others",
            "issue one first: basketry issue-key --shop FOLDER --role admin",
        )
    return make_app(house, closed=not loopback, hosts=(*LOOPBACK, *names))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _work(house: House, name: str, stop: threading.Event) -> None:
    """Run the jobs of one shop, one after another."""
    worker = Worker(house.shop(name), house.jobs(name))
    while not stop.wait(_GLANCE):
        try:
            while not stop.is_set() and worker.step() is not None:
                pass
        except BasketryError:  # the journal does not answer: the job is taken over when it does
            continue
