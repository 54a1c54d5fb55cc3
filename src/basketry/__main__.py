"""The program `basketry`, also `python -m basketry` and so `torchrun -m basketry`: the command line, and the server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from basketry.cli import main as cli
from basketry.core.errors import ConfigError


@cli.app.command()
def serve(
    shop: Annotated[
        list[Path], typer.Option("--shop", "-s", envvar="BASKETRY_SHOP", help="A shop's folder; several may be named.")
    ],
    host: Annotated[str, typer.Option(help="Address to bind to; any but loopback needs a key for every shop.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to bind to.")] = 8000,
    journal: Annotated[str, typer.Option(help="postgresql:// address of a journal that several servers share.")] = "",
    host_name: Annotated[list[str] | None, typer.Option(help="A name this server answers for, besides loopback.")] = None,
) -> None:
    """Answer over HTTP: every operation that can be served, jobs, keys and the audit log; the contract is /openapi.json."""
    with _installed():
        from basketry.http.serving import serve as start

    start(shop, host, port, journal, host_name or [])


@cli.app.command("issue-key")
def issue_key(
    shop: Annotated[Path, typer.Option("--shop", "-s", envvar="BASKETRY_SHOP", help="The shop's folder.")],
    role: Annotated[str, typer.Option(help="What it may do: viewer, analyst, operator or admin.")] = "viewer",
    note: Annotated[str, typer.Option(help="What it is for.")] = "",
    days: Annotated[int, typer.Option(help="Days until it expires; 0 for never.")] = 90,
    journal: Annotated[str, typer.Option(help="postgresql:// address of the journal, if it is not in the folder.")] = "",
) -> None:
    """Issue a key that opens one shop over HTTP, and print it: it is shown this once."""
    with _installed():
        from basketry.app.house import House
        from basketry.store.journal.audit import Act

    house = House.open([shop], journal)
    name = next(iter(house.shops))
    key, text = house.keys(name).issue(role, name, note, days or None)
    house.audit(name).add(Act("command line", "admin", "issue key", key.id, {"role": role, "note": note, "days": days}))
    house.close()
    typer.echo(text)


@contextmanager
def _installed() -> Iterator[None]:
    """Say which extra is missing, rather than which module."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigError(f"serving needs package {error.name}", "pip install 'basketry[serve]'") from error


def main() -> None:
    """Run the command line."""
    cli.main()


if __name__ == "__main__":
    main()
