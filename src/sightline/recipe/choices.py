"""What every section of a recipe has in common: frozen, closed, and shorthand for the named choices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

Auto = Literal["auto"]
T = TypeVar("T")


if TYPE_CHECKING:
    # For type checkers, which know the fields of a model by pydantic's own metaclass.
    from pydantic._internal._model_construction import ModelMetaclass as _Construction
else:

    class _Construction(type(BaseModel)):
        """Makes `Training(epochs=0)` in Python say what a recipe file with `epochs = 0` says."""

        def __call__(cls, *args: Any, **fields: Any) -> Any:
            try:
                return super().__call__(*args, **fields)
            except ValidationError as error:
                from sightline.recipe.mistakes import mistakes_in, recipe_error

                raise recipe_error(cls.__name__, mistakes_in(error, cls, fields)) from None


class Choices(BaseModel, metaclass=_Construction):
    """A frozen set of fields that refuses unknown keys, values of another type and values that are not finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True)

    @property
    def idle(self) -> bool:
        """Whether nothing here means anything; then it is not written down: later defaults may be others."""
        return False


def settled(value: T | Auto) -> T:
    """Return `value`, which `training.resolve` has made definite.

    Raises:
        ValueError: `value` is still `"auto"`; a builder was handed a recipe that was never resolved.
    """
    if isinstance(value, str) and value == "auto":
        raise ValueError('found "auto" where a resolved value was wanted: resolve the recipe first')
    return value


def named(default: str) -> Any:
    """Return a validator that reads `"adam"` as `{name = "adam"}` and a table without a name as the default choice."""

    def expand(value: Any) -> Any:
        if isinstance(value, str):
            return {"name": value}
        if isinstance(value, dict) and "name" not in value:
            return {"name": default, **value}
        return value

    return expand
