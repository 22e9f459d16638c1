"""Reads counted objects out of prompts."""

from .context import context_positions
from .counts import CONDITIONING_KEY, CountedObject, Counts, ObjectTokens, WordTokens
from .describe import describe_objects, summary_of
from .objects import FoundObject, find_objects, parse_prompt
from .objects_line import find_objects_of_line, parse_objects_line

__all__ = [
    "CONDITIONING_KEY",
    "CountedObject",
    "Counts",
    "FoundObject",
    "ObjectTokens",
    "WordTokens",
    "context_positions",
    "describe_objects",
    "find_objects",
    "find_objects_of_line",
    "parse_objects_line",
    "parse_prompt",
    "summary_of",
]
