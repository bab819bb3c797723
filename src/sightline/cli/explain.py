"""`sightline explain`: what a choice means, as the papers, torch and the slides have it."""

from __future__ import annotations

import click


@click.command("explain")
@click.argument("topic", required=False)
def command(topic: str | None) -> None:
    """Explain TOPIC, such as adam, he, dropout or one_cycle; without one, list the topics."""
    from sightline.explain import as_text, explain, listed

    click.echo(listed() if topic is None else as_text(explain(topic)))
