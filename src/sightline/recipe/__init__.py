"""The typed choices of a training, their TOML, and the lecture's rules as advice."""

from sightline.recipe.advice import Advice, advise
from sightline.recipe.commented import commented
from sightline.recipe.facts import DataFacts, Machine
from sightline.recipe.overrides import apply_overrides, as_overrides, read_with_overrides
from sightline.recipe.recipe import Recipe
from sightline.recipe.toml import from_toml, read_recipe, to_toml, write_recipe

__all__ = [
    "Advice",
    "DataFacts",
    "Machine",
    "Recipe",
    "advise",
    "apply_overrides",
    "as_overrides",
    "commented",
    "from_toml",
    "read_recipe",
    "read_with_overrides",
    "to_toml",
    "write_recipe",
]
