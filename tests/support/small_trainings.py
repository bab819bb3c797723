"""Choices for trainings that take a second, of which comparisons have many."""

SMALL = {
    "network": "lenet",
    "network.width": 0.5,
    "training.epochs": 2,
    "training.batch_size": 32,
    "augmentation": "none",
    "data.test_fraction": 0.2,
    "training.diagnosis": False,
}
