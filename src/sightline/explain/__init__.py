"""What every choice means: its equation, symbols, source, and where torch and the slides differ. Imports no torch."""

from sightline.explain.explanation import Explanation, as_text, explain, listed
from sightline.explain.topics import TOPICS, Topic

__all__ = ["TOPICS", "Explanation", "Topic", "as_text", "explain", "listed"]
