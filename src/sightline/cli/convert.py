"""`sightline convert`: a PyTorch pickle becomes a file that holds numbers alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sightline.errors import OutputError, RecipeError

if TYPE_CHECKING:
    from sightline.recipe.network import Network

RISK = (
    "A pickle is a program; it is read in a closed process of its own by torch's restricted loader, which runs only a "
    "few harmless instructions. Such loaders have had faults (CVE-2025-32434): convert only files whose origin you "
    "trust."
)


@click.command("convert")
@click.argument("file", metavar="FILE.pth")
@click.argument("out", metavar="OUT.safetensors")
@click.option("--overwrite", is_flag=True, help="Take the place of an existing file.")
def command(file: str, out: str, overwrite: bool) -> None:
    """Write the tensors of FILE.pth, which torch.save wrote, to OUT.safetensors, which runs nothing when it is read.

    A pickle is a program. It is read in a closed process of its own, by torch's restricted loader, which runs only a
    few harmless instructions; one that wants more is refused. Such loaders have had faults (CVE-2025-32434): convert
    only files whose origin you trust.
    """
    from pathlib import Path

    if not out.endswith(".safetensors"):
        raise RecipeError(f"{out}: wanted a name that ends in .safetensors, by which weights are known to be numbers.")
    if Path(out).exists() and not overwrite:
        raise OutputError(f"{out}: exists already. Choose another name, or replace it: --overwrite")
    click.echo(RISK)
    from sightline.transfer_learning.convert import convert

    found = convert(file, out)
    if found.where:
        click.echo(f"Taken from the entry {found.where!r} of {file}.")
    if found.prefix:
        click.echo(f"Taken from the beginning of every name: {found.prefix!r}.")
    if found.widened:
        click.echo(f"Made float32, exactly: {_tensors(found.widened)} of a type that NumPy does not have.")
    if found.tied:
        click.echo(f"Made copies: {_tensors(found.tied)} that shared memory with others.")
    if found.left_out:
        hidden = found.left_out_count - len(found.left_out)
        more = f" and {hidden:,} more" if hidden else ""
        click.echo(f"Left out, as no tensors: {', '.join(found.left_out)}{more}.")
    click.echo(f"Wrote {out}: {_tensors(found.tensors)}, {found.size:,} bytes. {_recognized(found.network, out)}")


def _tensors(count: int) -> str:
    return "1 tensor" if count == 1 else f"{count:,} tensors"


def _recognized(network: Network | None, out: str) -> str:
    if network is None:
        return "They belong to no network known here, so that no training can begin from them."
    fields = network.model_dump(mode="json", exclude_defaults=True, exclude={"name"})
    listed = "".join(f", {name} {value}" for name, value in fields.items())
    return f"The network: {network.name}{listed}. Begin from them: sightline transfer {out} SOURCE"
