"""Every rule fires where it should and not elsewhere, and what it advises is a valid recipe that ends the matter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from sightline.recipe import DataFacts, Recipe, advise, apply_overrides, read_recipe
from sightline.recipe.advice import RULES
from sightline.recipe.advice.advice import instead
from sightline.recipe.network import He, LeNet, Normal, ResNet, Xavier
from sightline.recipe.toml import shipped

ORDINARY = DataFacts(
    source="pictures", classes=10, training=7_500, validation=1_000, test=1_500, smallest_class=600,
    largest_class=900, median_height=240, median_width=320, all_gray=False,
)  # fmt: skip

DEEP = {"network": "resnet"}
VGG_OF_11 = {"network": "vgg", "network.widths": [8, 8], "network.convolutions": [5, 5]}

DIGITS = {"class_names": tuple("0123456789")}

Case = tuple[Mapping[str, Any], Mapping[str, Any]]
"""Changes of the default recipe, and of ordinary facts."""

# code: recipes and facts that bring it on, and near ones that do not
CASES: dict[str, tuple[list[Case], list[Case]]] = {
    "init-relu": (
        [({"network.initialization": "xavier"}, {}), ({"network.initialization": "lecun", **DEEP}, {}),
         ({"network.initialization": "xavier", "network.activation": "leaky_relu"}, {})],
        [({"network.initialization": "he"}, {}), ({"network.initialization": "orthogonal"}, {}),
         ({"network.initialization": "xavier", "network.activation": "tanh"}, {})],
    ),
    "init-sigmoid": (
        [({"network.activation": "sigmoid", "network.initialization": "he"}, {}),
         ({"network.activation": "tanh", "network.initialization": He(fan="out", distribution="uniform")}, {})],
        [({"network.activation": "sigmoid"}, {}), ({"network.initialization": "he"}, {})],
    ),
    "init-selu": (
        [({"network.activation": "selu", "network.initialization": Normal(std=0.5)}, {}),
         ({"network.activation": "selu", "network.initialization": "he"}, {})],
        [({"network.activation": "selu"}, {}), ({"network.activation": "selu", "network.initialization": "lecun"}, {})],
    ),
    "init-normal": (
        [({"network.initialization": Normal(std=0.02), "network.normalization": "none", **DEEP}, {})],
        [({"network.initialization": Normal(std=0.02), **DEEP}, {}),
         ({"network.initialization": "normal", "network.normalization": "none", "network": "lenet"}, {})],
    ),
    "deep-sigmoid": (
        [({"network.activation": "sigmoid", **DEEP}, {}),
         ({"network.activation": "sigmoid", "network.initialization": "xavier", **VGG_OF_11}, {})],
        [({"network.activation": "sigmoid", "network": "lenet"}, {}), ({"network.activation": "tanh", **DEEP}, {}),
         ({"network.activation": "sigmoid"}, {})],
    ),
    "deep-without-normalization": (
        [({"network.normalization": "none", **DEEP}, {}),
         ({"network.normalization": "none", "training.batch_size": 1, **VGG_OF_11}, {}),
         ({"network.normalization": "none", "training.batch_size": 30, "training.gradient_accumulation": 16,
           **DEEP}, {})],
        [({"network.normalization": "none", "network": "vgg"}, {}), (DEEP, {}),
         ({"network.normalization": "none", "network.activation": "selu", **DEEP}, {})],
    ),
    "small-batch-norm": (
        [({"training.batch_size": 7}, {}), ({"training.batch_size": 2, **DEEP}, {}),
         ({"training.batch_size": 2, "network": "timm"}, {}),
         ({"training.batch_size": 30, "training.gradient_accumulation": 4}, {})],
        [({"training.batch_size": 8}, {}), ({"training.batch_size": 32, "training.gradient_accumulation": 4}, {}),
         ({"training.batch_size": 2, "network.normalization": "group"}, {})],
    ),
    "dropout-before-batch-norm": (
        [({"network.dropout": 0.2, "network.dropout_where": where}, {}) for where in ("blocks", "everywhere")],
        [({"network.dropout": 0.2}, {}), ({"network.dropout": 0.0, "network.dropout_where": "blocks"}, {}),
         ({"network.dropout": 0.2, "network.dropout_where": "blocks", "network.normalization": "none"}, {})],
    ),
    "dropout-selu": (
        [({"network.dropout": 0.1, "network.activation": "selu"}, {})],
        [({"network.dropout": 0.1}, {}), ({"network.activation": "selu"}, {})],
    ),
    "dropout-high": ([({"network.dropout": 0.8}, {})], [({"network.dropout": 0.5}, {})]),
    "few-pictures": (
        [({"network.depth": 50, **DEEP}, {"training": 500})],
        [(DEEP, {"training": 500}), ({"network.depth": 50, **DEEP}, {})],
    ),
    "not-zero-centered": (
        [({"preprocessing.center": "none"}, {}), ({"preprocessing.center": "none", "network.activation": "elu"}, {})],
        [({"preprocessing.center": "pixel"}, {})],
    ),
    "no-scale": (
        [({"preprocessing.scale": "none"}, {})],
        [({"preprocessing.scale": "pixel"}, {}),
         ({"preprocessing.scale": "none", "preprocessing.decorrelate": "zca"}, {})],
    ),
    "decorrelated-images": (
        [({"preprocessing.decorrelate": "zca"}, {}),
         ({"preprocessing.decorrelate": "pca", "preprocessing.whitening_epsilon": 0.1,
           "data.image_size": [8, 16]}, {})],
        [({}, {})],
    ),
    "turned-text": (
        [({"augmentation": ["vertical_flip"]}, DIGITS), ({"augmentation": ["crop", "quarter_turns"]}, DIGITS),
         ({"augmentation": [{"name": "rotation", "degrees": 45}]}, DIGITS),
         ({"augmentation": [{"name": "rotation", "degrees": [100, 120]}], "augmentation.orientation": "fixed"}, {})],
        [({"augmentation": ["vertical_flip", "quarter_turns"]}, {}),
         ({"augmentation": [{"name": "rotation", "degrees": 30}]}, DIGITS), ({"augmentation": "strong"}, DIGITS),
         ({"augmentation": ["vertical_flip"], "augmentation.orientation": "any"}, DIGITS)],
    ),
    "mirrored-text": (
        [({"augmentation": ["horizontal_flip"]}, DIGITS), ({"augmentation": ["crop", "alternating_flip"]}, DIGITS)],
        [({"augmentation": ["horizontal_flip"]}, {}), ({"augmentation": "strong"}, DIGITS),
         ({"augmentation": [{"name": "horizontal_flip", "probability": 0.0}]}, DIGITS),
         ({"augmentation": "standard", "augmentation.orientation": "mirror"}, {})],
    ),
    "color-of-gray": (
        [({"augmentation": ["hue"], "data.channels": 3}, {"all_gray": True}),
         ({"augmentation": ["crop", "saturation", "grayscale"]}, {"all_gray": True})],
        [({"augmentation": ["hue"]}, {}), ({"augmentation": "strong", "data.channels": 3}, {"all_gray": True}),
         ({"augmentation": ["brightness"]}, {"all_gray": True})],
    ),
    "small-crops": (
        [({"augmentation": [{"name": "crop", "area": [0.08, 1.0]}, "blur"]}, {}),
         ({"augmentation": [{"name": "crop", "area": 0.1}]}, {})],
        [({"augmentation": [{"name": "crop", "area": [0.25, 1.0]}]}, {})],
    ),
    "large-covers": (
        [({"augmentation": [{"name": "erasing", "area": [0.02, 0.6]}]}, {}),
         ({"augmentation": [{"name": "erasing", "area": 0.9}]}, {})],
        [({"augmentation": [{"name": "erasing", "area": 0.5}]}, {}), ({"augmentation": "strong"}, {})],
    ),
    "much-noise": (
        [({"augmentation": [{"name": "gaussian_noise", "deviation": [0, 0.3]}]}, {})],
        [({"augmentation": [{"name": "gaussian_noise", "deviation": [0, 0.25]}]}, {}),
         ({"augmentation": "strong"}, {})],
    ),
    "far-shifts": (
        [({"augmentation": [{"name": "translation", "horizontal": 0.4}]}, {}),
         ({"augmentation": [{"name": "translation", "vertical": [-0.9, -0.5]}]}, {}),
         ({"augmentation": ["crop", {"name": "pad_and_crop", "padding": 0.5}]}, {})],
        [({"augmentation": [{"name": "translation", "horizontal": 0.3}, "pad_and_crop"]}, {}),
         ({"augmentation": "trivial"}, {})],
    ),
    "no-augmentation": (
        [({"augmentation": "none"}, {"training": 4_999})],
        [({"augmentation": "none"}, {"training": 5_000}), ({"augmentation": "light"}, {"training": 100})],
    ),
    "augmentation-few-epochs": (
        [({"augmentation": "strong", "training.epochs": 9}, {}),
         ({"augmentation": ["cutmix"], "training.epochs": 1}, {}),
         ({"augmentation": {"policy": "trivial", "operations": ["blur", "mixup"]}, "training.epochs": 5}, {})],
        [({"augmentation": "strong", "training.epochs": 10}, {}), ({"augmentation": "strong"}, {}),
         ({"augmentation": "standard", "training.epochs": 5}, {}),
         ({"augmentation": "trivial", "training.epochs": 5}, {})],
    ),
    "moved-from-their-mean": (
        [({"preprocessing.center": "pixel"}, {}),
         ({"preprocessing.scale": "pixel", "augmentation": ["elastic"]}, {}),
         ({"preprocessing.decorrelate": "zca", "preprocessing.whitening_epsilon": 0.1, "augmentation": "light"}, {})],
        [({"preprocessing.center": "pixel", "augmentation": "none"}, {}),
         ({"preprocessing.center": "pixel", "augmentation": ["brightness", "blur"]}, {})],
    ),
    "mixup-smoothing": (
        [({"augmentation": ["mixup"]}, {}), ({"augmentation": ["crop", "mixup"], "loss.label_smoothing": 0.01}, {})],
        [({"augmentation": ["mixup"], "loss.label_smoothing": 0.0}, {}), ({"augmentation": ["cutmix"]}, {})],
    ),
    "small-pictures": (
        [({"data.image_size": 32}, {})],
        [({"data.image_size": 64}, {}), ({"data.image_size": 32}, {"median_height": 32, "median_width": 32}),
         ({"data.image_size": 100}, {"median_height": 4000, "median_width": 4000})],
    ),
    "enlarged-pictures": (
        [({"data.image_size": 224}, {"median_height": 28, "median_width": 28})],
        [({"data.image_size": 32}, {"median_height": 28, "median_width": 28}), ({"data.image_size": 224}, {})],
    ),
    "stretched-pictures": (
        [({"data.resize": "stretch", "data.image_size": 128}, {})],
        [({"data.image_size": 128}, {}), ({"data.resize": "stretch", "data.image_size": [120, 160]}, {}),
         ({"data.resize": "stretch"}, {})],
    ),
    "cropped-pictures": (
        [({"data.resize": "crop", "data.image_size": 128}, {"median_width": 480})],
        [({"data.resize": "crop", "data.image_size": 128}, {})],
    ),
    "color-dropped": (
        [({"data.channels": 1}, {})],
        [({"data.channels": 1}, {"all_gray": True}), ({"data.channels": 3}, {})],
    ),
    "no-test-set": (
        [({"data.test_fraction": 0.0}, {"test": 0}),
         ({"data.test_fraction": 0.0, "data.validation_fraction": 0.9}, {"test": 0})],
        [({"data.test_fraction": 0.0}, {}), ({}, {"test": 0})],
    ),
    "tiny-validation": (
        [({}, {"training": 150, "validation": 20, "test": 30}),
         ({"data.validation_fraction": 0.0}, {"validation": 0})],
        [({}, {}), ({"data.validation_fraction": 0.3}, {"training": 50, "validation": 30, "test": 20}),
         ({"data.validation_fraction": 0.0}, {"training": 50, "validation": 40, "test": 20})],
    ),
    "small-training-share": (
        [({"data.validation_fraction": 0.3, "data.test_fraction": 0.4}, {})],
        [({"data.validation_fraction": 0.2, "data.test_fraction": 0.2}, {})],
    ),
    "sgd-without-momentum": (
        [({"optimizer": "sgd"}, {}), ({"optimizer": "sgd", "optimizer.learning_rate": 0.5}, {})],
        [({"optimizer": "momentum"}, {}), ({"optimizer": "nesterov"}, {})],
    ),
    "momentum-out-of-range": (
        [({"optimizer": "momentum", "optimizer.momentum": 0.1}, {}),
         ({"optimizer": "nesterov", "optimizer.momentum": 0.999}, {})],
        [({"optimizer": "momentum", "optimizer.momentum": 0.95}, {})],
    ),
    "rate-out-of-range": (
        [({"optimizer": "adam", "optimizer.learning_rate": 0.1}, {}),
         ({"optimizer": "sgd", "optimizer.learning_rate": 1e-6}, {}),
         ({"optimizer": "adadelta", "optimizer.learning_rate": 50.0}, {})],
        [({"optimizer": "adam", "optimizer.learning_rate": 0.001}, {}),
         ({"optimizer": "momentum", "optimizer.learning_rate": 0.1}, {}),
         ({"optimizer": "adadelta", "optimizer.learning_rate": 0.001}, {})],
    ),
    "adadelta-rate": (
        [({"optimizer": "adadelta", "optimizer.learning_rate": 0.001}, {})],
        [({"optimizer": "adadelta", "optimizer.learning_rate": 1.0}, {}), ({"optimizer": "adadelta"}, {})],
    ),
    "adam-l2": (
        [({"optimizer": "adam", "optimizer.weight_decay": 1e-4}, {})],
        [({"optimizer": "adam"}, {}), ({"optimizer": "adamw"}, {})],
    ),
    "adam-betas": (
        [({"optimizer.beta1": 0.99, "optimizer.beta2": 0.9}, {})],
        [({"optimizer.beta1": 0.9, "optimizer.beta2": 0.9}, {})],
    ),
    "decay-of-everything": (
        [({"optimizer.decayed": "all"}, {})],
        [({"optimizer.decayed": "weights"}, {})],
    ),
    "decay-too-strong": (
        [({"optimizer": "momentum", "optimizer.weight_decay": 0.05}, {}), ({"optimizer.weight_decay": 5.0}, {})],
        [({"optimizer": "momentum", "optimizer.weight_decay": 5e-4}, {}), ({"optimizer.weight_decay": 0.1}, {})],
    ),
    "imbalanced-classes": (
        [({}, {"largest_class": 3_000})],
        [({}, {}), ({"loss.class_weights": "balanced"}, {"largest_class": 3_000})],
    ),
    "much-smoothing": ([({"loss.label_smoothing": 0.5}, {})], [({"loss.label_smoothing": 0.2}, {})]),
    "warmup-twice": (
        [({"schedule.warmup_epochs": 1.0}, {})],
        [({"schedule": "cosine", "schedule.warmup_epochs": 1.0}, {})],
    ),
    "long-warmup": (
        [({"schedule": "cosine", "schedule.warmup_epochs": 6.0, "training.epochs": 10}, {})],
        [({"schedule": "cosine", "schedule.warmup_epochs": 5.0, "training.epochs": 10}, {}),
         ({"schedule": "cosine", "schedule.warmup_epochs": 6.0}, {})],
    ),
    "early-stopping-annealed": (
        [({"training.early_stopping": 5}, {}), ({"schedule": "cosine", "training.early_stopping": 5}, {})],
        [({"schedule": "constant", "training.early_stopping": 5}, {})],
    ),
    "few-steps": (
        [({"training.epochs": 1}, {}), ({"training.epochs": 9, "training.batch_size": 64}, {"training": 640})],
        [({"training.epochs": 2}, {}), ({"training.epochs": 10, "training.batch_size": 64}, {"training": 640})],
    ),
    "batch-too-large": (
        [({"training.batch_size": 4_096}, {})],
        [({"training.batch_size": 1_024}, {}), ({}, {"training": 100})],
    ),
    "average-too-long": (
        [({"training.epochs": 2, "training.weight_averaging": 0.999}, {}),
         ({"training.epochs": 10, "training.weight_averaging": 0.995}, {}),
         ({"training.epochs": 1, "training.weight_averaging": 0.99}, {"training": 100})],
        [({"training.epochs": 100, "training.weight_averaging": 0.999}, {}),
         ({"training.weight_averaging": 0.999}, {})],
    ),
    "scratch-worth-comparing": (
        [({"transfer.weights": "w"}, {"training": 10_000}), ({"transfer.weights": "w"}, {"training": 90_000})],
        [({"transfer.weights": "w"}, {"training": 9_999}), ({}, {"training": 90_000})],
    ),
    "rate-that-forgets": (
        [({"transfer.weights": "w", "transfer.rate_factor": 1.0}, {}),
         ({"transfer.weights": "w", "transfer.rate_factor": 0.6, "transfer.depth": "both"}, {})],
        [({"transfer.weights": "w"}, {}), ({"transfer.weights": "w", "transfer.rate_factor": 0.5}, {}),
         ({"transfer.weights": "w", "transfer.rate_factor": 1.0, "transfer.depth": "head"}, {})],
    ),
    "fitted-for-old-weights": (
        [({"transfer.weights": "w", "preprocessing.statistics": "fitted"}, {})],
        [({"preprocessing.statistics": "fitted"}, {}), ({"transfer.weights": "w"}, {}),
         ({"transfer.weights": "w", "preprocessing.statistics": "inherited"}, {})],
    ),
    "adapted-to-few": (
        [({"transfer.weights": "w", "transfer.batch_norm": "adapt"}, {"training": 49})],
        [({"transfer.weights": "w", "transfer.batch_norm": "adapt"}, {}), ({"transfer.weights": "w"}, {"training": 49}),
         ({"transfer.weights": "w", "transfer.batch_norm": "adapt", "network.normalization": "group"},
          {"training": 49})],
    ),
}  # fmt: skip


def codes(recipe: Recipe, known: DataFacts | None) -> set[str]:
    return {advice.code for advice in advise(recipe, known)}


def test_every_rule_has_cases_and_a_code_of_its_own() -> None:
    assert len(CASES) == len(RULES)
    assert len(set(RULES)) == len(RULES)


@pytest.mark.parametrize("code", CASES)
def test_a_rule_fires_where_it_should(code: str) -> None:
    for change, other_facts in CASES[code][0]:
        recipe, known = apply_overrides(Recipe(), change), replace(ORDINARY, **other_facts)
        found = [advice for advice in advise(recipe, known) if advice.code == code]
        assert len(found) == 1, (change, other_facts)
        assert found[0].says.endswith(".")
        assert found[0].reason.endswith(".")
        assert found[0].reference.endswith(".")
        assert code not in codes(apply_overrides(recipe, found[0].change), known)


@pytest.mark.parametrize("code", CASES)
def test_a_rule_is_silent_elsewhere(code: str) -> None:
    for change, other_facts in CASES[code][1]:
        recipe, known = apply_overrides(Recipe(), change), replace(ORDINARY, **other_facts)
        assert code not in codes(recipe, known), (change, other_facts)


@pytest.mark.parametrize(
    "known",
    [
        None,
        ORDINARY,
        DataFacts("digits", 10, 1_347, 180, 270, 120, 140, 8, 8, True),
        DataFacts("fashion", 10, 54_000, 6_000, 10_000, 5_400, 5_400, 28, 28, True),
        DataFacts("two", 2, 2_250, 300, 450, 1_000, 1_250, 512, 512, True),
        DataFacts("photos", 102, 61_200, 8_160, 12_240, 300, 900, 427, 640, False),
    ],
)
def test_the_default_recipe_needs_no_advice(known: DataFacts | None) -> None:
    assert advise(Recipe(), known) == ()
    for name in shipped():
        # Small pictures in color, which it is for; of 1,347 digits its few epochs are few steps.
        if known is None or known.training > 10_000:
            assert advise(read_recipe(name), known) == ()


def test_a_choice_carries_over_what_the_other_one_takes() -> None:
    assert instead(Xavier(distribution="normal"), He) == "he"
    assert instead(He(distribution="uniform", fan="out"), Xavier) == {"name": "xavier", "distribution": "uniform"}
    assert instead(ResNet(width=32, dropout=0.5), LeNet) == {"name": "lenet", "dropout": 0.5}
