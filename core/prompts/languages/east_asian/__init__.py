"""Chinese, Japanese and Korean: for each a reader, and its words as data."""

from .reading import has_east_asian, language_of, read_east_asian, read_item

__all__ = ["has_east_asian", "language_of", "read_east_asian", "read_item"]
