"""What a sealed model says about itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, ValidationError, field_validator

from sightline.data.decode import Decoder
from sightline.data.resize import Resize
from sightline.errors import ModelFileError
from sightline.model import format as file_format
from sightline.recipe.choices import Choices
from sightline.recipe.network import Network

Digest = Annotated[str, Field(pattern="^[0-9a-f]+$", max_length=128)]
Side = Annotated[int, Field(ge=1, le=4096)]
COLDEST, HOTTEST = 0.05, 20.0
"""Bounds of a temperature: beyond them a model would be sure of everything or of nothing."""


class InputRules(Choices):
    """How a picture becomes the pixels that the network was trained on."""

    image_size: tuple[Side, Side] = Field(description="Height and width in pixels.")
    channels: Literal[1, 3]
    resize: Resize
    padding_value: int = Field(ge=0, le=255)
    decoder: Decoder = Field(description="Who decoded the JPEGs of the training.")
    decoder_version: str = Field(description="The versions that decide about the last bit of a pixel.")


class Description(Choices):
    """Everything about a model but its numbers."""

    inputs: InputRules
    network: Network = Field(description="The resolved recipe's section.")
    class_names: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1)
    recipe: dict[str, JsonValue] = Field(description="The resolved recipe.")
    reasons: dict[str, str] = Field(description="Why each automatic choice of the recipe fell as it did.")
    source: str = Field(description="What the training data were called.")
    data_digest: Digest = Field(description="Digest of the training data's catalogue.")
    metrics: dict[str, JsonValue]
    versions: dict[str, str] = Field(description="Of Sightline, Python and the libraries that trained it.")
    temperature: float = Field(
        default=1.0, ge=COLDEST, le=HOTTEST, description="Scores are divided by it before softmax; 1 in older files."
    )
    weights_digest: Digest = Field(description="Digest of all tensors; equal weights, equal digest.")

    @field_validator("class_names")
    @classmethod
    def _distinct(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names):
            raise ValueError("two classes have the same name")
        return names

    def to_json(self) -> str:
        """Return the description as JSON text, always the same for the same content."""
        content = self.model_dump(mode="json")
        return json.dumps(content, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def parse_description(text: str, *, name: str) -> Description:
    """Return the description in a header; `name` is the file's, for messages.

    Raises:
        ModelFileError: a field is missing, unknown or out of range.
    """
    file_format.parse_object(text, name=name, what="the description")
    try:
        return Description.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = file_format.shortened(".".join(map(str, first["loc"])))
        raise ModelFileError(
            f"{name}: the description's {where} cannot be read ({file_format.shortened(first['msg'])}). "
            "The file is damaged, or another program wrote it."
        ) from error


def plain(value: Any) -> JsonValue:
    """Return nested numbers as JSON has them: NumPy's become Python's, and what is not finite becomes null."""
    match value:
        case None | bool() | str() | int():
            return value
        case float():
            return value if value - value == 0.0 else None
        case Mapping():
            return {str(key): plain(entry) for key, entry in value.items()}
        case list() | tuple():
            return [plain(entry) for entry in value]
        case _ if hasattr(value, "tolist"):
            return plain(value.tolist())
    raise TypeError(f"found {type(value).__name__}, wanted numbers, text, lists and mappings of them")
