"""How long, how and on what to train."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from sightline.recipe.choices import Auto, Choices

LOOKAHEAD_SHARE = 0.5
WHOLE_FROM = 0.6
EASY_UNTIL = 0.8


class Training(Choices):
    """Length, batches, numbers and device."""

    epochs: Auto | Annotated[int, Field(ge=1, le=100_000)] = Field(
        default="auto", description="Passes over the training pictures. auto: by their number, size and the machine."
    )
    time_budget_minutes: float = Field(
        default=0.0, ge=0, description="Minutes to train; the speed is measured first and epochs follow. 0: no budget."
    )
    batch_size: Auto | Annotated[int, Field(ge=1, le=65_536)] = Field(
        default="auto",
        description="Pictures per step. auto: 32 to 128 by their number, with muon to 512 on a processor and to 2,000 "
        "elsewhere; fewer where the machine's memory is small.",
    )
    gradient_accumulation: Auto | Annotated[int, Field(ge=1, le=65_536)] = Field(
        default="auto",
        description="Parts a batch is divided into, one after the other, whose gradients are summed: less memory. "
        "auto: on a processor, parts of about 128 pictures, which its cache holds; otherwise 1.",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto", description="auto: bfloat16 where the processor computes in it, otherwise float32."
    )
    channels_last: Auto | bool = Field(default="auto", description="Memory layout NHWC. auto: true, except on mps.")
    compile: bool = Field(
        default=False,
        description="torch.compile of training steps: slower to start, for each size of batches and pictures anew; "
        "sightline bench --compile tells whether later steps are faster. Needs a C++ compiler on a processor.",
    )
    early_stopping: int = Field(
        default=0, ge=0, description="Epochs without a better validation loss after which to stop; 0: never."
    )
    weight_averaging: float = Field(
        default=0.0, ge=0, lt=1, description="Decay per step of the running average of weights (EMA); 0: none."
    )
    lookahead: int = Field(
        default=0, ge=0, le=10_000, description="Steps after which the weights go back part of their way; 0: never."
    )
    lookahead_share: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=LOOKAHEAD_SHARE, description="Share of the way that is kept, by the slow copy that is judged."
    )
    smallest_size: Annotated[float, Field(gt=0, le=1)] = Field(
        default=1.0,
        description="Side of the pictures in the first epoch, as a share of data.image_size; it grows evenly. "
        "1: always whole.",
    )
    whole_from: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=WHOLE_FROM, description="Share of the epochs after which pictures that began smaller are whole."
    )
    replanned: Annotated[tuple[Annotated[tuple[int, int, int], Field(strict=False)], ...], Field(strict=False)] = Field(
        default=(),
        title="a list such as [[150, 280, 300]]",
        description="Written by a training with a time budget whose machine became slower: after how many steps it was "
        "decided that how many are all, instead of how many, so that the run can be repeated.",
    )
    deterministic: bool = Field(default=True, description="Only operations that give the same bits each time.")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(default="auto", description="auto: cuda, then mps, then cpu.")
    diagnosis: bool = Field(
        default=True, description="Watch layers, gradients and steps, and say what goes wrong; changes no weight."
    )
    threads: Auto | Annotated[int, Field(ge=1, le=1024)] = Field(
        default="auto",
        description="CPU threads. auto: as many as this process may use; with a time budget fewer, where steps are "
        "faster with fewer.",
    )
    checkpoint_minutes: float = Field(
        default=5.0,
        ge=0,
        description="Minutes after which the state is saved within an epoch, besides the ends of epochs; 0: never.",
    )
    checkpoint_steps: int = Field(
        default=0, ge=0, description="Steps after which the state is saved, besides the end of an epoch; 0: never."
    )
    checkpoints_kept: int = Field(default=2, ge=1, le=1000, description="How many of the newest checkpoints stay.")
    seed: int = Field(default=0, ge=0, lt=2**63, description="Seed of initialization, order and dropout.")
    tracking: tuple[Literal["tensorboard", "mlflow"], ...] = Field(
        default=(),
        strict=False,
        title='a list such as ["tensorboard", "mlflow"]',
        description="Tools that follow the training too: tensorboard writes event files into the run's folder "
        "tensorboard; mlflow writes to MLFLOW_TRACKING_URI, or to mlflow.db beside the run. No bit of the result "
        "changes.",
    )

    @property
    def parts(self) -> int:
        """Parts that a batch is divided into; 1 while that is open."""
        return 1 if self.gradient_accumulation == "auto" else self.gradient_accumulation

    easy_left_out: float = Field(
        default=0.0,
        ge=0,
        le=0.9,
        description="Probability to leave out of an epoch a picture whose loss was below the mean when it was last "
        "seen; others like it count for more. 0: every epoch sees all.",
    )
    easy_left_out_until: Annotated[float, Field(gt=0, le=1)] = Field(
        default=EASY_UNTIL, description="Share of the epochs after which all pictures are seen again."
    )

    @field_validator("tracking")
    @classmethod
    def _each_once(cls, tools: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(tools)) < len(tools):
            raise ValueError(f"found {', '.join(tools)}; wanted each tool once.")
        return tools

    @field_validator("replanned")
    @classmethod
    def _in_order(cls, replanned: tuple[tuple[int, int, int], ...]) -> tuple[tuple[int, int, int], ...]:
        before = 0
        for after, steps, planned in replanned:
            if not before < after < steps <= planned:
                raise ValueError(
                    f"found [{after}, {steps}, {planned}]; wanted {before} < first number < second number ≤ third "
                    "number."
                )
            before = after
        return replanned

    @model_validator(mode="after")
    def _one_length(self) -> Training:
        if self.time_budget_minutes > 0 and self.epochs != "auto":
            raise ValueError(
                f"found epochs {self.epochs} and time_budget_minutes {self.time_budget_minutes:g}; wanted one of the "
                "two: leave the other out."
            )
        if self.replanned and self.epochs == "auto":
            raise ValueError("found replanned with epochs auto; wanted both as a training wrote them, or neither.")
        return self
