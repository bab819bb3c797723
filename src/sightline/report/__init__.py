"""The report of a run: how good the model is, how sure that is, what to do next; and of several runs side by side."""

from sightline.report.card import render_card
from sightline.report.contenders import Comparison, compare
from sightline.report.page import render, write
from sightline.report.sentences import opening
from sightline.report.side_by_side import overview, refuse_foreign, render_comparison, write_comparison
from sightline.report.story import Story, read

__all__ = [
    "Comparison",
    "Story",
    "compare",
    "opening",
    "overview",
    "read",
    "refuse_foreign",
    "render",
    "render_card",
    "render_comparison",
    "write",
    "write_comparison",
]
