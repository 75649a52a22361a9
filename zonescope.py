"""The command line: starts the parts."""

import typer

app = typer.Typer(no_args_is_help=True)
