"""Closed word classes of English: what may stand around a noun, but is never one."""

from __future__ import annotations

ARTICLES = frozenset({"a", "an"})
DEFINITE = frozenset("the this that these those".split())
POSSESSIVES = frozenset("my your his her its our their whose".split())
DETERMINERS = DEFINITE | POSSESSIVES  # before what is known already
FURTHER = frozenset("more other additional".split())  # behind a number: more than were mentioned
QUANTIFIERS = frozenset(
    "no some any every each all both several many few most multiple various numerous countless enough more other another "
    "either neither such what which much zero plenty".split()
)
CONJUNCTIONS = frozenset("and or plus & nor".split())
SUBORDINATORS = frozenset(
    "while as when where whereas before after because until since though although if so that which who whom but then once "
    "whenever wherever".split()
)
# A thing named after one of these is a place or a tool, not one more thing to count: "on a table", "through a forest".
PLACE_PREPOSITIONS = frozenset(
    "in on at over through across into onto from to of by under beneath below above near along around inside outside within "
    "against toward towards past amid amidst among amongst between during upon off out up down about atop via throughout "
    "underneath aboard like without per beyond for using".split()
)
# A thing named after one of these stands in the picture on its own: "behind a house", "next to a dog".
PEER_PREPOSITIONS = frozenset("with behind beside besides alongside including".split())
ADORNED = frozenset(  # before "with" they say what a thing has on it: "topped with a strawberry"
    "topped decorated covered adorned garnished trimmed studded embroidered printed painted patterned engraved coated "
    "stuffed sprinkled wrapped".split()
)
PEER_PHRASES = {
    "next": "next to",
    "in": "in front of",
    "along": "along with",
    "together": "together with",
    "as": "as well as",
}
"""First word -> phrase."""
PREPOSITIONS = PLACE_PREPOSITIONS | PEER_PREPOSITIONS

PRONOUNS = frozenset(
    "i you he she it we they me him us them himself herself itself themselves someone somebody everyone something nothing "
    "everything there here who whom mine hers theirs".split()
)
AUXILIARIES = frozenset(
    "is are was were be been being am has have had do does did will would can could should may might must shall isn't "
    "aren't there's it's".split()
)
ADVERBS = frozenset(
    "very quite too also just only still together apart away back forward forwards backward ahead aside overhead nearby "
    "upside side-by-side barefoot downhill uphill downstream upstream upwards downwards outdoors indoors downstairs "
    "upstairs high low fast hard slowly quickly never always often almost nearly about exactly approximately roughly again "
    "once twice today tonight alone asleep awake adrift afloat ablaze aglow alive abreast aloft ashore astride everywhere "
    "somewhere below alike else instead rather more most less least really so not mid-air midair mid-flight".split()
)

