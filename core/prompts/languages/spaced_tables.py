"""Words of languages that write spaces: German, French, Spanish, Portuguese, Italian, Russian.

Of each language only what stands around a counted noun: numbers, articles, what joins nouns, and what is no number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _phrases(text: str) -> tuple[tuple[str, ...], ...]:
    """Phrases between bars, the longest first."""
    return tuple(sorted((tuple(phrase.split()) for phrase in text.split("|")), key=len, reverse=True))


def _numbers(text: str) -> dict[str, int]:
    """ "eins:1 zwei/zwo:2" as a table."""
    pairs = (entry.split(":") for entry in text.split())
    return {word: int(value) for words, value in pairs for word in words.split("/")}


@dataclass(frozen=True)
class Grammar:
    """One language.

    Attributes:
        told_by: frequent words that are of no other language here; a text is of the language that has most of them.
        numbers: number words and their values; those of 20 and more go on with smaller ones.
        joint: what joins tens and ones, if anything.
        articles: "a", which asks for one where the noun plays a part.
        ones: numeral one, which asks for one everywhere.
        conjunctions: what joins two nouns.
        beside: phrases before an article behind which a thing stands in the picture on its own.
        frames: the picture itself: "photo", "painting".
        scenes: where things are: "a forest with two deer" has deer.
        links: what joins a frame, a set or a group with its nouns: "of".
        sets: nouns that multiply the number before them: "pair", "dozen".
        couples: people that are two.
        before: adjectives that stand before their noun, as their beginnings.
        before_ends: how adjectives before a noun end, where the ending tells.
        behind: adjectives behind a noun that tell objects apart, as their beginnings.
        not_things: what is measured, or a part of a thing: "years", "metres", "floors".
        stops: words that are no noun.
        vague, bounds, negations, ranges: what is said of numbers without asking for a count.
        elided: what is written together with the next word by an apostrophe.
        endings: how nouns end, so that two forms of one noun are known by what is left of them.
        verb_ends: how verbs end that may follow a noun.
        capitals: whether nouns begin with a capital letter.
    """

    told_by: frozenset[str]
    numbers: Mapping[str, int]
    articles: frozenset[str]
    conjunctions: frozenset[str]
    beside: tuple[tuple[str, ...], ...]
    frames: frozenset[str]
    scenes: frozenset[str]
    links: frozenset[str]
    sets: Mapping[str, int]
    couples: frozenset[str]
    not_things: frozenset[str]
    stops: frozenset[str]
    vague: tuple[tuple[str, ...], ...]
    bounds: tuple[tuple[str, ...], ...]
    negations: frozenset[str]
    ranges: frozenset[str]
    endings: tuple[str, ...]
    ones: frozenset[str] = frozenset()
    joint: str = ""
    before: Sequence[str] = ()
    before_ends: Sequence[str] = ()
    behind: Sequence[str] = ()
    elided: frozenset[str] = frozenset()
    verb_ends: tuple[str, ...] = ()
    capitals: bool = False


def _german_numbers() -> dict[str, int]:
    ones = "ein zwei drei vier fünf sechs sieben acht neun".split()
    tens = "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig".split()
    numbers = _numbers(
        "zwei/zwo/zweien:2 drei/dreien:3 vier:4 fünf/fuenf:5 sechs:6 sieben:7 acht:8 neun:9 zehn:10 elf:11 zwölf/zwoelf:12 "
        "dreizehn:13 vierzehn:14 fünfzehn:15 sechzehn:16 siebzehn:17 achtzehn:18 neunzehn:19 hundert/einhundert:100 beide:2"
    )
    numbers |= {word: 10 * value for value, word in enumerate(tens, start=2)}
    return numbers | {
        f"{one}und{ten}": 10 * high + low for low, one in enumerate(ones, 1) for high, ten in enumerate(tens, 2)
    }


def _italian_numbers() -> dict[str, int]:
    tens = "venti trenta quaranta cinquanta sessanta settanta ottanta novanta".split()
    ones = "uno due tre quattro cinque sei sette otto nove".split()
    numbers = _numbers(
        "due:2 tre:3 quattro:4 cinque:5 sei:6 sette:7 otto:8 nove:9 dieci:10 undici:11 dodici:12 tredici:13 quattordici:14 "
        "quindici:15 sedici:16 diciassette:17 diciotto:18 diciannove:19 cento:100 entrambi/entrambe:2 ventun:21"
    )
    for value, ten in enumerate(tens, start=2):
        numbers[ten] = 10 * value
        for low, one in enumerate(ones, start=1):
            numbers[(ten[:-1] if one[0] in "ou" else ten) + one.replace("tre", "tré" if value else "tre")] = (
                10 * value + low
            )
            numbers[(ten[:-1] if one[0] in "ou" else ten) + one] = 10 * value + low
    return numbers


GERMAN = Grammar(
    told_by=_words(
        "der die das den dem und ein eine einen einem einer eines mit auf im am vom zum zur auf nicht sind "
        "ist bei über unter neben vor hinter zwischen drei vier fünf sechs sieben acht neun zehn zwölf zwei "
        "foto bild gemälde für von aus zwanzig beide hält sitzt sitzen steht stehen liegen spielen ölgemälde "
        "aquarell paar um ohne viele einige katzen hunde vögel frauen männer kinder mädchen jungen blumen "
        "autos bäume sterne kreise würfel kugeln pferde fische äpfel rosen stühle häuser"
    ),
    numbers=_german_numbers(),
    articles=_words("ein eine einen einem einer eines"),
    ones=_words("eins"),
    conjunctions=_words("und sowie oder &"),
    beside=_phrases("mit|neben|samt|und|sowie|plus|hinter"),
    frames=_words(
        "foto bild gemälde ölgemälde aquarell zeichnung illustration porträt szene nahaufnahme fotografie rendering skizze"
    ),
    scenes=_words(
        "wald straße stadt strand feld wiese park garten zimmer raum küche berg meer see himmel landschaft dorf wüste"
    ),
    links=_words("von der des aus"),
    sets=_numbers("dutzend:12 paar:2 stück:1 stücke:1"),
    couples=_words("paar pärchen ehepaar liebespaar"),
    before=(
        "rot blau grün gelb weiß schwarz grau braun rosa lila orange gold silber bunt groß klein alt jung neu "
        "lang kurz schön süß niedlich flauschig frisch reif hoch höh dick dünn rund eckig leer voll wild zahm "
        "weitere verschieden andere glücklich traurig elegant modern antik winzig riesig"
    ).split(),
    before_ends=(
        "farbige",
        "farbigen",
        "ende",
        "enden",
        "ene",
        "enen",
        "liche",
        "lichen",
        "ische",
        "ischen",
        "ige",
        "igen",
    ),
    not_things=_words(
        "jahre jahren jahr tage tagen stunden uhr minuten sekunden meter metern m cm mm km kg prozent grad stock etagen "
        "stockwerke stockwerken beine beinen arme armen räder rädern ecken reihen zeilen arten sorten mal teile teilen euro "
        "jahrhundert megapixel fps dpi wochen monate monaten seiten"
    ),
    stops=_words(
        "der die das den dem des und oder in im am an auf aus bei mit nach von vom vor zu zum zur über unter "
        "hinter neben zwischen durch für gegen ohne um ist sind war hat haben wird nicht als wie er sie es "
        "ihr ihre ihrer ihrem sein seine einer eines jeder jede alle & während welche"
    ),
    vague=_phrases("ein paar|einige|viele|mehrere|ein bisschen|zahlreiche|etliche|wenige|dutzende|hunderte"),
    bounds=_phrases("mindestens|höchstens|maximal|mehr als|weniger als|bis zu|nicht mehr als|wenigstens"),
    negations=_words("keine kein keinen keiner ohne nicht"),
    ranges=_words("- – bis oder"),
    endings=("innen", "ern", "en", "er", "es", "e", "n", "s", ""),
    capitals=True,
)
FRENCH = Grammar(
    told_by=_words(
        "le la les des du un une de d l et avec sur dans au aux est sont qui deux trois quatre cinq sept huit "
        "neuf dix onze douze quinze vingt chats chiens près côté devant sous leur photo peinture vers plein "
        "pas quelques beaucoup ou femme homme autour feu oiseaux femmes hommes enfants filles garçons fleurs "
        "voitures arbres étoiles cercles chevaux poissons pommes chaises maisons"
    ),
    numbers=_numbers(
        "deux:2 trois:3 quatre:4 cinq:5 six:6 sept:7 huit:8 neuf:9 dix:10 onze:11 douze:12 treize:13 quatorze:14 quinze:15 "
        "seize:16 dix-sept:17 dix-huit:18 dix-neuf:19 vingt:20 trente:30 quarante:40 cinquante:50 soixante:60 cent:100 "
        "quatre-vingts/quatre-vingt:80 vingt-deux:22 vingt-trois:23 vingt-quatre:24 vingt-cinq:25 vingt-six:26 vingt-sept:27 "
        "vingt-huit:28 vingt-neuf:29 trente-deux:32 trente-trois:33 trente-quatre:34 trente-cinq:35 trente-six:36"
    ),
    joint="et",
    articles=_words("un une"),
    conjunctions=_words("et ou &"),
    beside=_phrases("avec|à côté de|à côté d|et|ainsi qu|derrière|plus"),
    frames=_words(
        "photo image peinture tableau dessin illustration portrait scène aquarelle photographie rendu croquis plan"
    ),
    scenes=_words(
        "forêt rue ville plage champ prairie parc jardin chambre pièce cuisine montagne mer lac ciel paysage village désert"
    ),
    links=_words("de d des du"),
    sets=_numbers("paire:2 paires:2 couple:2 couples:2 douzaine:12 douzaines:12 dizaine:10 trio:3 duo:2"),
    couples=_words("couple couples"),
    before=(
        "petit grand gros vieux vieil jeune beau bel bon nouve jol haut long autre premi dernier mauvais gentil énorme "
        "minuscule magnifique superbe adorable"
    ).split(),
    behind=(
        "noir blanc rouge bleu vert jaune gris rose violet brun orange marron doré argent multicolor color petit grand rayé"
    ).split(),
    not_things=_words(
        "ans an mètres mètre m cm mm km kg pourcent degrés étages étage heures heure minutes jours jour secondes fois pattes "
        "jambes bras roues rangées rangée lignes types sortes euros siècle semaines mois pieds pouces mégapixels pages"
    ),
    stops=_words(
        "le la les l des du de d et ou à a au aux en dans sur sous avec sans pour par vers chez entre est sont était qui que "
        "qu dont où il elle ils elles leur leurs son sa ses ce cette ces s se ne pas plus très & pendant devant derrière"
    ),
    vague=_phrases(
        "quelques|beaucoup de|beaucoup d|plusieurs|de nombreux|de nombreuses|une poignée de|des dizaines de|des centaines de"
    ),
    bounds=_phrases("au moins|au plus|plus de|moins de|pas plus de|jusqu' à|jusqu à|un maximum de|un minimum de"),
    negations=_words("sans aucun aucune pas"),
    ranges=_words("- – à ou"),
    endings=("eaux", "aux", "eau", "al", "es", "e", "s", "x", ""),
    elided=_words("l d s n m t c qu j un une quelqu jusqu lorsqu puisqu"),
)
SPANISH = Grammar(
    told_by=_words(
        "el los las un una unos unas y con sobre en del al es son dos tres cuatro cinco seis siete ocho nueve "
        "diez doce quince veinte mujer hombre niño niña gatos perros junto hay muchas muchos cielo pintura "
        "foto delante frente ante sin que de pájaros mujeres hombres niños niñas chicas flores coches árboles "
        "estrellas círculos caballos peces manzanas sillas casas cubos esferas personas alrededor"
    ),
    numbers=_numbers(
        "dos:2 tres:3 cuatro:4 cinco:5 seis:6 siete:7 ocho:8 nueve:9 diez:10 once:11 doce:12 trece:13 catorce:14 quince:15 "
        "dieciséis/dieciseis:16 diecisiete:17 dieciocho:18 diecinueve:19 veinte:20 veintiún/veintiuno/veintiuna:21 "
        "veintidós/veintidos:22 veintitrés/veintitres:23 veinticuatro:24 veinticinco:25 veintiséis:26 veintisiete:27 "
        "veintiocho:28 veintinueve:29 treinta:30 cuarenta:40 cincuenta:50 sesenta:60 setenta:70 ochenta:80 noventa:90 "
        "cien/ciento:100 ambos/ambas:2"
    ),
    joint="y",
    articles=_words("un una"),
    ones=_words("uno"),
    conjunctions=_words("y e o &"),
    beside=_phrases("con|junto a|al lado de|y|e|detrás de|además de|más"),
    frames=_words(
        "foto imagen pintura cuadro dibujo ilustración retrato escena acuarela fotografía render boceto primer"
    ),
    scenes=_words(
        "bosque calle ciudad playa campo prado parque jardín habitación cocina montaña mar lago cielo paisaje pueblo desierto"
    ),
    links=_words("de del"),
    sets=_numbers("par:2 pares:2 pareja:2 parejas:2 docena:12 docenas:12 trío:3 dúo:2 decena:10"),
    couples=_words("pareja parejas"),
    before="pequeñ grand gran viej buen bell hermos nuev alt otr primer últim enorme hermosa lind bonit".split(),
    behind=(
        "negr blanc roj azul verde amarill gris rosa morad marr naranja dorad platead colorid pequeñ grande viej joven rayad"
    ).split(),
    not_things=_words(
        "años año metros metro m cm mm km kg grados pisos piso horas hora minutos días día segundos veces "
        "patas piernas brazos ruedas filas fila líneas tipos clases euros siglo semanas meses pies pulgadas "
        "megapíxeles páginas plantas"
    ),
    stops=_words(
        "el la los las lo de del y e o u a al en con sin por para sobre bajo entre hasta desde que es son "
        "está están era se su sus este esta estos no muy más & ante tras hacia"
    ),
    vague=_phrases(
        "unos|unas|algunos|algunas|varios|varias|muchos|muchas|unos cuantos|unas cuantas|un puñado de|decenas de|cientos de"
    ),
    bounds=_phrases("al menos|por lo menos|como mínimo|como máximo|más de|menos de|no más de|hasta|a lo sumo"),
    negations=_words("sin ningún ninguna"),
    ranges=_words("- – a o u"),
    endings=("ces", "es", "as", "os", "z", "s", "a", "o", "e", ""),
)
PORTUGUESE = Grammar(
    told_by=_words(
        "o os as um uma de e com em no na nos nas do da dos das ao são dois duas três quatro cinco seis sete "
        "oito nove dez doze quinze vinte mulher homem menino menina gatos cachorros lado muitas muitos céu "
        "pintura foto frente sem que pelo há à pássaros mulheres homens crianças meninas meninos flores "
        "carros árvores estrelas círculos cavalos peixes maçãs cadeiras cubos esferas pessoas redor cães"
    ),
    numbers=_numbers(
        "dois/duas:2 três/tres:3 quatro:4 cinco:5 seis:6 sete:7 oito:8 nove:9 dez:10 onze:11 doze:12 treze:13 "
        "catorze/quatorze:14 quinze:15 dezesseis/dezasseis:16 dezessete:17 dezoito:18 dezenove:19 vinte:20 trinta:30 "
        "quarenta:40 cinquenta:50 sessenta:60 setenta:70 oitenta:80 noventa:90 cem/cento:100 ambos/ambas:2"
    ),
    joint="e",
    articles=_words("um uma"),
    conjunctions=_words("e ou &"),
    beside=_phrases("com|ao lado de|junto a|e|atrás de|além de|mais"),
    frames=_words("foto imagem pintura quadro desenho ilustração retrato cena aquarela fotografia render esboço"),
    scenes=_words(
        "floresta rua cidade praia campo parque jardim quarto sala cozinha montanha mar lago céu paisagem vila deserto"
    ),
    links=_words("de do da dos das"),
    sets=_numbers("par:2 pares:2 casal:2 casais:2 dúzia:12 dúzias:12 trio:3 dupla:2 dezena:10"),
    couples=_words("casal casais"),
    before="pequen grand velh bel bonit bo nov alt outr primeir últim enorm lind".split(),
    behind=(
        "pret branc vermelh azul azuis verde amarel cinza rosa rox marrom laranja dourad pratead colorid pequen grande velh "
        "listrad negr"
    ).split(),
    not_things=_words(
        "anos ano metros metro m cm mm km kg graus andares andar horas hora minutos dias dia segundos vezes "
        "patas pernas braços rodas fileiras fileira filas linhas tipos classes euros reais século semanas "
        "meses pés polegadas megapixels páginas"
    ),
    stops=_words(
        "o a os as de do da dos das e ou em no na nos nas num numa com sem por para sobre sob entre até desde que é são está "
        "estão era se seu sua seus suas este esta ao aos à às pelo pela não muito mais &"
    ),
    vague=_phrases(
        "alguns|algumas|vários|várias|muitos|muitas|uns|umas|um punhado de|dezenas de|centenas de|poucos|poucas"
    ),
    bounds=_phrases("pelo menos|no mínimo|no máximo|mais de|menos de|não mais de|até|ao menos"),
    negations=_words("sem nenhum nenhuma"),
    ranges=_words("- – a ou"),
    endings=("ões", "ães", "ãos", "ais", "éis", "ão", "al", "el", "ns", "m", "es", "as", "os", "s", "a", "o", "e", ""),
)
ITALIAN = Grammar(
    told_by=_words(
        "il lo gli i un una uno e con su sul sulla sullo nel nella del della dei delle al alla di due tre "
        "quattro cinque sei sette otto nove dieci dodici quindici venti donna uomo gatti cani accanto davanti "
        "molte molti cielo dipinto foto sono che tra persone in per è uccelli donne uomini bambini ragazze "
        "ragazzi fiori macchine alberi stelle cerchi cavalli pesci mele sedie case cubi sfere"
    ),
    numbers=_italian_numbers(),
    articles=_words("un una uno"),
    conjunctions=_words("e ed o &"),
    beside=_phrases("con|accanto a|accanto ad|di fianco a|e|ed|dietro a|più"),
    frames=_words(
        "foto immagine dipinto quadro disegno illustrazione ritratto scena acquerello fotografia rendering schizzo"
    ),
    scenes=_words(
        "bosco strada città spiaggia campo prato parco giardino stanza cucina montagna mare lago cielo paesaggio deserto"
    ),
    links=_words("di d del"),
    sets=_numbers("paio:2 paia:2 coppia:2 coppie:2 dozzina:12 dozzine:12 trio:3 duo:2 decina:10"),
    couples=_words("coppia coppie"),
    before="piccol grand vecchi bel buon nuov alt altr prim ultim enorm giovan".split(),
    behind=(
        "ner bianc ross blu verd giall grigi rosa viola marron arancion dorat argentat colorat piccol grand "
        "vecchi giovan azzurr"
    ).split(),
    not_things=_words(
        "anni anno metri metro m cm mm km kg gradi piani piano ore ora minuti giorni giorno secondi volte "
        "zampe gambe braccia ruote file fila righe tipi euro secolo settimane mesi piedi pollici megapixel "
        "pagine"
    ),
    stops=_words(
        "il lo la i gli le l di d del dello della dei degli delle e ed o a ad al allo alla ai alle in nel "
        "nella nei nelle con senza per su sul sulla sui sulle sotto tra fra che è sono era si suo sua suoi "
        "sue questo non molto più & da dal dalla"
    ),
    vague=_phrases(
        "alcuni|alcune|qualche|molti|molte|parecchi|parecchie|diversi|diverse|una manciata di|decine di|centinaia di|pochi"
    ),
    bounds=_phrases("almeno|al massimo|al minimo|più di|meno di|non più di|fino a"),
    negations=_words("senza nessun nessuna"),
    verb_ends=("ono", "ano"),
    ranges=_words("- – a o"),
    endings=("chi", "che", "ghi", "ghe", "ci", "gi", "co", "ca", "io", "i", "e", "a", "o", ""),
    elided=_words("l d un dell all dall sull nell quell c s"),
)
RUSSIAN = Grammar(
    told_by=frozenset(),  # told by its script
    numbers=_numbers(
        "два/две/двух/двумя/двое/двум/оба/обе:2 три/трёх/трех/тремя/трое/троих/трем:3 "
        "четыре/четырёх/четырех/четырьмя/четверо:4 пять/пяти/пятью/пятеро:5 шесть/шести/шестью/шестеро:6 "
        "семь/семи/семью:7 восемь/восьми/восемью:8 девять/девяти:9 десять/десяти/десятью:10 "
        "одиннадцать/одиннадцати:11 двенадцать/двенадцати:12 тринадцать:13 четырнадцать:14 "
        "пятнадцать/пятнадцати:15 шестнадцать:16 семнадцать:17 восемнадцать:18 девятнадцать:19 "
        "двадцать/двадцати:20 тридцать/тридцати:30 сорок:40 пятьдесят:50 шестьдесят:60 семьдесят:70 "
        "восемьдесят:80 девяносто:90 сто:100"
    ),
    articles=frozenset(),
    ones=_words("один одна одно одного одной одну одним одном"),
    conjunctions=_words("и или & да"),
    beside=(),
    frames=_words("фото изображение картина рисунок портрет сцена акварель фотография иллюстрация"),
    scenes=frozenset(),
    links=frozenset(),
    sets=_numbers("пара:2 пары:2 пар:2 дюжина:12 дюжины:12 десяток:10"),
    couples=frozenset(),
    before_ends=(
        "ый ий ой ая яя ое ее ые ие ых их ым им ыми ими ого его ую юю ому ему".split()
    ),
    not_things=_words(
        "лет года год годами метров метра метр м см мм км кг процентов градусов часа минут секунд дней дня "
        "раз ряд ряда рядов этажа этажей ног ноги лап лапы рук руки видов вида типа типов рублей век века "
        "недель месяца месяцев футов дюймов утра"
    ),
    stops=_words(
        "и или в во на с со у к ко по из за под над от до о об при для без через между не ни а но что как это "
        "её его их он она они который которая которые рядом около возле вокруг &"
    ),
    vague=_phrases("несколько|много|множество|немного|пара-тройка|десятки|сотни|несколькими"),
    bounds=_phrases(
        "как минимум|не менее|не меньше|минимум|максимум|не более|не больше|более|больше|меньше|до|"
        "по меньшей мере|хотя бы"
    ),
    negations=_words("без нет"),
    verb_ends=tuple("ся сь ет ит ют ут ят ат".split()),
    ranges=_words("- – или"),
    endings=(*"ами ями ов ев ей ах ях ом ем ой ам ям ок ек ки ка ку ке ы и а я у ю е ь о й".split(), ""),
)  # fmt: skip

SPACED = {"de": GERMAN, "fr": FRENCH, "es": SPANISH, "pt": PORTUGUESE, "it": ITALIAN, "ru": RUSSIAN}
NOUNS_LIKE_ADJECTIVES = _words(
    "пожарных пожарные животных животные рабочих рабочие прохожих прохожие военных военные учёных учёные насекомых взрослых "
    "больных влюблённых мороженых"
)
"""Russian nouns that end as adjectives do."""
