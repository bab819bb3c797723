"""The few numbers about a data set that automatic choices and advice look at."""

from __future__ import annotations

import numpy as np

from sightline.data.catalogue import Catalogue
from sightline.data.split import Split
from sightline.recipe.facts import DataFacts


def facts(catalogue: Catalogue, split: Split) -> DataFacts:
    """Return counts of all sides; sizes, colors and rarest class come from the training side alone."""
    counts = np.bincount(catalogue.labels[split.train], minlength=len(catalogue.class_names))
    return DataFacts(
        source=catalogue.source.name,
        classes=len(catalogue.class_names),
        training=len(split.train),
        validation=len(split.validation),
        test=len(split.test),
        smallest_class=int(counts.min()),
        largest_class=int(counts.max()),
        median_height=int(np.median(catalogue.heights[split.train])),
        median_width=int(np.median(catalogue.widths[split.train])),
        all_gray=bool((catalogue.channels[split.train] == 1).all()),
        class_names=catalogue.class_names,
    )
