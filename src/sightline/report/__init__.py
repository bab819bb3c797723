"""The report of a run: one page that says how good the model is, how sure that is, and what to do next."""

from sightline.report.card import render_card
from sightline.report.page import render, write
from sightline.report.sentences import opening
from sightline.report.story import Story, read

__all__ = ["Story", "opening", "read", "render", "render_card", "write"]
