"""The objects line ("2 cats, 1 dog"), which overrules what was read out of the prompt."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from ..errors import CountError
from .counts import CountedObject
from .languages import east_asian, spaced
from .languages.east_asian import has_east_asian
from .languages.english.determiners import skip_measure
from .languages.english.noun_phrase import read_noun_phrase
from .languages.english.numbers import MAX_COUNT, read_number
from .languages.english.uncounted import read_uncounted
from .languages.english.word_kinds import is_adjective, is_adverb, is_boundary
from .languages.grammar import grammar_of
from .languages.telling import language_of
from .notes import Kind
from .objects import FoundObject, PromptReading, read_prompt_alone
from .places import NounPlaces, Occurrence, attribute_spans
from .plurals import same_noun, singular
from .words import Word, split_words

_SEPARATOR = re.compile(r"[,;\n|、，；。｜]|/(?!\d)|\.(?!\d)")
_WEIGHTED = re.compile(r"\(([^():]+):\d+(?:\.\d+)?\)")
_TRAILING = re.compile(r"\s*(\D*[^\W\d])\s*(?:[:=×*]|\bx|\()\s*(\d+)\s*\)?\s*")  # "cats: 3", "cats x3", "cats (3)"
_MAX_KINDS = 100  # no text encoder holds more, and no picture shows them
_QUOTED = 60  # characters of an item
_OWN_TABLE = "asked:"
_HOW = "write a count and a noun for each object, such as '2 cats, 1 dog'"
_ONE = frozenset(["a", "an", "single", "lone"])


def parse_objects_line(line: str) -> tuple[CountedObject, ...]:
    """Objects of a line such as "2 cats, 1 dog"; marks, line breaks, "and" and a new number separate them.

    Returns:
        objects in order of the line; empty for an empty line, and for a table of Count Check or Count Search, which begins
        with "asked:": pages of ComfyUI before 1.47 could save a node's own table as the value of this line.

    Raises:
        CountError: an item has no count, no noun, a count that is none, or words that are neither; an object stands there
            twice; or there are too many.
    """
    if line.lstrip().startswith(_OWN_TABLE):
        return ()
    items: list[CountedObject] = []
    line = _WEIGHTED.sub(r"\1", line)
    language = language_of(split_words(line))
    for part in _SEPARATOR.split(line):
        for piece in _pieces(part, language):
            item = _read_item(piece, language)
            if any(same_noun(item.noun, other.noun) and item.attributes == other.attributes for other in items):
                raise CountError(f"objects: '{item.noun}' is listed twice; give one count for it")
            items.append(item)
            if len(items) > _MAX_KINDS:
                raise CountError(f"objects names more than {_MAX_KINDS} kinds of objects; name those that matter most")
    return tuple(items)


def find_objects(text: str, line: str = "") -> tuple[FoundObject, ...]:
    """Objects of the line with their places in the prompt `text`; what the text itself counts when the line is empty.

    An object without adjectives in the line takes those that stand before its noun in the prompt.

    Raises:
        CountError: the line is malformed, or names something that the prompt does not have.
    """
    return read_prompt(text, line).objects


def read_prompt(text: str, line: str = "") -> PromptReading:
    """The same objects, and what the prompt says of numbers without asking for a count.

    Beside a line that is only what the prompt asks for none of: the line itself answers the rest.

    Raises:
        CountError: the line is malformed, or names something that the prompt does not have.
    """
    wanted, alone = parse_objects_line(line), read_prompt_alone(text)
    if not wanted:
        return alone
    places = NounPlaces(split_words(text), text, language_of(split_words(text)))
    objects = tuple(_locate(item, wanted, places, text, alone.objects) for item in wanted)
    return PromptReading(objects, tuple(note for note in alone.notes if note.kind is Kind.ZERO))


def _nouns_of(text: str, counted: Sequence[FoundObject]) -> list[str]:
    """Words of the prompt that can name an object: the counted ones first, then the others, each once."""
    nouns = [found.item.noun for found in counted]
    known = {part for noun in nouns for part in noun.split()}
    for word in split_words(text):
        if has_east_asian(word.text) and nouns:
            continue
        kind = is_boundary(word.text) or is_adverb(word.text) or is_adjective(word.text) or len(word.text) < 2
        if not kind and not word.text[0].isdigit() and word.text not in known:
            nouns.append(word.text)
            known.add(word.text)
    return list({singular(noun): noun for noun in reversed(nouns)}.values())[::-1]


def _missing_noun(noun: str, has: Sequence[str]) -> CountError:
    """The error for a noun that is not in the prompt: says which words are, and the nearest one."""
    if not has:
        return CountError(f"'{noun}' is not in the prompt, which names no objects; add it to the prompt")
    singulars = {singular(other): other for other in has}
    close = difflib.get_close_matches(singular(noun), singulars, n=1)
    hint = f". Did you mean '{singulars[close[0]]}'?" if close else ""
    return CountError(f"'{noun}' is not in the prompt; the prompt has: {', '.join(has[:12])}{hint}")


def _pieces(part: str, language: str) -> list[str]:
    """Items of a part without marks: a new one begins at "and" before a count, and at a count with a word behind it."""
    if has_east_asian(part):
        return [piece for piece in (text.strip() for text in _EAST_ASIAN_AND.split(part)) if piece]
    words, pieces, begin = split_words(part), [], 0
    counted = named = False  # whether the piece has its count, and its noun
    for index, word in enumerate(words[:-1]):
        is_count = _number_at(words, index, language) is not None or word.text in _ONE
        is_joint = word.text in _JOINTS and (_number_at(words, index + 1, language) or words[index + 1].text in _ONE)
        if named and (is_joint or (is_count and words[index + 1].text[0].isalpha())):
            pieces.append(part[begin : word.start])
            begin, counted, named = (word.end if is_joint else word.start), is_count, False
        is_noun = word.text[0].isalpha() and word.text not in _BETWEEN
        named = named or (counted and is_noun and not is_count and not is_joint)
        counted = counted or is_count
    return [piece.strip() for piece in [*pieces, part[begin:]] if piece.strip()]


_JOINTS = frozenset("and & + plus und et y e ed и".split())
_BETWEEN = frozenset(["or", "to"])  # of a range, which is refused as a whole
_EAST_ASIAN_AND = re.compile(
    r"(?:和|与|と|及び|そして|그리고)(?=\s*[0-9一二两三四五六七八九十])|(?<=[리명개대권])[와과]\s"
)


def _number_at(words: Sequence[Word], index: int, language: str) -> tuple[int, int] | None:
    number = read_number(words, index)
    if number is None and language != "en" and words[index].text in grammar_of(language).numbers:
        return grammar_of(language).numbers[words[index].text], index + 1
    return number


def _read_item(piece: str, language: str) -> CountedObject:
    if trailing := _TRAILING.fullmatch(piece):
        piece = f"{trailing[2]} {trailing[1]}"
    if has_east_asian(piece):
        found = east_asian.read_item(piece)
        if found is None:
            raise CountError(f"objects: '{_short(piece)}' is not one count with one noun; {_HOW}")
        return CountedObject(found[1], _checked(found[0], piece))
    words = split_words(re.sub("[()]", " ", piece))
    if not words:
        raise CountError(f"objects: '{_short(piece)}' has no count; {_HOW}")
    if read_uncounted(words, 0)[0] is not None:
        raise CountError(f"objects: '{_short(piece)}' gives no exact count; {_HOW}")
    number = _number_at(words, 0, language)
    if number is None and words[0].text in _ONE:
        number = (1, 1)
    broken = re.match(r"-\s*\d|\d+[.,/:]\d", piece)
    if number is None and not broken:
        raise CountError(f"objects: '{_short(piece)}' has no count; {_HOW}")
    count, after = number or (0, 1)
    _checked(count, piece)
    return (
        _in_english(words, count, skip_measure(words, after), piece)
        if language == "en"
        else _in(language, words, piece)
    )


def _checked(count: int, piece: str) -> int:
    if not 1 <= count <= MAX_COUNT:
        raise CountError(
            f"objects: the count in '{_short(piece)}' must be a whole number from 1 to {MAX_COUNT}; {_HOW}"
        )
    return count


def _in_english(words: Sequence[Word], count: int, after: int, piece: str) -> CountedObject:
    phrase = read_noun_phrase(words, after, count > 1)
    noun = phrase.noun or phrase.attributes[-1:]
    _check_named(noun, words[phrase.after :], piece)
    attributes = tuple(word.text for word in phrase.attributes if word not in noun)
    return CountedObject(" ".join(word.text for word in noun), count, attributes)


def _in(language: str, words: Sequence[Word], piece: str) -> CountedObject:
    mention, after = spaced.read_item(words, language)
    if mention is None:
        raise CountError(f"objects: '{_short(piece)}' names no object; {_HOW}")
    _check_named(mention.noun, words[after:], piece)
    noun = mention.noun[0].text
    count = (
        mention.count // 2 if noun in grammar_of(language).couples else mention.count
    )  # here a pair is what it is called
    return CountedObject(noun, count, tuple(word.text for word in mention.attributes))


def _check_named(noun: Sequence[Word], behind: Sequence[Word], piece: str) -> None:
    if not noun:
        raise CountError(f"objects: '{_short(piece)}' names no object; {_HOW}")
    left = [word.text for word in behind if not word.is_punctuation]
    if left:
        raise CountError(
            f"objects: '{_short(' '.join(left))}' in '{_short(piece)}' is neither a count nor a part of the noun; {_HOW}"
        )


def _short(piece: str) -> str:
    """As much of an item as a message can quote."""
    return piece if len(piece) <= _QUOTED else f"{piece[:_QUOTED]}..."


def _locate(
    item: CountedObject, wanted: Sequence[CountedObject], nouns: NounPlaces, text: str, found: Sequence[FoundObject]
) -> FoundObject:
    places = nouns.of(item.noun.split())
    if not places and has_east_asian(item.noun):  # described in another way than in the prompt
        nearest = [other.item.noun for other in found if item.noun.endswith(other.item.noun)]
        places = nouns.of(nearest[:1]) if nearest else []
    if not places:
        raise _missing_noun(item.noun, _nouns_of(text, found))
    rivals = [other for other in wanted if other is not item and same_noun(other.noun, item.noun)]
    fitting = [place for place in places if _fits(place, item.attributes)]
    if rivals and not item.attributes:
        fitting = [place for place in places if not any(_fits(place, other.attributes) for other in rivals)]
    if not fitting:
        adjectives = ", ".join(f"'{name}'" for name in item.attributes) or "its own word"
        raise CountError(
            f"objects: {adjectives} does not stand before '{item.noun}' in the prompt; write it there, or leave it out"
        )
    attributes = item.attributes or (() if rivals else _attributes_in(found, item.noun))
    first = fitting[0]
    known = [next((w for place in fitting for w in place.before if w.text == name), None) for name in attributes]
    described = [word for word in known if word is not None]
    spans = tuple(place.span for place in fitting)
    counted = CountedObject(first.text, item.count, tuple(word.text for word in described))
    return FoundObject(counted, spans, attribute_spans(fitting, described))


def _fits(place: Occurrence, attributes: Sequence[str]) -> bool:
    return {word.text for word in place.before} >= set(attributes)


def _attributes_in(found: Sequence[FoundObject], noun: str) -> tuple[str, ...]:
    """Adjectives of the only object of the prompt with this noun; none where several have it."""
    same = [other.item for other in found if same_noun(other.item.noun, noun)]
    return same[0].attributes if len(same) == 1 else ()
