"""The table of topics: what each is called, where it lives, which field chooses it and which test proves it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Topic:
    """One thing that can be explained."""

    name: str
    group: str
    file: str
    """Inside the package."""
    function: str
    """Whose docstring is the explanation."""
    field: str
    """Dotted name in the recipe."""
    values: tuple[str | float, ...]
    """What the field is set to, in TOML's words: the values that this topic covers, or an example of a number."""
    test: str
    """Inside the project."""
    heading: str
    """Of the lecture."""
    aliases: tuple[str, ...] = ()


SIGMOID = "Sigmoid"
RELU = "Rectified linear unit"
WEIGHTS = "Weight initialization"
PREPROCESSING = "Preprocessing"
AUGMENTATION = "Image transformations to use for augmentation"
BATCH = "Batch normalization"
DROPOUT = "Dropout in the forward pass"
MOMENTUM = "Adding momentum"
RMSPROP = "Enter RMSProp"
ADAM = "Adam"
REGULARIZATION = "General layout: regularization"
TRAINING = "General layout: training by SGD"
TRANSFER = "Transfer learning"

HEADINGS = (
    SIGMOID,
    RELU,
    WEIGHTS,
    PREPROCESSING,
    AUGMENTATION,
    BATCH,
    DROPOUT,
    REGULARIZATION,
    MOMENTUM,
    RMSPROP,
    ADAM,
    TRAINING,
    TRANSFER,
)
"""In the order of the lecture, which sets the network up first and then trains it."""


def _activation(name: str, heading: str, *aliases: str) -> Topic:
    test = "tests/lecture/test_activation.py"
    return Topic(
        name, "activation", "network/activation.py", name, "network.activation", (name,), test, heading, aliases
    )


def _initialization(name: str, *aliases: str) -> Topic:
    file, test = "network/initialization.py", "tests/lecture/test_initialization.py"
    return Topic(name, "initialization", file, name, "network.initialization", (name,), test, WEIGHTS, aliases)


def _normalization(name: str, function: str, heading: str, *aliases: str) -> Topic:
    file, test = "network/normalization.py", "tests/lecture/test_normalization.py"
    return Topic(name, "normalization", file, function, "network.normalization", (function,), test, heading, aliases)


def _preprocessing(name: str, values: tuple[str, ...], *aliases: str) -> Topic:
    file, test = "preprocessing/steps.py", "tests/lecture/test_preprocessing.py"
    return Topic(name, "preprocessing", file, name, f"preprocessing.{name}", values, test, PREPROCESSING, aliases)


def _optimizer(name: str, heading: str, *aliases: str) -> Topic:
    file, test = f"optimization/{name}.py", "tests/lecture/test_update_rules.py"
    return Topic(name, "optimizer", file, name, "optimizer", (name,), test, heading, aliases)


def _schedule(name: str, *aliases: str) -> Topic:
    file, test = "optimization/schedule.py", "tests/lecture/test_schedule.py"
    return Topic(name, "schedule", file, name, "schedule", (name,), test, TRAINING, aliases)


def _lever(name: str, file: str, function: str, field: str, value: str | float, *aliases: str) -> Topic:
    test = "tests/transfer_learning/test_levers.py"
    return Topic(
        name,
        "transfer",
        f"transfer_learning/{file}.py",
        function,
        f"transfer.{field}",
        (value,),
        test,
        TRANSFER,
        aliases,
    )


