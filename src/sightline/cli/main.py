"""The command `sightline`: commands are imported only when they are called, so that help comes at once."""

from __future__ import annotations

import signal
import sys
from importlib import import_module
from types import FrameType
from typing import NoReturn

import click

from sightline import __version__
from sightline.errors import SightlineError

COMMANDS = {
    "train": "Train a classifier on labelled pictures and seal the model.",
    "transfer": "Learn new pictures from weights that were trained on others.",
    "resume": "Go on with a training that ended early.",
    "diagnose": "Say what is wrong with a run, also while it trains, and what cures it.",
    "cure": "Train again with what the diagnosis prescribes, and compare.",
    "compare": "Compare recipes over several seeds, with what statistics say.",
    "tune": "Search for a better recipe, and find out whether it is one.",
    "rate": "Find a learning rate, and see that the network can learn at all.",
    "bench": "Measure how fast this machine trains on your pictures.",
    "report": "Write the page of a run, or of several side by side.",
    "watch": "Show the page of a run in a browser, live while it trains.",
    "verify": "Hold a run against its digests, its pictures and a new training.",
    "preview": "Show what augmentation makes of training pictures.",
    "evaluate": "Judge a sealed model on labelled pictures.",
    "predict": "Say what is in pictures.",
    "init": "Write a recipe with every choice and what it is for.",
    "convert": "Make a PyTorch pickle of weights a safetensors file.",
    "explain": "Explain a topic: equation, symbols, differences, source.",
}

INTERRUPTED, TERMINATED = 130, 143


class LazyGroup(click.Group):
    """A group whose commands live in `sightline.cli.<name>`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names in the order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        command = getattr(import_module(f"sightline.cli.{cmd_name}"), "command")  # noqa: B009
        assert isinstance(command, click.Command)  # noqa: S101
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest the nearest command for one that does not exist."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {near[0]}?" if near else f" Wanted one of: {', '.join(COMMANDS)}."
            raise click.UsageError(f"no such command: {args[0]}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands from the table, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="sightline")
def group() -> None:
    """Train image classifiers from your own pictures, and see why they work.

    Begin with:  sightline train FOLDER   where FOLDER has one folder of pictures per class.
    """


def main() -> NoReturn:
    """Run the command line and exit: 0, or a code that `docs/commands.md` lists."""
    _print_any_name()
    signal.signal(signal.SIGTERM, _terminated)
    try:
        sys.exit(group.main(standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(INTERRUPTED)
    except SightlineError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)


def _terminated(_number: int, _frame: FrameType | None) -> NoReturn:
    """End as after an error, so that bars, locks and half-written files are taken away."""
    raise SystemExit(TERMINATED)


def _print_any_name() -> None:
    """Let names print that the terminal's encoding does not have, as escapes, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    main()
