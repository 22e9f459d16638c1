"""The nouns of the Emoji world, in families of similar kinds, their plurals, and the art that shows each."""

from __future__ import annotations

from dataclasses import dataclass

FAMILIES = {
    "animals": ("cat", "dog", "rabbit", "tiger", "horse", "cow", "elephant"),
    "fruits": ("apple", "orange", "lemon", "strawberry", "banana"),
    "vehicles": ("car", "bus", "bicycle", "airplane"),
    "things": ("cup", "book", "balloon", "donut", "heart"),
}
NOUNS = tuple(noun for family in FAMILIES.values() for noun in family)
_IRREGULAR = {"bus": "buses", "strawberry": "strawberries"}
PLURALS = {noun: _IRREGULAR.get(noun, f"{noun}s") for noun in NOUNS}


@dataclass(frozen=True)
class Icon:
    """One emoji, which each set of art draws in its own style.

    Attributes:
        code: its code point in hexadecimal, which names the picture in the 3D set.
        name: what the two sets of vector art call it.
        view: "body" for the whole animal, "face", or "whole" for things without the two.
        colour: what the prompt may call it; None where its colour is not worth a word.
        hues: other colours that it is also turned into, each with its distance on the colour circle in degrees.
    """

    code: str
    name: str
    view: str = "whole"
    colour: str | None = None
    hues: tuple[tuple[str, int], ...] = ()


def _animal(body: str, face: str, name: str) -> tuple[Icon, ...]:
    return Icon(body, name, "body"), Icon(face, f"{name}-face", "face")


ICONS: dict[str, tuple[Icon, ...]] = {
    "cat": _animal("1f408", "1f431", "cat"),
    "dog": _animal("1f415", "1f436", "dog"),
    "rabbit": _animal("1f407", "1f430", "rabbit"),
    "tiger": _animal("1f405", "1f42f", "tiger"),
    "horse": _animal("1f40e", "1f434", "horse"),
    "cow": _animal("1f404", "1f42e", "cow"),
    "elephant": (Icon("1f418", "elephant", "body"),),
    "apple": (Icon("1f34e", "red-apple", colour="red"), Icon("1f34f", "green-apple", colour="green")),
    "orange": (Icon("1f34a", "tangerine"),),
    "lemon": (Icon("1f34b", "lemon"),),
    "strawberry": (Icon("1f353", "strawberry"),),
    "banana": (Icon("1f34c", "banana"),),
    "car": (Icon("1f697", "automobile", colour="red"), Icon("1f699", "sport-utility-vehicle", colour="blue")),
    "bus": (Icon("1f68c", "bus"),),
    "bicycle": (Icon("1f6b2", "bicycle"),),
    "airplane": (Icon("2708-fe0f", "airplane"),),
    "cup": (Icon("2615", "hot-beverage"),),
    "book": (
        Icon("1f4d5", "closed-book", colour="red"),
        Icon("1f4d7", "green-book", colour="green"),
        Icon("1f4d8", "blue-book", colour="blue"),
        Icon("1f4d9", "orange-book", colour="orange"),
    ),
    "balloon": (Icon("1f388", "balloon", colour="red", hues=(("yellow", 55), ("green", 120), ("blue", 215))),),
    "donut": (Icon("1f369", "doughnut"),),
    "heart": (
        Icon("2764-fe0f", "red-heart", colour="red"),
        Icon("1f49b", "yellow-heart", colour="yellow"),
        Icon("1f49a", "green-heart", colour="green"),
        Icon("1f499", "blue-heart", colour="blue"),
        Icon("1f49c", "purple-heart", colour="purple"),
    ),
}
COLOUR_WORDS = tuple(
    sorted(
        {
            colour
            for icons in ICONS.values()
            for icon in icons
            for colour in (icon.colour, *(name for name, _ in icon.hues))
            if colour
        }
    )
)
