"""All mistakes at once, each with where, found, wanted and what is near, and none of pydantic's words."""

from __future__ import annotations

from typing import Any

import pytest

from sightline.errors import RecipeError
from sightline.recipe import Recipe
from sightline.recipe.augmentation import Augmentation
from sightline.recipe.mistakes import ENTRY
from sightline.recipe.network import VGG
from sightline.recipe.operations import Rotation
from sightline.recipe.toml import from_fields
from sightline.recipe.training import Training


def refused(found: Any) -> str:
    with pytest.raises(RecipeError) as refusal:
        from_fields(found, where="recipe.toml")
    return str(refusal.value)


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        ({"optimizer": {"learning_rat": 1}}, "optimizer.learning_rat: no such field. Did you mean learning_rate?"),
        ({"optimzer": {}}, "optimzer: no such section. Did you mean optimizer?"),
        ({"learning_rate": 1}, "learning_rate: no such section. Did you mean optimizer.learning_rate?"),
        ({"zzz": 1},
         ("zzz: no such section. Known: data, preprocessing, augmentation, network, loss, optimizer, schedule, "
         "training, transfer.")),
        ({"network": {"dropout": 1.5}}, 'network.dropout: found 1.5, wanted "auto" or a probability in [0, 1).'),
        ({"training": {"epochs": "3x"}},
         'training.epochs: found "3x", wanted "auto" or a whole number from 1 to 100,000.'),
        ({"training": {"epochs": 3.5}},
         'training.epochs: found 3.5, wanted "auto" or a whole number from 1 to 100,000.'),
        ({"training": {"compile": "True"}},
         'training.compile: found "True", wanted true or false. Did you mean true, without quotes?'),
        ({"training": {"batch_size": True}},
         'training.batch_size: found true, wanted "auto" or a whole number from 1 to 65,536.'),
        ({"optimizer": {"epsilon": float("nan")}}, "optimizer.epsilon: found nan, wanted a number > 0."),
        ({"optimizer": {"clip_norm": float("inf")}}, "optimizer.clip_norm: found inf, wanted a number ≥ 0."),
        ({"data": {"resize": "stretsh"}},
         'data.resize: found "stretsh", wanted "fit", "crop" or "stretch". Did you mean stretch?'),
        ({"data": {"channels": 2}}, 'data.channels: found 2, wanted "auto", 1 or 3.'),
        ({"data": {"channels": True}}, 'data.channels: found true, wanted "auto", 1 or 3.'),
        ({"data": {"image_size": [32, 48, 3]}},
         ('data.image_size: found [32, 48, 3], wanted "auto", a whole number from 4 to 4,096 or a list of 2 whole '
         "numbers from 4 to 4,096.")),
        ({"transfer": {"depth": "head"}},
         ("transfer.depth: found \"head\" without transfer.weights, so that nothing is transferred; wanted "
         "transfer.weights too, or neither.")),
        ({"preprocessing": {"statistics": "inherited"}},
         ('preprocessing.statistics: found "inherited" without transfer.weights, so that there is nothing to inherit '
         'from; wanted "fitted", or weights.')),
        ({"network": {"name": "vgg", "hidden": [9], "head": "linear"}},
         ('network.hidden: found [9] with network.head "linear", which takes the place of these layers; wanted head '
         '"published", or no hidden.')),
        ({"network": {"name": "lenet", "head_units": 9}},
         ('network.head_units: found 9 with network.head "auto", which has no hidden layer; wanted head "hidden", or '
         "no head_units.")),
        ({"data": 3}, 'data: found 3, wanted a section with fields such as data.image_size = "auto".'),
        ({"network": "lenett"},
         ('network: found "lenett", wanted "auto", "lenet", "vgg", "resnet", "swift", "squeezenet", "mobilenet_v2" or '
          '"timm". Did you mean lenet?')),
        ({"network": 3},
         ('network: found 3, wanted "auto", "lenet", "vgg", "resnet", "swift", "squeezenet", "mobilenet_v2" or '
          '"timm", or a table with such a name.')),
        ({"network": {"name": "vgg", "widths": [8, 0]}},
         "network.widths: found [8, 0], wanted a list of 1 to 8 whole numbers from 1 to 4,096."),
        ({"network": {"name": "vgg", "widths": [8, 16]}},
         "network: widths has 2 stages and convolutions 3; wanted the same number in both."),
        ({"network": {"depth": 34}},
         'network.depth: auto has no such field, but resnet has. Choose network = "resnet", or leave depth out.'),
        ({"network": {"name": "resnet", "depht": 34}}, "network.depht: no such field. Did you mean depth?"),
        ({"network": {"initialization": {"name": "xavier", "std": 1.0}}},
         ("network.initialization.std: xavier has no such field, but normal has. Choose network.initialization = "
         '"normal", or leave std out.')),
        ({"network": {"initialization": "heh"}},
         ('network.initialization: found "heh", wanted "auto", "xavier", "he", "lecun", "normal", "orthogonal" or '
         '"identity". Did you mean he?')),
        ({"training": {"epochs": 3, "time_budget_minutes": 2.0}},
         "training: found epochs 3 and time_budget_minutes 2; wanted one of the two: leave the other out."),
        ({"data": {"validation_fraction": 0.5, "test_fraction": 0.5}},
         "data: validation_fraction 0.5 and test_fraction 0.5 leave nothing to train on; wanted a sum below 1."),
        ({"training": {"batch_size": 1}},
         ('training.batch_size: found 1 with network.normalization "batch", which compares the pictures of a batch; '
         'wanted 2 or more, or normalization "group" or "none".')),
        ({"training": {"batch_size": 7, "gradient_accumulation": 4}},
         ("training.gradient_accumulation: found 4 parts of a batch of 7 with network.normalization "
         '"batch", which compares the pictures of a part; wanted 3 or fewer, or normalization "group" or "none".')),
        ({"training": {"batch_size": 7, "gradient_accumulation": 8}, "network": {"normalization": "none"}},
         "training.gradient_accumulation: found 8 parts of a batch of 7; wanted 7 or fewer."),
        ({"training": {"easy_left_out_until": 0.5}},
         ("training.easy_left_out_until: found 0.5 with easy_left_out 0, so that every epoch sees all pictures; wanted "
         "easy_left_out too, or neither.")),
        ({"training": {"easy_left_out": 0.5, "batch_size": 6}},
         ("training.easy_left_out: found 0.5 with batches of 6, of which too few pictures would be left; wanted a "
         "training.batch_size of 8 or more, or 0.")),
        ({"training": {"easy_left_out": 0.5}, "transfer": {"weights": "w.safetensors"}},
         ("training.easy_left_out: found 0.5 together with transfer.weights, whose stages keep no losses of single "
         "pictures; wanted 0, or no weights.")),
        ({"training": {"epochs": 3}, "schedule": {"warmup_epochs": 3.0}},
         ("schedule.warmup_epochs: found 3 with training.epochs 3, so that the one_cycle schedule would never begin; "
         "wanted fewer epochs of warm-up than of training.")),
        ({"data": {"padding_value": 9, "resize": "crop"}},
         ('data.padding_value: found 9 with data.resize "crop", which never pads; wanted resize "fit", or no '
         "padding_value.")),
        ({"preprocessing": {"whitening_epsilon": 0.1}},
         ('preprocessing.whitening_epsilon: found 0.1 with decorrelate "none", which does not whiten; wanted '
         'decorrelate "pca" or "zca", or no whitening_epsilon.')),
        ({"network": {"name": "resnet", "stem": "small", "pooling": "average"}},
         ('network.pooling: found "average" with the small stem of resnet, which does not pool at all; wanted stem '
         '"large", or no pooling.')),
        ({"network": {"name": "mobilenet_v2", "pooling": "average"}},
         ('network.pooling: found "average" with mobilenet_v2, which does not pool at all; wanted another network, or '
         "no pooling.")),
        ({"optimizer": {"name": "adamw", "weight_decay": 0.0, "decayed": "all"}},
         ('optimizer.decayed: found "all" with weight_decay 0, which decays nothing; wanted a weight_decay > 0, or no '
         "decayed.")),
        ({"optimizer": {"name": "sgd", "decayed": "all"}},
         ('optimizer.decayed: found "all" with weight_decay 0, which decays nothing; wanted a weight_decay > 0, or no '
         "decayed.")),
        ({"augmentation": "standrad"},
         ('augmentation.policy: found "standrad", wanted "auto", "none", "light", "standard", "strong", "trivial" or '
         '"custom". Did you mean standard?')),
        ({"augmentation": 3},
         'augmentation: found 3, wanted a section with fields such as augmentation.policy = "auto".'),
        ({"augmentation": {"rotation": 15}},
         ("augmentation.rotation: no such field; rotation is one of the operations. Choose augmentation.operations = "
         '["rotation"].')),
        ({"augmentation": {"operations": "rotation"}},
         ('augmentation.operations: found "rotation", wanted a list of operations such as ["horizontal_flip", {name = '
         '"rotation", degrees = 15}].')),
        ({"augmentation": {"operations": ["crop", "rotatio"]}},
         (f'augmentation.operations: found "rotatio", wanted {ENTRY}. Did you mean rotation?')),
        ({"augmentation": ["crop", {"name": "rotatio"}]},
         (f'augmentation.operations: found "rotatio", wanted {ENTRY}. Did you mean rotation?')),
        ({"augmentation": [3]}, f"augmentation.operations: found 3, wanted {ENTRY}."),
        ({"augmentation": [{"degrees": 3}]}, f"augmentation.operations: found {{degrees = 3}}, wanted {ENTRY}."),
        ({"augmentation": [{"name": ["hue"]}]}, f'augmentation.operations: found {{name = ["hue"]}}, wanted {ENTRY}.'),
        ({"augmentation": {"operations": [{"name": "rotation", "degres": 3}]}},
         "augmentation.operations: rotation.degres: no such field. Did you mean degrees?"),
        ({"augmentation": {"operations": [{"name": "rotation", "seed": 3}]}},
         "augmentation.operations: rotation.seed: no such field. Known: probability, degrees."),
        ({"augmentation": {"operations": ["crop", {"name": "rotation", "probability": 1.5}]}},
         "augmentation.operations: rotation.probability: found 1.5, wanted a probability from 0 to 1."),
        ({"augmentation": {"operations": [{"name": "rotation", "degrees": [20, -20]}]}},
         ("augmentation.operations: rotation.degrees: found [20, -20], wanted [low, high] with -180 ≤ low ≤ high ≤ "
         "180.")),
        ({"augmentation": {"operations": [{"name": "crop", "area": 2}]}},
         "augmentation.operations: crop.area: found [2, 2], wanted [low, high] with 0.01 ≤ low ≤ high ≤ 1."),
        ({"augmentation": {"operations": [{"name": "hue", "degrees": [float("nan"), "x"]}]}},
         ('augmentation.operations: hue.degrees: found [nan, "x"], wanted a range [low, high] within -180 to 180, or x '
         "for [-x, x].")),
        ({"augmentation": {"operations": [{"name": "brightness", "factor": "much"}]}},
         ('augmentation.operations: brightness.factor: found "much", wanted a range [low, high] within 0 to 10, or x '
         "for [1 - x, 1 + x].")),
        ({"augmentation": ["blur", "blur"]},
         "augmentation: found blur 2 times in operations, wanted each operation once."),
        ({"augmentation": {"policy": "light", "operations": ["blur"]}},
         ('augmentation: found operations with policy "light", which has its own; wanted policy "custom" or '
         '"trivial".')),
        ({"augmentation": "custom"},
         'augmentation: found policy "custom" without operations; list some, or choose policy "none".'),
        ({"augmentation": ["hue", "blur", "grayscale"], "data": {"channels": 1}},
         ("augmentation.operations: found hue, grayscale for pictures of one channel, which have no color; leave them "
         "out, or choose data.channels = 3.")),
    ],
)  # fmt: skip
def test_one_mistake_is_one_sentence(found: dict[str, Any], sentence: str) -> None:
    assert refused(found) == f"recipe.toml, {sentence}"