# "a photo of three cats": the picture itself is not one of the things in it.
FRAMES = frozenset(
    "photo photos photograph picture pictures image images painting drawing illustration render rendering sketch shot "
    "closeup close-up view portrait scene watercolor watercolour artwork print poster snapshot video footage clip film "
    "animation still depiction diagram cartoon icon clipart engraving mosaic mural logo wallpaper selfie macro panorama cgi "
    "etching landscape triptych diptych collage storyboard grid".split()
)
# "a flock of nine pelicans": the word before "of" only groups what follows.
COLLECTIVES = frozenset(
    "group groups set sets row rows line lines pile stack stacks bunch collection cluster crowd flock herd pack swarm "
    "school team band gang fleet family pod pride litter heap array series lot lots number handful circle ring couple "
    "assortment variety mix sea pattern queue string total range colony brood gaggle squad crew army troop host mass few kind "
    "type sort middle center centre top side edge end back front part rest amount plenty view shade depths maximum minimum "
    "formation arrangement".split()
)
# Never things to count, whatever stands before them.
NOT_THINGS = frozenset(
    "distance lot bit few while way time times day days night nights morning evening afternoon week weeks month months year "
    "years hour hours minute minutes second seconds moment century centuries decade decades season style background "
    "foreground backdrop setting landscape sky sunset sunrise dawn dusk front side sides direction directions row rows "
    "column columns layer layers angle angles degree degrees percent size sizes color colors colour colours shade shades "
    "tone tones half halves third thirds quarter quarters place point points manner fashion resolution quality detail "
    "effect mood atmosphere light lighting weather climate rest variety lens aperture inch inches foot meter meters metre "
    "metres mile miles kilometer kilometers kilometre cm mm km kg lb lbs pound pounds ton tons gram grams liter liters "
    "litre litres gallon gallons dollar dollars euro euros cent cents yard yards px pixel pixels dpi fps k d mph kmh oclock "
    "o'clock pm am ad bc iso stop stops dimension dimensions acre acres age ages aged old x season seasons "
    "element elements wonders lives move moves round rounds lap laps image images exposure exposures shots "
    "takes ii iii iv vi vii viii ix xi xii xiii xiv xv".split()
)
# "behind a house" adds a house to count, "beside a stream" only says where.
SCENERY = frozenset(
    "stream river lake ocean sea pond road street path trail highway forest jungle wood woods mountain mountains hill cliff "
    "wall beach shore coast coastline riverbank bank field meadow valley canyon desert city town village skyline horizon "
    "garden park waterfall harbor harbour canal creek pool wave waves swamp marsh sidewalk curtain crowd audience window "
    "sun moon fountain landmark".split()
)
# "a kitchen with two cats" is where the cats are.
ROOMS = frozenset(
    "room bedroom bathroom kitchen hall hallway corridor studio office classroom library restaurant cafe bar shop store "
    "market farm yard backyard courtyard square plaza park station airport stadium theater theatre scene interior world "
    "place space land area diner bookstore bookshop bakery salon gym garage attic basement laboratory lab hospital museum "
    "gallery church cathedral temple nightclub club pub nook marketplace bazaar".split()
)
# A number behind one of these is its name: "episode 4", "iphone 15".
NAMED_BY_NUMBER = frozenset(
    "nintendo commodore "
    "episode chapter season volume page size style room gate platform flight highway player figure stage phase part act "
    "mark mk model series type class channel district area apollo boeing windows xbox playstation iphone galaxy formula iso "
    "portra seed steps scale cfg score engine war gen generation edition issue day route unit building".split()
)
# Counted as they are, though they have a plural: "three broccoli".
COUNTED_AS_THEY_ARE = frozenset("broccoli asparagus sushi kimono emoji".split())
# A picture named after things: "seven samurai movie", "three cats logo".
NAMED_AFTER_THINGS = frozenset("movie anime style poster album manga comic logo theme wallpaper".split())
# A sum may be made of these: "five people, two women and three men".
PEOPLE = frozenset(
    "person people friend child kid adult student player member human man woman boy girl lady gentleman guy baby toddler "
    "teenager teen brother sister son daughter mother father parent grandparent grandmother grandfather family group figure "
    "character dancer musician guest diner passenger".split()
)
# What people are told apart by, whatever they are called together: "five engineers, three women and two men".
KINDS_OF_PEOPLE = frozenset("man woman boy girl lady gentleman male female child kid adult".split())
# Words for people who are of either kind; by their ends ("-er", "-ant") they are not told from burgers and elephants.
PROFESSIONS = frozenset(
    "accountant activist actor actress adventurer archer architect artist assistant astronaut astronomer athlete attendant "
    "author baker banker barber bartender biker biologist boxer builder butcher buyer carpenter chef chemist climber clown "
    "coach coder comedian commuter composer conductor consultant contestant cook cosplayer customer cyclist dealer dentist "
    "designer detective developer diver doctor driver drummer editor electrician employee engineer explorer farmer fighter "
    "filmmaker florist gamer gangster gardener guard guardian guitarist hacker hairdresser hiker historian hunter immigrant "
    "inspector instructor intern inventor investigator investor janitor jogger journalist judge juggler knight lawyer "
    "leader lecturer librarian magician maid manager mathematician mechanic mentor merchant miner monk mourner mover "
    "neighbor neighbour nun nurse officer painter paramedic participant pharmacist photographer physician physicist pianist "
    "pilot pirate plumber poet politician porter potter presenter priest principal producer professor programmer ranger "
    "reader rebel referee refugee reporter researcher rider robber runner sailor samurai scholar scientist scout sculptor "
    "servant shopper singer skateboarder skater skier snowboarder soldier speaker spectator spy supervisor surfer surgeon "
    "swimmer tailor teacher technician therapist tourist trader trainee trainer traveler traveller tutor usher veterinarian "
    "victim villager violinist visitor volunteer waiter waitress walker warrior welder witch wizard worker wrestler writer "
    "youngster".split()
)
# Name things of several kinds: "five animals, three dogs and two cats".
OF_MANY_KINDS = frozenset(
    "animal pet creature beast vehicle fruit vegetable object item thing toy shape flower instrument bird tool piece".split()
)
# Belong to a thing that is counted already: "with three heads", "on two legs".
PARTS = frozenset(
    "leg legs arm arms hand hands head heads eye eyes ear ears wing wings tail tails horn horns finger fingers toe toes paw "
    "paws hoof hooves knee knees shoulder shoulders tooth teeth fang fangs tentacle tentacles antler antlers petal petals "
    "wheel wheels door doors spoke spokes floor floors story stories storey storeys sail sails mast masts string strings "
    "pocket pockets button buttons handle handles stripe stripes spike spikes claw claws foot feet beard mustache moustache "
    "nose mouth face hair braid braids ponytail ponytails pigtail pigtails scar scars freckle freckles".split()
)