TOPICS = (
    _activation("sigmoid", SIGMOID, "logistic"),
    _activation("tanh", SIGMOID, "hyperbolic tangent"),
    _activation("relu", RELU, "rectifier", "rectified linear unit"),
    _activation("relu6", RELU),
    _activation("leaky_relu", RELU, "lrelu"),
    _activation("elu", RELU, "exponential linear unit"),
    _activation("selu", RELU, "self-normalizing"),
    _activation("gelu", RELU, "gaussian error linear unit"),
    _activation("silu", RELU, "swish"),
    _initialization("xavier", "glorot"),
    _initialization("he", "kaiming", "msra"),
    _initialization("lecun"),
    _initialization("normal", "gaussian"),
    _initialization("orthogonal"),
    _initialization("identity", "dirac"),
    Topic(
        "whitened_patches",
        "initialization",
        "network/whitening.py",
        "whiten",
        "network.first_layer",
        ("whitening",),
        "tests/network/test_whitening.py",
        WEIGHTS,
        ("first layer", "whitening filters", "patch whitening"),
    ),
    _preprocessing("center", ("channel", "pixel", "none"), "zero-center", "mean subtraction", "mean image"),
    _preprocessing("scale", ("channel", "pixel", "none"), "normalize", "standardize", "standard deviation"),
    _preprocessing("decorrelate", ("zca", "pca", "none"), "zca", "pca", "whiten", "whitening", "decorrelation"),
    Topic(
        "augmentation",
        "augmentation",
        "augmentation/draw.py",
        "draw",
        "augmentation.policy",
        ("standard", "light", "strong", "trivial", "none"),
        "tests/augmentation/test_draw.py",
        AUGMENTATION,
        (
            *("data augmentation", "image transformations", "flip", "rotation", "translation", "scaling", "crop"),
            *("elastic", "distortion", "brightness", "contrast", "saturation", "hue", "noise", "cutout", "erasing"),
            *("mixup", "cutmix"),
        ),
    ),
    _normalization("batch_norm", "batch", BATCH, "batch", "batch normalization", "bn"),
    _normalization("group_norm", "group", BATCH, "group", "group normalization", "gn"),
    _normalization("no_normalization", "none", BATCH, "none"),
    Topic(
        "dropout",
        "dropout",
        "network/dropout.py",
        "units",
        "network.dropout",
        (0.3,),
        "tests/lecture/test_dropout.py",
        DROPOUT,
        ("drop probability",),
    ),
    Topic(
        "spatial_dropout",
        "dropout",
        "network/dropout.py",
        "maps",
        "network.dropout_where",
        ("blocks", "everywhere"),
        "tests/lecture/test_dropout.py",
        DROPOUT,
        ("dropout where", "dropout2d"),
    ),
    _optimizer("sgd", MOMENTUM, "gradient descent", "stochastic gradient descent"),
    _optimizer("momentum", MOMENTUM, "velocity", "heavy ball"),
    _optimizer("nesterov", MOMENTUM, "nag"),
    _optimizer("rmsprop", RMSPROP),
    _optimizer("adadelta", RMSPROP),
    _optimizer("adam", ADAM),
    _optimizer("adamw", ADAM),
    Topic(
        "muon",
        "optimizer",
        "optimization/muon.py",
        "muon",
        "optimizer",
        ("muon",),
        "tests/lecture/test_muon.py",
        MOMENTUM,
        ("orthogonalized momentum", "newton-schulz"),
    ),
    Topic(
        "lookahead",
        "optimizer",
        "training/state.py",
        "go_back",
        "training.lookahead",
        (5,),
        "tests/training/test_step.py",
        MOMENTUM,
        ("slow weights",),
    ),
    _schedule("constant", "constant rate"),
    _schedule("step", "step decay", "multistep"),
    _schedule("cosine", "cosine decay", "cosine annealing"),
    _schedule("one_cycle", "super-convergence"),
    _schedule("linear", "linear decay"),
    _schedule("triangular", "triangle"),
    Topic(
        "warm_up",
        "schedule",
        "optimization/schedule.py",
        "warm_up",
        "schedule.warmup_epochs",
        (2.0,),
        "tests/lecture/test_schedule.py",
        TRAINING,
        ("warmup epochs",),
    ),
    Topic(
        "weight_decay",
        "regularization",
        "optimization/parameter_groups.py",
        "parameter_groups",
        "optimizer.weight_decay",
        (0.05,),
        "tests/optimization/test_parameter_groups.py",
        REGULARIZATION,
        ("l2", "decayed"),
    ),
    Topic(
        "hard_examples",
        "regularization",
        "training/easy.py",
        "selected",
        "training.easy_left_out",
        (0.5,),
        "tests/training/test_easy.py",
        TRAINING,
        ("easy left out", "hard example selection", "data pruning", "infobatch"),
    ),
    Topic(
        "growing_pictures",
        "regularization",
        "training/growing.py",
        "share_of_side",
        "training.smallest_size",
        (0.6,),
        "tests/training/test_feed.py",
        TRAINING,
        ("smallest size", "progressive resizing", "progressive learning"),
    ),
    Topic(
        "clipping",
        "regularization",
        "optimization/clipping.py",
        "clip_norm",
        "optimizer.clip_norm",
        (1.0,),
        "tests/optimization/test_clipping.py",
        TRAINING,
        ("clip norm", "gradient clipping"),
    ),
    Topic(
        "transfer",
        "transfer",
        "training/run.py",
        "transfer",
        "transfer.depth",
        ("head", "both"),
        "tests/transfer_learning/test_stages.py",
        TRANSFER,
        ("transfer learning", "fine-tuning", "pretrained", "forgetting"),
    ),
    _lever("layer_decay", "layers", "rate_factors", "layer_decay", 0.9, "discriminative rates"),
    _lever("l2_sp", "l2_sp", "pull", "l2_sp", 0.01),
    _lever("distillation", "distillation", "distillation", "distillation", 1.0, "lwf", "learning without forgetting"),
    _lever("wise_ft", "interpolation", "interpolated", "interpolation", "validation"),
)
