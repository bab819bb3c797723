"""Preprocessing: fitted on the training split only, applied alike in training and at inference."""

from sightline.preprocessing.statistics import Statistics as Statistics
from sightline.preprocessing.statistics import fit as fit
from sightline.preprocessing.transform import Preprocessing as Preprocessing
from sightline.preprocessing.transform import by_channel as by_channel
from sightline.preprocessing.transform import module as module
