"""Which English nouns form their plural in which way: the word lists behind `plurals`.

The lists are of nouns that are drawn and detected. The large classes are told by rule; a list holds the smaller one of two
classes that look alike in the plural: "houses" and "viruses", "cookies" and "berries", "doves" and "wolves".
"""

from __future__ import annotations

IRREGULAR = {
    "mice": "mouse", "children": "child", "geese": "goose", "people": "person", "men": "man", "women": "woman",
    "feet": "foot", "teeth": "tooth", "oxen": "ox", "dice": "die", "lice": "louse", "passersby": "passerby",
    "cacti": "cactus", "fungi": "fungus", "octopi": "octopus", "hippopotami": "hippopotamus", "nuclei": "nucleus",
    "alumni": "alumnus", "radii": "radius", "stimuli": "stimulus", "foci": "focus", "bacilli": "bacillus",
    "cumuli": "cumulus", "abaci": "abacus", "nautili": "nautilus", "nimbi": "nimbus", "graffiti": "graffito",
    "larvae": "larva", "algae": "alga", "nebulae": "nebula", "antennae": "antenna", "vertebrae": "vertebra",
    "supernovae": "supernova", "alumnae": "alumna", "criteria": "criterion", "bacteria": "bacterium",
    "phenomena": "phenomenon", "data": "datum", "media": "medium", "automata": "automaton", "stadia": "stadium",
    "aquaria": "aquarium", "vertices": "vertex", "matrices": "matrix", "indices": "index", "appendices": "appendix",
    "vortices": "vortex", "axes": "axe", "bases": "base", "oases": "oasis", "crises": "crisis", "theses": "thesis",
    "analyses": "analysis", "hypotheses": "hypothesis", "parentheses": "parenthesis", "prostheses": "prosthesis",
    "quizzes": "quiz", "fezzes": "fez", "whizzes": "whiz", "cherubim": "cherub", "seraphim": "seraph",
}  # fmt: skip
"""Plural -> singular where no rule tells; of two singulars ("axes": axe, axis) the one that is drawn more often."""

SELDOM = frozenset("abaci nautili octopi hippopotami aquaria stadia cherubim seraphim".split())
"""Of these plurals, those whose noun has a more common, regular one."""

COMPOUNDED = ("children", "people", "mice", "feet", "teeth")
"""Plurals that also end longer words: "grandchildren", "salespeople", "dormice"."""

SAME_IN_BOTH = frozenset(
    "sheep deer fish aircraft spacecraft hovercraft watercraft moose bison salmon trout squid shrimp swine elk offspring "
    "jellyfish goldfish starfish swordfish catfish cod tuna carp quail bass species series police cattle reindeer koi "
    "samurai ninja crossroads headquarters spacewomen geisha ronin sumo folk livestock poultry clownfish angelfish crayfish "
    "shellfish pufferfish dragonfish bonsai chassis pokemon onigiri gyoza kaiju mecha paparazzi".split()
)
SAME_AS_PLURAL = SAME_IN_BOTH - {"livestock", "poultry", "bonsai", "sumo", "ninja", "samurai", "bass", "chassis"}

SINGULAR_IN_S = frozenset(
    # -as, -os, and others
    "gas lens canvas atlas alias bias pancreas sassafras biceps triceps cyclops rhinoceros thermos cosmos chaos asbestos "
    # -is, less those that a rule tells
    "iris ibis mantis trellis clematis pelvis penis tennis axis portcullis amaryllis proboscis cannabis clitoris debris "
    "dais aegis chamois patois bourgeois epidermis dermis hubris ambergris testis glottis elvis tigris haggis coreopsis "
    # names, subjects and words that are no nouns
    "christmas news mathematics physics texas paris series species mercedes sports goods las los arts kansas dallas "
    "athletics gymnastics economics politics robotics is was has this always perhaps yes its his hers theirs ours yours "
    "whereas besides towards upwards downwards backwards forwards overseas indoors outdoors upstairs downstairs sometimes "
    "afterwards across as us mars venus james chris louis lewis davis harris curtis dennis morris francis memphis".split()
)
ENDS_OF_SINGULARS = ("ss", "sis", "itis", "polis", "'s")

