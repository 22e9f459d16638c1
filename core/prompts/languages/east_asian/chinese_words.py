"""Words of Chinese by what they do beside a counted noun: the table "zh" in the forms that a reader needs."""

from __future__ import annotations

from enum import Enum, auto
from itertools import groupby
from operator import itemgetter

from ..tables import either, letters, read_table

_TABLE = read_table("zh")
WORDS, _THINGS, _ENDS = _TABLE["words"], _TABLE["things"], _TABLE["ends"]
_SIMPLIFIED = str.maketrans({pair[0]: pair[1] for pair in _TABLE["letters"]["traditional"].split()})


def simplified(text: str) -> str:
    """`text` with a simplified letter in place of every traditional one that the table has, each at its place."""
    return text.translate(_SIMPLIFIED)


class Part(Enum):
    """What a word of a phrase is."""

    THING = auto()  # names what is counted; a phrase ends behind it, unless it goes on
    NOUN = auto()  # a part of a noun, with a letter in it that would end one
    NAME = auto()  # letters and digits of Europe before a noun
    OF = auto()
    ACT = auto()  # a verb of one letter with an object; where none follows, it is a letter of the noun
    VERB = auto()  # and whatever else ends a noun
    JOINT = auto()
    ASPECT = auto()
    HOLD = auto()  # a part of the body with what it does
    SIDE = auto()
    MARK = auto()  # a space, or another number with its counter
    LETTER = auto()


COUNTERS = {letter: int(value) for value, line in _TABLE["counters"].items() for letter in letters(line)}
GROUPS = {letter: tuple(ends.split()) for line, ends in _TABLE["groups"].items() for letter in line}
"""Counter of things that are several themselves -> ends of the nouns that it counts one by one."""
WRONG_FOR = {counter: tuple(ends.split()) for counter, ends in _TABLE["wrong_for"].items()}
"""Counter -> ends of what it does not count."""
COUNTER = f"[{''.join(COUNTERS)}{''.join(GROUPS)}]"
OF_LIVING, OF_PICTURES = frozenset(WORDS["of_living"]), frozenset(WORDS["of_pictures"])
NOT_THINGS, PARTS = frozenset(WORDS["not_things"].split()), frozenset(WORDS["parts"].split())
WHOLES = tuple(WORDS["wholes"].split())
PEOPLE = frozenset(_THINGS["people"].split())
LIVING = PEOPLE | frozenset(f"{_THINGS['animals']} {_THINGS['endings']}".split())
ADJECTIVES, FRAMES, BESIDE, UNITS = (either(WORDS[name]) for name in ("adjectives", "frames", "beside", "units"))
PLACES = either(_ENDS["places"])

ONE_LETTER = frozenset(letters(WORDS["one_letter"]))
GO_ON, GO_ON_WORDS = frozenset(letters(_THINGS["go_on"])), tuple(_THINGS["go_on_words"].split())
NOUN_ENDS = ONE_LETTER | GO_ON | frozenset(letters(_THINGS["noun_ends"]))
BODY, HOLDS, COMPLEMENTS, DOUBLED = (frozenset(_ENDS[name]) for name in ("body", "holds", "complements", "doubled"))
_NAMES = ("people", "animals", "plants_and_food", "things", "others", "endings")
LEXICON: dict[str, Part] = {
    **dict.fromkeys((word for name in ("verbs", "adverbs", "places") for word in _ENDS[name].split()), Part.VERB),
    **dict.fromkeys(_ENDS["standing"], Part.VERB),
    **dict.fromkeys(letters(_ENDS["acts"]), Part.ACT),
    **dict.fromkeys(_ENDS["joints"].split(), Part.JOINT),
    **dict.fromkeys("着了过", Part.ASPECT),
    **{first + side: Part.SIDE for first in ("", *"怀手眼脚身嘴") for side in "上中里下旁前后"},
    **dict.fromkeys(_THINGS["compounds"].split(), Part.NOUN),
    **dict.fromkeys((word for name in _NAMES for word in _THINGS[name].split()), Part.THING),
    "的": Part.OF,
}
"""Word -> what it is; of a word in several lists, the last one counts."""
LENGTHS = {letter: sorted({len(word) for word in words} - {1}, reverse=True)
           for letter, words in groupby(sorted(LEXICON), key=itemgetter(0))}  # fmt: skip
"""Letter -> lengths of the words of several letters that begin with it, the longest first."""
