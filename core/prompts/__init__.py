"""Reads counted objects out of prompts."""

from __future__ import annotations

from .carried import as_carried, from_carried
from .context import TextLayout, TokenSpan, context_positions, context_words, one_encoder, shared_encoder, too_short
from .counts import CONDITIONING_KEY, CountedObject, Counts, ObjectTokens, WordTokens
from .describe import describe_objects, line_of, shown_of, summary_of, too_many
from .notes import Kind as NoteKind
from .objects import FoundObject, PromptReading, parse_prompt
from .objects_line import find_objects, parse_objects_line, read_prompt
from .places import NounPlaces
from .plurals import plural, same_noun, singular
from .scene import scene_text
from .words import Span, split_words

__all__ = [
    "CONDITIONING_KEY",
    "CountedObject",
    "Counts",
    "FoundObject",
    "NoteKind",
    "NounPlaces",
    "ObjectTokens",
    "PromptReading",
    "Span",
    "TextLayout",
    "TokenSpan",
    "WordTokens",
    "as_carried",
    "context_positions",
    "context_words",
    "describe_objects",
    "find_objects",
    "from_carried",
    "line_of",
    "one_encoder",
    "parse_objects_line",
    "parse_prompt",
    "plural",
    "read_prompt",
    "same_noun",
    "scene_text",
    "shared_encoder",
    "shown_of",
    "singular",
    "split_words",
    "summary_of",
    "too_many",
    "too_short",
]
