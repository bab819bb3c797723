"""Advice on activation, normalization, dropout and size of the network."""

from __future__ import annotations

from typing import Any

from sightline.recipe.advice.advice import Advice, Rule, depth, instead
from sightline.recipe.advice.initialization import SHALLOW
from sightline.recipe.facts import DataFacts
from sightline.recipe.network import AutoInitialization, LeCun, ResNet, Timm, Xavier
from sightline.recipe.recipe import Recipe

DEEP = 10
SMALL_BATCH = 8
PICTURES_PER_CLASS = 200
LARGEST_DROPOUT = 0.6


def deep_sigmoid(recipe: Recipe, _facts: DataFacts | None) -> Advice | None:
    """The sigmoid's gradient is a quarter at most, and so shrinks at least fourfold with every layer."""
    network, layers = recipe.network, depth(recipe.network)
    if network.activation != "sigmoid" or layers is None or layers <= SHALLOW:
        return None
    change: dict[str, Any] = {"network.activation": "relu"}
    if isinstance(network.initialization, Xavier | LeCun):
        change["network.initialization"] = instead(network.initialization, AutoInitialization)
    return Advice(
        code="deep-sigmoid",
        says=f"Through {layers} layers of sigmoids, the first layer's gradient is scaled by at most "
        f"{0.25 ** (layers - 1):.0e}.",
        reason="The derivative σ(1 − σ) is 1/4 at its best and vanishes where a unit saturates; ReLU's is 1 wherever "
        "it is active.",
        reference='Glorot et al., Deep Sparse Rectifier Neural Networks (2011); lecture, "Sigmoid".',
        change=change,
    )


def deep_without_normalization(recipe: Recipe, _facts: DataFacts | None) -> Advice | None:
    """Normalization keeps the spread of signals through depth, whatever the weights have become."""
    network, layers = recipe.network, depth(recipe.network)
    if recipe.transfer.weights:  # which were trained as they are
        return None
    if network.normalization != "none" or network.activation == "selu" or layers is None or layers <= DEEP:
        return None
    whole, parts = recipe.training.batch_size, recipe.training.parts
    kind = "group" if whole != "auto" and whole // parts < SMALL_BATCH else "batch"
    return Advice(
        code="deep-without-normalization",
        says=f"{layers} layers without normalization are slow to train and bear only small learning rates.",
        reason="Each layer's input shifts and spreads as earlier layers learn; normalizing it allows larger steps.",
        reference='Ioffe and Szegedy, Batch Normalization (2015); lecture, "Batch normalization".',
        change={"network.normalization": kind},
    )


def batch_normalization_with_small_batches(recipe: Recipe, _facts: DataFacts | None) -> Advice | None:
    """Mean and variance of a few pictures say little about those of the data."""
    whole, parts = recipe.training.batch_size, recipe.training.parts
    if recipe.network.normalization != "batch" or whole == "auto" or whole // parts >= SMALL_BATCH:
        return None
    of = f", a part of a batch of {whole}," if parts > 1 else ""
    # An architecture of timm keeps the normalization that it has.
    change = (
        {"training.batch_size": parts * SMALL_BATCH}
        if isinstance(recipe.network, Timm)
        else {"network.normalization": "group"}
    )
    return Advice(
        code="small-batch-norm",
        says=f"Batch normalization over {whole // parts} pictures{of} computes with noisy means and variances.",
        reason="In training it uses the batch's statistics, at inference their running average; the fewer pictures, "
        "the more the two differ. Group normalization does not look at the batch.",
        reference="Wu and He, Group Normalization (2018), figure 1.",
        change=change,
    )


def dropout_before_batch_normalization(recipe: Recipe, _facts: DataFacts | None) -> Advice | None:
    """Dropout changes the variance between training and inference; a batch norm behind it has learned the wrong one."""
    network = recipe.network
    dropping = network.dropout not in ("auto", 0)
    if network.normalization != "batch" or network.dropout_where == "classifier" or not dropping:
        return None
    return Advice(
        code="dropout-before-batch-norm",
        says=f'dropout_where "{network.dropout_where}" puts dropout in front of batch normalization.',
        reason="Dropout gives training a larger variance than inference, while batch normalization goes on with the "
        "one it averaged in training. Dropout behind the last normalization does no such harm.",
        reference="Li et al., Understanding the Disharmony between Dropout and Batch Normalization (2019).",
        change={"network.dropout_where": "classifier"},
    )


def dropout_with_selu(recipe: Recipe, _facts: DataFacts | None) -> Advice | None:
    """Setting units to 0 moves mean and variance away from SELU's fixed point."""
    network = recipe.network
    if network.activation != "selu" or network.dropout in ("auto", 0):
        return None
    return Advice(
        code="dropout-selu",
        says=f"Dropout of {network.dropout:g} undoes what selu is chosen for, zero mean and unit variance.",
        reason="A dropped SELU unit would have to go to its negative limit (alpha dropout), not to 0.",
        reference="Klambauer et al., Self-Normalizing Neural Networks (2017), alpha dropout.",
        change={"network.dropout": 0.0},
    )


def dropout_that_keeps_little(recipe: Recipe, _facts: DataFacts | None) -> Advice | None:
    """The number is the probability to drop; the paper and the slides give the probability to keep."""
    rate = recipe.network.dropout
    if rate == "auto" or rate <= LARGEST_DROPOUT:
        return None
    return Advice(
        code="dropout-high",
        says=f"Dropout of {rate:g} drops {rate:.0%} of the units and keeps {1 - rate:.0%}.",
        reason="Half of the units is what hidden layers usually bear. The paper's p is the probability to keep: if "
        f"that was meant, write {1 - rate:.2g}.",
        reference='Srivastava et al., Dropout (2014); lecture, "Dropout in Forward Pass".',
        change={"network.dropout": 0.5},
    )


def large_network_for_few_pictures(recipe: Recipe, facts: DataFacts | None) -> Advice | None:
    """From scratch and with little data, a smaller network is as good and learns sooner."""
    network = recipe.network
    if facts is None or facts.classes < 1 or not isinstance(network, ResNet) or network.depth == 18:
        return None
    per_class = facts.training / facts.classes
    if per_class >= PICTURES_PER_CLASS:
        return None
    return Advice(
        code="few-pictures",
        says=f"A resnet of {network.depth} layers for {per_class:,.0f} training pictures per class will learn them by "
        "heart.",
        reason="Without pretrained weights, networks of low complexity do as well as deep ones on small data sets.",
        reference="Brigato and Iocchi, A Close Look at Deep Learning with Small Data (2020).",
        change={"network.depth": 18},
    )


RULES: tuple[Rule, ...] = (
    deep_sigmoid,
    deep_without_normalization,
    batch_normalization_with_small_batches,
    dropout_before_batch_normalization,
    dropout_with_selu,
    dropout_that_keeps_little,
    large_network_for_few_pictures,
)
