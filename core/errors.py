"""The one kind of error that this pack raises on purpose."""


class CountError(ValueError):
    """Something a user gave cannot be used. The message says what was given, what is expected and the fix."""


# ComfyUI shows the module before the name, and a node pack's module is the path of its folder.
CountError.__module__ = "headcount"
