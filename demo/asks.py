"""The prompts of the demo, and those of the pictures of the Shapes workflows: one kind, then two, then three."""

from __future__ import annotations

from .report import Ask
from .scenes import Kind

ASKS = (
    Ask("three cats", (Kind("cat", 3),)),
    Ask("a photo of four apples", (Kind("apple", 4),)),
    Ask("two dogs and three balloons", (Kind("dog", 2), Kind("balloon", 3))),
    Ask("five donuts on a table", (Kind("donut", 5),)),
    Ask("an orange and three lemons", (Kind("orange", 1), Kind("lemon", 3))),
    Ask("two cars and two bicycles", (Kind("car", 2), Kind("bicycle", 2))),
    Ask("six strawberries", (Kind("strawberry", 6),)),
    Ask("a cup, two books and two hearts", (Kind("cup", 1), Kind("book", 2), Kind("heart", 2))),
)
SHAPES_ASKS = (
    Ask("three red circles and two blue stars", (Kind("circle", 3, "red"), Kind("star", 2, "blue"))),
    Ask("a photo of two hearts", (Kind("heart", 2),)),
    Ask("three moons", (Kind("moon", 3),)),
    Ask("a picture of four stars", (Kind("star", 4),)),
    Ask("five green triangles", (Kind("triangle", 5, "green"),)),
    Ask("a drawing of six squares", (Kind("square", 6),)),
    Ask("two rings and three crosses", (Kind("ring", 2), Kind("cross", 3))),
    Ask("four yellow stars and a black heart", (Kind("star", 4, "yellow"), Kind("heart", 1, "black"))),
    Ask("an image of 3 squares and 3 circles", (Kind("square", 3), Kind("circle", 3))),
    Ask("a circle, two triangles and three hearts", (Kind("circle", 1), Kind("triangle", 2), Kind("heart", 3))),
    Ask(
        "two purple moons, two rings and two red crosses",
        (Kind("moon", 2, "purple"), Kind("ring", 2), Kind("cross", 2, "red")),
    ),
    Ask(
        "there are three stars, a square and two blue circles",
        (Kind("star", 3), Kind("square", 1), Kind("circle", 2, "blue")),
    ),
)
