"""`basketry`: one command per operation, its options taken from the operation's request."""

from __future__ import annotations

import dataclasses
import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from basketry.app.operations import OPERATIONS, Operation
from basketry.core.errors import BasketryError
from basketry.core.processes import first_process
from basketry.core.telemetry import attached

HELP = """What goes with what in your shop: one association graph, measured, tested and explained.

A shop is a folder. Set one up, read your tables, build and publish the graph, then ask it:

  basketry init --shop myshop        write a shop.toml that you complete

  basketry ingest --shop myshop      read the sources it names

  basketry build --shop myshop       find, test and publish the associations

  basketry associations milk --shop myshop

No data at hand? `basketry demo` does all of it on a year of real grocery baskets.
"""

Output = Annotated[str, typer.Option("--format", "-f", help="How to print the answer: table, json or csv.")]
Folder = Annotated[Path, typer.Option("--shop", "-s", envvar="BASKETRY_SHOP", help="The shop's folder.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")]

app = typer.Typer(help=HELP, no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def _parameters(request: type[Any]) -> list[inspect.Parameter]:
    """One command line parameter per field of a request."""
    hints = get_type_hints(request)
    found = []
    for field in dataclasses.fields(request):
        if field.metadata.get("python_only"):
            continue
        help_text = field.metadata["help"]
        flag = f"--{field.name.replace('_', '-')}"
        default = ... if field.default is dataclasses.MISSING else field.default
        argument = bool(field.metadata.get("argument"))
        kind = typer.Argument(default, help=help_text) if argument else typer.Option(default, flag, help=help_text)
        found.append(inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=kind, annotation=hints[field.name]))
    return found


def _command(operation: Operation) -> Callable[..., None]:
    """The function typer calls for one operation."""

    def run(shop: Path, output: str, quiet: bool, /, **fields: Any) -> None:
        from basketry.app.shop import Shop
        from basketry.cli.progress import ProgressBars
        from basketry.cli.render import render

        needs_shop = operation.name not in ("init", "demo", "doctor") and not fields.get("source")
        opened = Shop.open(shop) if needs_shop else Shop(shop)
        speaks = first_process()
        if quiet or not (speaks and sys.stderr.isatty()):
            result = operation.call(opened, operation.request(**fields))
        else:
            with ProgressBars() as bars, attached(bars):
                result = operation.call(opened, operation.request(**fields))
        if speaks:
            render(result, output)

    def command(**arguments: Any) -> None:
        run(arguments.pop("shop"), arguments.pop("output"), arguments.pop("quiet"), **arguments)

    keyword = inspect.Parameter.KEYWORD_ONLY
    shared = [
        inspect.Parameter("shop", keyword, default=Path(), annotation=Folder),
        inspect.Parameter("output", keyword, default="table", annotation=Output),
        inspect.Parameter("quiet", keyword, default=False, annotation=Quiet),
    ]
    parameters = [*_parameters(operation.request), *shared]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    command.__doc__ = inspect.getdoc(operation.call)
    return command


for _operation in OPERATIONS:
    app.command(name=_operation.name)(_command(_operation))


def main() -> None:
    """Run the command line; an error of ours becomes a message, a hint and its exit status."""
    try:
        app(standalone_mode=True)
    except BasketryError as error:
        from basketry.cli.render import printable

        sys.stderr.write(printable(f"error {error}\n  more: docs/errors/{error.code}.md\n"))
        sys.exit(error.exit_status)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
