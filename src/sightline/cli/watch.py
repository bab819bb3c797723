"""`sightline watch`: a run's page in a browser, live while it trains."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sightline.serving import Address

NICE = 10
"""How far the page's making stands back behind the training."""


@click.command("watch")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0: any that is free.")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Where to listen. Whatever is no loopback address lets everybody in who reaches it.",
)
@click.option("--open/--no-open", "opens", default=False, show_default=True, help="Open the page in a browser.")
def command(run: Path, port: int, host: str, opens: bool) -> None:
    """Serve the page of RUN (a run's directory) to a browser, live while it trains.

    It shows what `sightline report` writes, anew at most every two seconds, whichever process trains: curves grow, and
    what is opened, ticked and focused stays. It only reads the run's files. From another machine, a tunnel reaches it:
    ssh -L 8000:127.0.0.1:PORT. It ends by itself after the run has: when the last page is closed, or after a minute.
    Where the training process is gone without an end, it waits for one that resumes. Ctrl-C ends it with code 130.
    """
    from sightline.serving import is_loopback, watch

    if not is_loopback(host):
        says = f"Warning: whoever reaches {host} can read this run, pictures included. There is no password."
        click.echo(says, err=True)
    with contextlib.suppress(AttributeError, OSError):  # not on every system
        os.nice(NICE)

    def ready(address: Address) -> None:
        click.echo(f"Watching {run}: {address.url}   (Ctrl-C ends it)")
        if opens:
            import webbrowser

            webbrowser.open(address.url)

    says = watch(run, host=host, port=port, ready=ready)
    click.echo(f"{run}: {says}")
