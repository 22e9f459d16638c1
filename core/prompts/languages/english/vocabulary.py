"""Word classes of English: the table "en", which says what each is for, in the forms that the reader needs."""

from __future__ import annotations

from itertools import chain

from ..tables import Phrases, numbers_of, phrases_of, read_table

_ENTRIES = dict(chain.from_iterable(section.items() for section in read_table("en").values()))


def word_set(name: str) -> frozenset[str]:
    """The words of an entry."""
    return frozenset(_ENTRIES[name].split())


def phrase_set(name: str) -> Phrases:
    """The phrases of an entry, which stand between bars."""
    return phrases_of(_ENTRIES[name])


def numbers_in(name: str) -> dict[str, int]:
    """The words of an entry with their numbers."""
    return numbers_of(_ENTRIES[name])


ARTICLES, DEFINITE, POSSESSIVES = word_set("articles"), word_set("definite"), word_set("possessives")
DETERMINERS = DEFINITE | POSSESSIVES
"""They stand before what is known already."""
FURTHER, QUANTIFIERS = word_set("further"), word_set("quantifiers")
CONJUNCTIONS, SUBORDINATORS = word_set("conjunctions"), word_set("subordinators")
PEER_PREPOSITIONS = word_set("peer_prepositions")
PREPOSITIONS = word_set("place_prepositions") | PEER_PREPOSITIONS
PRONOUNS, AUXILIARIES, ADVERBS = word_set("pronouns"), word_set("auxiliaries"), word_set("adverbs")
ADORNED = word_set("adorned")

FRAMES, COLLECTIVES, NOT_THINGS = word_set("frames"), word_set("collectives"), word_set("not_things")
SCENERY, ROOMS, PARTS = word_set("scenery"), word_set("rooms"), word_set("parts")
PEOPLE, KINDS_OF_PEOPLE, PROFESSIONS = word_set("people"), word_set("kinds_of_people"), word_set("professions")
OF_MANY_KINDS = word_set("of_many_kinds")

NAMED_BY_NUMBER = word_set("named_by_number")

COLORS = word_set("colors")
ADJECTIVES = COLORS | word_set("plain")
ALSO_NOUNS, NOT_ADJECTIVES = word_set("also_nouns"), word_set("not_adjectives")
COMPOUNDS = frozenset(" ".join(phrase) for phrase in chain.from_iterable(phrase_set("compounds").values()))

BASE_VERBS, IRREGULAR_PAST = word_set("base"), word_set("irregular_past")
NOUNS_IN_S, NOUNS_IN_ING = word_set("not_in_s") | word_set("two_part_things"), word_set("nouns_in_ing")
GERUND_COMPOUNDS = {
    gerund: frozenset(nouns) for gerund, *nouns in chain.from_iterable(phrase_set("gerund_compounds").values())
}
