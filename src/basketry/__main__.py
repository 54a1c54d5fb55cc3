"""The program `basketry`, also `python -m basketry` and so `torchrun -m basketry`: the command line, and the server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from basketry.cli import main as cli


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
    from basketry.http.serving import serve as start

    start(shop, host, port, journal, host_name or [])


def main() -> None:
    """Run the command line."""
    cli.main()


if __name__ == "__main__":
    main()