IN_U = frozenset(
    "adieu ayu bayou caribou emu flu gnu guru haiku kudzu lieu marabou menu milieu ecu pilau snafu tofu tutu zebu impromptu "
    "tiramisu shiatsu urubu bijou sou".split()
)
"""Singulars in -u, so that "menus" is a plural and "lotus" is not; those in -eau are told by rule."""

IN_USE = frozenset(
    "use abuse misuse reuse excuse refuse cause clause pause fuse muse ruse applause hypotenuse recluse masseuse chartreuse "
    "mouse louse house blouse grouse spouse douse burnouse menopause".split()
)
IN_ASE = frozenset(
    "base database case vase phase phrase paraphrase erase chase purchase lease release crease grease increase decrease "
    "disease ease tease striptease".split()
)
IN_ISE = frozenset(
    "anise bruise chaise cerise chemise compromise cruise demise disguise enterprise excise exercise expertise franchise "
    "guise malaise merchandise mortise noise paradise poise porpoise praise premise promise raise reprise rise "
    "sunrise moonrise surprise tortoise treatise turquoise vise marquise mayonnaise valise".split()
)
IN_OSE = frozenset(
    "rose primrose nose hose dose overdose pose prose purpose goose mongoose moose noose caboose papoose".split()
)
COMPOUND_ENDS = ("house", "case", "base")
"""Nouns in -se that also end longer ones: "birdhouse", "bookcase", "database"."""

IN_CHE = frozenset(
    "ache backache bellyache earache headache heartache stomachache toothache avalanche brioche cache cloche creche douche "
    "microfiche moustache mustache niche panache pastiche psyche quiche".split()
)
IN_XE = frozenset("axe pickaxe poleaxe battleaxe annexe deluxe".split())
IN_Z = frozenset("topaz waltz quartz blintz klutz blitz glitz spritz buzz fuzz fizz jazz".split())
IN_OE = frozenset(
    "aloe backhoe canoe doe foe hoe floe horseshoe mistletoe oboe overshoe pekoe roe shoe sloe snowshoe throe tiptoe toe "
    "woe".split()
)
OES = frozenset(
    "antihero buffalo cargo desperado dingo domino echo embargo flamingo halo hero mango mosquito motto potato tomato tornado "
    "torpedo volcano veto".split()
)
"""Nouns in -o whose plural ends in -oes."""

IN_IE = frozenset(
    "aerie beanie beastie birdie bogie boogie bookie bootie bourgeoisie bowtie brie brownie budgie cabbie caddie calorie "
    "collie cookie coterie cowpie cowrie curie cutie doggie eerie eyrie faerie foodie freebie genie goalie goodie groupie "
    "hippie hoagie hoodie indie jalousie junkie kelpie kiddie laddie lassie lie lingerie magpie menagerie movie necktie "
    "newbie nightie oldie onesie patisserie pie pinkie pixie potpie prairie quickie reverie roadie rookie rotisserie selfie "
    "smoothie sortie sweetie talkie techie tie townie veggie walkie wedgie wheelie yuppie zombie die".split()
)
IN_F = (
    "leaf", "loaf", "sheaf", "thief", "calf", "half", "elf", "shelf", "self", "wolf", "scarf", "hoof", "wharf", "dwarf",
    "knife", "wife", "life",
)  # fmt: skip
"""Nouns in -f and -fe whose plural ends in -ves; longer nouns end in them too ("bookshelf")."""
BEFORE_OTHER_NOUNS = frozenset(["o", "wild"])
"""What makes another noun with the end of an irregular one: "olive", "wildlife"."""

MEN_IN_ONE = frozenset(
    "omen specimen stamen abdomen semen acumen ramen hymen cyclamen bitumen regimen women men".split()
)
NOT_A_MAN = ("human", "german", "roman", "shaman", "talisman", "ottoman", "caiman", "norman", "walkman")
HARD_CH = ("stomach", "monarch", "patriarch", "matriarch", "oligarch", "epoch", "eunuch", "loch", "tech")
"""Nouns whose -ch is a k: their plural is in -chs."""
