"""English that asks for no exact number is said with what to write instead; habits of prompts are read."""

from __future__ import annotations

import pytest
from headcount.core.prompts import describe_objects, find_objects, parse_prompt, read_prompt

RANGE = "'{}' is a range: write one number, such as '{}'"
BOUND = "'{}' is not an exact number: write '{}'"
VAGUE = "'{}' is not a number: write one, such as '{}'"
NONE = "'{}' counts nothing: put '{}' into the negative prompt"
LETTERING = "'{}' in quotation marks is lettering: take the marks away to count it"


@pytest.mark.parametrize(
    ("prompt", "expected", "said"),
    [
        ("2-3 cats", "", RANGE.format("2-3 cats", "three cats")),
        ("0-3 cats, 10 cats", "10 cats", RANGE.format("0-3 cats", "three cats")),
        ("three or four birds", "", RANGE.format("three or four birds", "four birds")),
        ("between two and five boats", "", RANGE.format("between two and five boats", "five boats")),
        ("at least three dogs", "", BOUND.format("at least three dogs", "three dogs")),
        ("no more than three dogs", "", BOUND.format("no more than three dogs", "three dogs")),
        ("5+ cats", "", BOUND.format("5+ cats", "five cats")),
        ("3 or more red cats", "", BOUND.format("3 or more red cats", "three red cats")),
        ("over 20 birds", "", BOUND.format("over 20 birds", "20 birds")),
        ("as many as 5 kites", "", BOUND.format("as many as 5 kites", "five kites")),
        ("> 3 cats", "", BOUND.format("> 3 cats", "three cats")),
        ("portrait, >= 3 cats", "", BOUND.format(">= 3 cats", "three cats")),
        ("≥3 cats", "", BOUND.format("≥3 cats", "three cats")),
        ("a bunch of balloons and a dog", "1 dog", VAGUE.format("a bunch of balloons", "three balloons")),
        ("a street with no cars and two people", "2 people", NONE.format("no cars", "cars")),
        ("a few hearts", "", VAGUE.format("a few hearts", "three hearts")),
        ("several trees and two dogs", "2 dogs", VAGUE.format("several trees", "three trees")),
        ("no dogs", "", NONE.format("no dogs", "dogs")),
        ("not two cats but three dogs", "3 dogs", NONE.format("not two cats", "cats")),
        ("a room without people, with three chairs", "3 chairs", NONE.format("without people", "people")),
        ("instead of two dogs, three cats", "3 cats", NONE.format("instead of two dogs", "dogs")),
        ('a sign that says "two dogs", three cats', "1 sign, 3 cats", LETTERING.format("two dogs")),
        ("A man says 'two dogs', three cats", "1 man, 3 cats", LETTERING.format("two dogs")),
        ("over a dozen lanterns", "", BOUND.format("over a dozen lanterns", "12 lanterns")),
        ("a quilt of over 100 patches, 2 cats", "1 quilt, 2 cats", BOUND.format("over 100 patches", "100 patches")),
        (
            "three girls each holding two balloons, one dog",
            "3 girls, 1 dog",
            "'two balloons' is not counted: write 'six balloons' if it asks for so many",
        ),
        ("three cat on a table", "", "'three cat' is not counted: write 'three cats' if it asks for so many"),
    ],
)
def test_said(prompt: str, expected: str, said: str) -> None:
    reading = read_prompt(prompt)
    assert describe_objects([found.item for found in reading.objects]) == (expected or "nothing is counted")
    assert reading.sentences == (said,)


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("I can see a car", "1 car"),
        ("three sheep and a deer", "3 sheep, 1 deer"),
        ("three debris-pieces", "3 debris-pieces"),
        ("as three samurai walk through a forest, a pair of swans glides by", "3 samurai, 2 swans"),
        ("five engineers, three women and two men", "5 engineers"),
        ("four firemen, two boys and two girls", "4 firemen"),
        ("four tigers, two boys and two girls", "4 tigers, 2 boys, 2 girls"),
        ("six elephants, four men and two women", "6 elephants, 4 men, 2 women"),
        ("each of three cats wears a hat", "3 cats"),
        ("each cat and three dogs", "3 dogs"),
        ("a cake topped with a strawberry, one topped with cream", "1 cake"),
        ("three people: a chef, a waiter and a customer", "3 people"),
        ("six chess pieces: two kings, two queens, two rooks", "6 chess pieces"),
        ("one man and two women, all three wearing hats", "1 man, 2 women"),
        ("a woman with three children walks two dogs", "1 woman, 3 children, 2 dogs"),
        ("a table set for eight guests, a triptych of two lakes", "1 table, 2 lakes"),
        ("The image shows a cat and two dogs", "1 cat, 2 dogs"),
        ("In Paris, two astronauts in white suits plant a flag", "2 astronauts"),
        ("no text, no watermark, two birds", "2 birds"),
        ("nine out of ten umbrellas are black", "nothing is counted"),
        ("one firefly appears, then seven more join it", "8 firefly"),
        ("a drone hovers at 500 feet, an 85mm f/1.4 lens", "1 drone"),
        ("three_kittens, wicker_basket, 1other, looking_at_viewer", "3 kittens, 1 other"),
        ("2girls, twins, nine tails, multiple girls", "2 girls"),
        ("group of 5, 5girls, dark souls 3", "5 girls"),
        ("look at a cow", "1 cow"),
        ("one orange next to six apples", "1 orange, 6 apples"),
        ("4 lemons near a red apple", "4 lemons, 1 red apple"),
        ("three cats, one black, one white and one orange", "3 cats"),
        ("a group of five people, two women and three men", "5 people"),
        ("two kids, one swing, and one slide", "2 kids, 1 swing, 1 slide"),
        ("a family of four", "4 family"),
        ("four friends: two girls and two boys", "4 friends"),
        ("five animals, three dogs and two cats", "5 animals"),
        ("ten balloons: five red ones and five blue ones", "10 balloons"),
        ("three cats, one black cat and two white cats", "3 cats"),
        ("a family: two parents and two kids", "1 family, 2 parents, 2 kids"),
        ("a couple dogs, a couple kisses", "2 dogs, 2 couple"),
        ("another two cats", "2 cats"),
        ("portrait -> three cats", "3 cats"),
        ("prompt => two dogs", "2 dogs"),
        ("sketch --> 2 dogs, ->three cats", "2 dogs, 3 cats"),
        ("3 cats w/ 2 dogs, shot at f/8", "3 cats, 2 dogs"),
        ("two cats, each with a hat", "2 cats"),
        ("a flock of birds over two boats", "2 boats"),
        ("2girls, 2 girls hugging", "2 girls"),
        ("1girl, another girl, park", "2 girl"),
        ("1girl, two other girls behind her", "3 girl"),
        ("1cat, and two more cats on a sofa", "3 cat"),
        ("1cat and her two other cats", "3 cat"),
        ("1girl, another 2girls, one more girl", "4 girl"),
        ("2girls, one girl looking at another girl", "2 girls"),
        ("3girls, the two other girls behind her", "3 girls"),
        ("a couple sitting on a bench", "2 couple"),
        ("both cats and twins", "2 cats, 2 twins"),
        ("twin sisters with a dog", "2 twin sisters, 1 dog"),
        ("a dozen and a half eggs", "18 eggs"),
        ("two cats/one dog", "2 cats, 1 dog"),
        ("cats x3, dog x 2", "3 cats, 2 dog"),
        ("cats (3), dogs: 2, birds 4", "3 cats, 2 dogs, 4 birds"),
        ("number of cats: 3", "3 cats"),
        ("3-cats, 6+girls, 1dog", "3 cats, 6 girls, 1 dog"),
        ("2men, 1girl", "2 men, 1 girl"),
        ("2girls, classroom\n2girls, blonde hair", "2 girls"),
        ("and 3 [stars]", "3 stars"),
        ("two \u200bca\u00adts", "2 cats"),
        ("2 x cats", "2 cats"),
        ("1,500 candles", "1500 candles"),
        ("three small dogs and two big ones", "3 small dogs, 2 big dogs"),
        ("two 4x4 trucks and four 1967 mustangs", "2 trucks, 4 mustangs"),
        ('"three cats on a sofa"', "3 cats"),
        ("the dogs' bowls, two dogs", "2 dogs"),
        ("Steps: 20, CFG scale: 7, Seeds: 3", "nothing is counted"),
        ("a 19th century gentleman, ten thousand buddhas", "1 gentleman"),
        ("a 2 by 2 grid of portraits, one third scale, six pack abs", "nothing is counted"),
        ("Apollo 11 astronauts, Windows 95 screens", "nothing is counted"),
        ("Between them stands a small table, and in the foreground an old man mends a net", "1 small table, 1 old man"),
        ("At night a fox crosses the road. After 2 seconds a girl walks in", "1 fox, 1 girl"),
        ("four kayaks, two red and two yellow, form a diamond. They wear a vest", "4 kayaks"),
        ("a whale watched by a seahorse, a desk lit by a lamp", "1 whale, 1 seahorse, 1 desk"),
        ("The camera follows a courier. A slow dolly-in on a piano", "1 courier, 1 piano"),
        ("a harbor, a lagoon where a storm brews, a photo on a wall, a church on a hill", "1 church"),
        ("a dragon with three heads and two wings perches on a tower", "1 dragon"),
        ("twin lighthouses, twin towers of light, twin tails", "2 twin lighthouses"),
        ("two engineers talk, one sketching a plan", "2 engineers"),
        ("a family of five having dinner, a football team of eleven players", "5 family, 11 players"),
        (
            "behind him cower a goblin and two elves. Next to it stand a cactus and a lamp",
            "1 goblin, 2 elves, 1 cactus, 1 lamp",
        ),
        ("six cooks wait; one cook yawns. His two apprentices, a boy and a girl, smile", "6 cooks, 2 apprentices"),
        ("a jazz trio plays: a pianist, a bassist and a drummer. A team of six climbs a ridge", "3 jazz trio, 6 team"),
        ("a jar of honey, two eggs in a carton and a towel, a close-up of an eye", "1 jar, 2 eggs, 1 towel"),
        ("nobody except for one boy, a wall with two pictures", "1 boy, 2 pictures"),
        ("81 frames, 30 steps, dragon (2), 4 images of a cat", "2 dragon, 1 cat"),
        ("3 and 5 cats with a fence between", "5 cats, 1 fence"),
    ],
)
def test_read(prompt: str, expected: str) -> None:
    assert describe_objects(parse_prompt(prompt)) == expected


def test_nothing_is_said_of_a_last_word_as_if_it_stood_first() -> None:
    assert read_prompt("3 and 5 cats with a fence between").sentences == ()


def test_nouns_of_lettering_are_no_places_of_a_noun() -> None:
    (dogs,) = find_objects('three dogs under a sign that says "dogs"')[:1]
    assert dogs.nouns == ((6, 10),)


def test_each_thing_is_said_once_and_not_too_much() -> None:
    said = read_prompt(
        "a few cats, a few cats, " + ", ".join(f"{low}-{low + 1} dogs" for low in range(2, 30))
    ).sentences
    assert len(said) == 8 == len(set(said))
