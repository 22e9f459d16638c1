"""Verbs that end a noun phrase, and words in -ing that do not."""

from __future__ import annotations

# Base forms: "one runner, one cyclist and one pedestrian walk", "a bride and a groom dance".
BASE_VERBS = frozenset(
    "walk run pose play stand sit talk talks dance sing jump swim fly ride watch look eat drink sleep rest chase fight "
    "race climb hang float drift glide hover soar dive fall rise roll spin swirl lie lean wait work stroll wander march "
    "perform compete share hold carry wear pull push move travel sail row paddle graze gallop trot hop crawl face meet "
    "cross pass greet hug kiss laugh smile cook read write paint draw build make take give leap skate ski surf bathe "
    "gather converse argue chat discuss celebrate prepare practice practise train explore search hunt hide peek stare "
    "gaze glow shine burn flicker bloom grow spiral tumble scatter scurry bark howl circle collide orbit land hike camp "
    "cycle jog sprint relax bask nap perch appear wave cheer applaud kneel bow salute follow lead enjoy wrestle duel spar "
    "exchange interact cuddle snuggle swing bounce collect examine inspect repair fix clean sweep wash serve pick plant "
    "harvest feed herd guard protect attack defend try help begin start seem remain stay go come see get put set bring "
    "throw catch kick hit shoot fire point reach fill cover surround stack overlook rehearse improvise debate bicker "
    "join sell buy offer "
    "quarrel whisper shout scream yell cry weep sob giggle grin frown nod hurry rush dash flee escape sneak tiptoe skip "
    "strut parade hurdle box wade dip splash sink emerge vanish disappear arrive depart leave enter exit return approach "
    "retreat advance charge clash joust battle struggle lounge recline slouch crouch squat lurk loom tower sway swoop "
    "flap flutter buzz hum chirp squawk hoot roar growl purr meow snarl sniff lick chew nibble munch feast dine sip slurp "
    "toast picnic trek journey commute roam venture dig mine hammer saw weld sew knit weave sculpt sketch film photograph "
    "record stream broadcast present demonstrate teach learn study research experiment operate drive steer navigate pilot "
    "ferry deliver unload load lift haul drag tow hoist juggle balance flip somersault stretch exercise meditate pray "
    "chant worship huddle assemble congregate cluster line shelter bob rock tilt topple collapse crumble melt freeze drip "
    "leak boil steam smoke simmer sizzle bake grill fry roast blossom wilt sprout sparkle glitter twinkle glimmer shimmer "
    "blaze gleam reflect rotate revolve whirl twirl levitate ascend descend plunge plummet crash smash shatter break "
    "intersect overlap converge align intertwine embrace cradle clutch grasp grip".split()
)
IRREGULAR_PAST = frozenset(
    "sat stood ran flew swam held wore made lay hung rode fell sang went took gave came slept ate drank drove rose threw "
    "caught built found led fed left kept met grew shone spun stuck swung wrote drew broke chose hid bent lit set tied used "
    "died clad seated worn seen shown drawn driven eaten given grown hidden known taken thrown written surrounded".split()
)
# Finite -s forms that could be read as plural nouns are verbs after a singular noun; these stay nouns.
NOUNS_IN_S = frozenset(
    "bus gas lens canvas atlas christmas news sports mathematics physics series species mercedes headquarters crossroads "
    "cactus pants glasses jeans scissors binoculars sunglasses goggles trousers shorts pyjamas pajamas tweezers pliers "
    "headphones texas paris las los arts athletics gymnastics economics politics electronics robotics kansas dallas pegasus "
    "bias iris oasis basis chaos cosmos rhinoceros walrus octopus virus circus campus genius chorus census plus thus this "
    "is was has always perhaps".split()
)
NOUNS_IN_ING = frozenset(
    "painting building wedding ring king wing string spring thing ceiling earring duckling sibling pudding dumpling sling "
    "swing viking herring starling sapling fledgling hatchling inkling darling gosling seedling yearling drawing clothing "
    "lightning evening morning offspring bring sing sting bling ping beijing carving sculpting crossing awning railing "
    "stocking housing opening meeting briefing gathering pairing topping frosting filling lettering writing necking "
    "plaything being offering".split()
)
_COMPOUNDS = (
    "swimming pool suit cap|shopping mall cart bag basket trolley street center centre|washing machine line|"
    "sewing machine kit needle|fishing boat rod net pole village vessel trawler hook lure line|"
    "sailing boat ship vessel yacht|running shoe track|hiking boot trail pole|walking stick cane|sleeping bag pill|"
    "racing car bike horse drone pigeon|rocking chair horse|dining table room chair hall car|living room|"
    "boxing glove ring match|parking lot meter garage space|drinking fountain glass straw|frying pan|cutting board|"
    "chopping board block|rolling pin|mixing bowl|baking tray sheet tin|cooking pot pan|watering can hole|"
    "wedding cake dress ring|bowling ball pin alley|flying saucer squirrel fish|building block site|knitting needle|"
    "spinning wheel top|steering wheel|traveling salesman|measuring cup tape|reading lamp glass|writing desk|"
    "shaving brush|vending machine|climbing wall rope|wrecking ball|whirling dervish|praying mantis mantises|"
    "serving dish|operating table|waiting room|meeting room|changing room|punching bag|skipping rope|"
    "hunting dog lodge|riding boot helmet|training plane|playing card field|magnifying glass|setting sun|"
    "swaddling cloth|landing gear craft"
).split("|")
GERUND_COMPOUNDS = {gerund: frozenset(nouns) for gerund, *nouns in map(str.split, _COMPOUNDS)}
"""Word in -ing -> nouns before which it names a kind of thing, so that both words are the noun: "swimming pool"."""
