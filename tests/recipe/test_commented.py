"""What `sightline init` writes, and the page of options: complete, readable again, and never stale."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from sightline.recipe import Recipe, commented, from_toml
from sightline.recipe.choices import Choices
from sightline.recipe.fields import branches
from sightline.recipe.operations import ORDER
from sightline.recipe.options import markdown

ROOT = Path(__file__).parents[2]
FIELD = re.compile(r"^#(?=\w+ = )", re.MULTILINE)


def every_field(root: type[Choices]) -> Iterator[str]:
    for key, field in root.model_fields.items():
        for section in branches(field).values():
            yield from every_field(section)
        if not branches(field) and key != "name":
            yield key


def test_the_commented_recipe_is_the_default_one() -> None:
    assert from_toml(commented()) == Recipe()


def test_every_default_may_be_uncommented() -> None:
    """Each section alone, up to its other choices."""
    text = re.sub(r"\n# With name = .*?(?=\n\n\n|\Z)", "\n", commented(), flags=re.DOTALL)
    active = FIELD.sub("", text)
    assert from_toml(active) == Recipe()
    recipe = from_toml(active)
    assert recipe.training.model_fields_set == set(type(recipe.training).model_fields)


def test_every_field_of_every_choice_is_there_and_described() -> None:
    text, page = commented(), markdown()
    for key in every_field(Recipe):
        assert f"\n#{key} = " in text
        assert f".{key}` |" in page
    assert not re.search(r"\n\n#\w+ = ", text), "a field without a description"
    assert "|  |" not in page, "a field without a description"
    assert max(map(len, text.splitlines())) <= 130


def test_every_choice_is_named() -> None:
    for name in ("lenet", "vgg", "resnet", "orthogonal", "adadelta", "nesterov", "cosine", "step"):
        assert f'With name = "{name}"' in commented()
        assert f' = "{name}"`' in markdown()


def test_every_operation_is_there_and_may_be_copied() -> None:
    text, page = commented(), markdown()
    for operation in ORDER:
        name = operation.model_fields["name"].default
        line = next(line for line in text.splitlines() if line.startswith(f'#     {{name = "{name}"'))
        copied = from_toml(f"[augmentation]\noperations = [\n{line.lstrip('# ')}\n]\n")
        assert copied.augmentation.operations == (operation(),)
        rows = page.split(f"| **`{name}`** |")[1].split("| **`")[0]
        assert all(f"\n| `{name}.{key}` |" in rows for key in operation.model_fields if key != "name")


def test_the_page_of_options_is_not_stale() -> None:
    stored = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")
    assert stored == markdown(), "run: python -m sightline.recipe.options docs/options.md"


def test_recipes_load_neither_torch_nor_numpy() -> None:
    check = "import sys, sightline.recipe; print([m for m in ('torch', 'numpy', 'tomlkit', 'PIL') if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True, cwd=ROOT / "src")
    assert ran.stdout.strip() == "[]"
