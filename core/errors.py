"""The one kind of error that this pack raises on purpose."""


class CountError(ValueError):
    """Something a user gave cannot be used. The message says what was given, what is expected and the fix."""