def test_all_mistakes_are_listed_at_once() -> None:
    found = {
        "optimizer": {"learning_rat": 0.1},
        "network": {"dropout": 1.5, "initialization": {"name": "xavier", "distribution": "gauss"}},
        "trainng": {},
    }
    assert refused(found).splitlines() == [
        "recipe.toml, 4 mistakes:",
        '  network.initialization.distribution: found "gauss", wanted "normal" or "uniform".',
        '  network.dropout: found 1.5, wanted "auto" or a probability in [0, 1).',
        "  optimizer.learning_rat: no such field. Did you mean learning_rate?",
        "  trainng: no such section. Did you mean training?",
    ]


def test_mistakes_in_several_entries_of_a_list_are_listed_at_once() -> None:
    listed = ["rotatio", {"name": "crop", "area": 2, "aspect": "wide"}, "zzz", {"name": "blur", "probability": -1}]
    for found in ({"operations": listed}, listed):
        lines = refused({"augmentation": found}).splitlines()
        assert lines[0] == "recipe.toml, 5 mistakes:"
        starts = ('found "rotatio"', "crop.area:", "crop.aspect:", 'found "zzz"', "blur.probability:")
        for line, start in zip(lines[1:], starts, strict=True):
            assert line.startswith(f"  augmentation.operations: {start}")
        assert "Known: horizontal_flip, vertical_flip, " in lines[4]


def test_all_impossible_pairs_are_listed_at_once() -> None:
    found = {"training": {"batch_size": 1, "epochs": 2}, "schedule": {"warmup_epochs": 5.0}}
    assert refused(found).startswith("recipe.toml, 2 mistakes:\n  training.batch_size: ")


def test_choices_made_in_python_say_the_same() -> None:
    with pytest.raises(RecipeError, match=r"^Training, epochs: found 0, wanted"):
        Training(epochs=0)
    with pytest.raises(RecipeError, match=r"^VGG, 2 mistakes:\n  widths: found \[\]"):
        VGG(widths=[], depth=3)  # type: ignore[arg-type, call-arg]
    with pytest.raises(RecipeError, match=r"^Recipe, training\.epochs: found 0"):
        Recipe(training={"epochs": 0})  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match=r"^Rotation, degrees: found \[-400, 400\]"):
        Rotation(degrees=400)
    with pytest.raises(RecipeError, match=r'^Augmentation, operations: found "rotatio"'):
        Augmentation(operations=["rotatio"])  # type: ignore[arg-type, list-item]


def test_long_values_are_shortened() -> None:
    assert len(refused({"data": {"resize": "x" * 10_000}})) < 200
