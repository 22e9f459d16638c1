"""Singular and plural forms of English nouns, good enough for the nouns of prompts."""

from __future__ import annotations

IRREGULAR = {
    "mice": "mouse", "children": "child", "geese": "goose", "people": "person", "men": "man", "women": "woman",
    "feet": "foot", "teeth": "tooth", "oxen": "ox", "dice": "die", "lice": "louse", "wolves": "wolf", "knives": "knife",
    "leaves": "leaf", "lives": "life", "wives": "wife", "loaves": "loaf", "thieves": "thief", "calves": "calf",
    "halves": "half", "elves": "elf", "shelves": "shelf", "selves": "self", "scarves": "scarf", "hooves": "hoof",
    "wharves": "wharf", "dwarves": "dwarf", "cacti": "cactus", "fungi": "fungus", "octopi": "octopus",
    "hippopotami": "hippopotamus", "nuclei": "nucleus", "alumni": "alumnus", "radii": "radius", "larvae": "larva",
    "algae": "alga", "nebulae": "nebula", "antennae": "antenna", "criteria": "criterion", "bacteria": "bacterium",
    "phenomena": "phenomenon", "data": "datum", "media": "medium", "vertices": "vertex", "matrices": "matrix",
    "axes": "axe", "oases": "oasis", "crises": "crisis", "theses": "thesis", "buses": "bus", "gases": "gas",
    "lenses": "lens", "canvases": "canvas", "movies": "movie", "cookies": "cookie", "zombies": "zombie", "ties": "tie",
    "pies": "pie", "brownies": "brownie", "selfies": "selfie", "genies": "genie", "pixies": "pixie", "collies": "collie",
    "huskies": "husky", "magpies": "magpie", "hippies": "hippie", "rookies": "rookie", "smoothies": "smoothie",
    "hoodies": "hoodie", "calories": "calorie", "potatoes": "potato", "tomatoes": "tomato", "heroes": "hero",
    "echoes": "echo", "tornadoes": "tornado", "volcanoes": "volcano", "mangoes": "mango", "torpedoes": "torpedo",
    "buffaloes": "buffalo", "mosquitoes": "mosquito", "dominoes": "domino", "flamingoes": "flamingo", "cargoes": "cargo",
    "horses": "horse", "houses": "house", "shoes": "shoe", "horseshoes": "horseshoe", "canoes": "canoe", "toes": "toe",
    "vases": "vase", "roses": "rose", "noses": "nose", "nurses": "nurse", "purses": "purse", "cases": "case",
    "causes": "cause", "mongooses": "mongoose", "corpses": "corpse", "eclipses": "eclipse", "blouses": "blouse",
    "warehouses": "warehouse", "bases": "base", "phrases": "phrase", "hearses": "hearse", "pauses": "pause",
    "aches": "ache", "headaches": "headache", "axles": "axle", "quizzes": "quiz", "cherubim": "cherub",
    "passersby": "passerby", "kimonos": "kimono", "caches": "cache", "moustaches": "moustache", "avalanches": "avalanche",
    "niches": "niche", "seraphim": "seraph", "geishas": "geisha",
}  # fmt: skip
SAME_IN_BOTH = frozenset(
    "sheep deer fish aircraft spacecraft hovercraft watercraft moose bison salmon trout squid shrimp swine elk offspring "
    "jellyfish goldfish starfish swordfish catfish cod tuna carp quail bass species series police cattle reindeer koi "
    "samurai ninja crossroads headquarters spacewomen geisha ronin sumo folk livestock poultry clownfish angelfish crayfish "
    "shellfish pufferfish dragonfish bonsai".split()
)
SAME_AS_PLURAL = SAME_IN_BOTH - {"livestock", "poultry", "bonsai", "sumo", "ninja", "samurai", "bass"}
_SINGULAR_IN_S = frozenset(
    "bus gas lens canvas atlas christmas news mathematics physics texas paris series species mercedes iris bias sports "
    "goods pegasus las los arts kansas dallas oasis basis chaos cosmos athletics gymnastics economics politics robotics is "
    "was has this always perhaps yes its his hers theirs ours yours whereas besides towards upwards downwards backwards "
    "forwards overseas indoors outdoors upstairs downstairs sometimes afterwards across as us".split()
)
_PLURAL_MAN = ("men", "women")


def is_plural(word: str) -> bool:
    """Whether a lower-case word can be a plural noun ("mice", "sheep", "cats"), judged by its form alone."""
    last = word.rsplit("-", 1)[-1]
    if last in IRREGULAR or last in SAME_AS_PLURAL or last.endswith(_PLURAL_MAN):
        return True
    return (
        len(last) > 2
        and last.endswith("s")
        and not last.endswith(("ss", "us", "is", "'s"))
        and last not in _SINGULAR_IN_S
    )


def singular(word: str) -> str:
    """Singular of a lower-case noun; for several words, of the last one. A singular noun comes back unchanged."""
    for mark in (" ", "-"):
        if mark in word:
            head, _, last = word.rpartition(mark)
            return f"{head}{mark}{singular(last)}"
    if word in IRREGULAR:
        return IRREGULAR[word]
    if word.endswith("men") and word not in {
        "omen",
        "specimen",
        "stamen",
        "abdomen",
        "semen",
        "acumen",
        "women",
        "men",
    }:
        return word[:-3] + "man"
    if not is_plural(word) or word in SAME_IN_BOTH:
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "sses", "xes", "zzes")):
        return word[:-2]
    return word[:-1]


def noun_key(noun: str) -> str:
    """The same for nouns that are the same but for number, case and hyphens ("Cat" and "cats")."""
    return singular(noun.lower()).replace("-", " ")


def same_noun(first: str, second: str) -> bool:
    """Whether two nouns are the same but for number, case and hyphens ("Cat" and "cats")."""
    return noun_key(first) == noun_key(second)
