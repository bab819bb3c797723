"""What transfer learning shows: its stages with the rate of each layer, and what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from sightline.training import StageStart
    from sightline.training.forgetting import Conclusion

TITLES = {"head": "a new head on frozen features", "all": "all layers"}


def stage(console: Console, event: StageStart) -> None:
    """Show a stage that begins: what is trained, at which rate, and what happens to batch normalization."""
    console.print(
        f"Stage {event.number} of {event.of}: {TITLES[event.name]}, {event.epochs} epochs; {event.trained:,} numbers "
        f"are trained, {event.frozen:,} frozen."
    )
    if event.batch_norm:
        console.print(f"  Batch normalization {event.batch_norm}.")
    for sentence in event.says:
        console.print(f"  {sentence}")
    table = Table(box=None, pad_edge=False)
    table.add_column("  layer")
    table.add_column("rate at its peak", justify="right")
    for layer, rate in event.rates.items():
        table.add_row(f"  {layer}", f"{rate:.2e}")
    console.print(table)


def conclusion(result: Console, console: Console, found: Conclusion) -> None:
    """Show what the transfer cost: drift of each layer, and what was forgotten."""
    if found.forgotten is not None and found.source_before is not None and found.source_after is not None:
        result.print(
            f"Source: the old last layer was right on {found.source_before:.2%} of {found.source_images:,} of its own "
            f"pictures before and {found.source_after:.2%} after; forgotten {100 * found.forgotten:+.2f} points."
        )
    if found.share < 1:
        result.print(f"Sealed: {found.share:g} of the way from start to end; {found.why_share}.")
    if not any(layer.relative_distance for layer in found.layers):
        console.print("No layer moved: the weights that are sealed are those of the head's training.")
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("layer")
    table.add_column("moved", justify="right")
    table.add_column("CKA", justify="right")
    for layer in found.layers:
        table.add_row(layer.name, f"{layer.relative_distance:.2%}", f"{layer.cka:.3f}")
    console.print(table)
