"""Pictures that grow from epoch to epoch."""

from __future__ import annotations


def share_of_side(epoch: float, epochs: int, *, smallest: float, whole_from: float) -> float:
    """Growing pictures: early epochs see smaller ones, which cost less in proportion to their area.

    In epoch e = 1, 2, … of E, with s the smallest share and f the share of the epochs after which pictures are whole,
    sides are those of whole pictures times

        share(e) = s + (1 − s) · min(1, (e − 1) / (f · E)),   or 1 where only one epoch is trained

    What a network learns first, edges and coarse shapes, is there in small pictures too. Early ones act as less
    regularized, too, so that augmentation may grow with them.

    Args:
        epoch: e, counted from 1; between two where a training was cut short.
        epochs: E.
        smallest: s, in (0, 1].
        whole_from: f, in (0, 1).

    Returns:
        Factor on height and width.

    Torch: not in torch.

    Slides: not in the slides.

    Source: Tan and Le, EfficientNetV2: smaller models and faster training (ICML 2021, arXiv:2104.00298), section 4;
        first in Howard's entry to DAWNBench (2018).
    """
    if epochs == 1:
        return 1.0
    return smallest + (1.0 - smallest) * min(1.0, (epoch - 1) / (whole_from * epochs))
