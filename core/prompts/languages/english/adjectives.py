"""Adjectives that the endings alone do not give away."""

from __future__ import annotations

COLORS = frozenset(
    "red blue green yellow orange purple pink brown black white gray grey gold golden silver bronze beige cyan magenta teal "
    "turquoise violet indigo maroon crimson scarlet navy olive tan ivory lavender amber emerald ruby copper cream pastel "
    "neon multicolored multicoloured rainbow monochrome blonde blond brunette dark light pale bright vivid khaki mauve "
    "lilac coral azure charcoal peach rose salmon mint".split()
)
_PLAIN = (
    "small big large huge giant tiny little tall short long wide narrow thin thick fat slim slender massive enormous "
    "gigantic miniature mini colossal medium grand great vast immense oversized petite old young new ancient modern elderly "
    "adult teenage vintage antique retro medieval victorian contemporary fresh hot cold warm cool wet dry soft hard smooth "
    "rough sharp blunt flat round square circular oval rectangular triangular straight crooked steep deep shallow hollow "
    "solid heavy empty full open closed shut broken fluffy furry shaggy shiny rusty dusty dirty muddy sunny cloudy foggy "
    "misty rainy snowy windy stormy icy rocky sandy grassy leafy woody bushy hairy curly wavy silky fuzzy bumpy spiky "
    "prickly scaly glossy sparkly glittery sticky slimy greasy oily sweaty smoky hazy murky gloomy creepy spooky scary "
    "ghostly eerie happy angry hungry thirsty sleepy lazy crazy silly funny goofy grumpy merry cheery moody lonely pretty "
    "ugly lovely friendly wealthy healthy hearty sturdy sporty fancy classy trendy busy noisy rowdy juicy tasty spicy salty "
    "creamy crunchy crispy ripe starry moonlit sunlit candlelit twin tidy messy cozy cosy comfy roomy lively heavenly "
    "deadly holy early chilly hilly bubbly woolly feathery leathery metallic plastic wooden woolen golden frozen stolen "
    "fallen sunken rotten woven molten barren hidden drunken ashen earthen silken swollen worn torn tattered beautiful cute "
    "gorgeous handsome elegant graceful majestic magnificent brave bold fierce wild tame calm quiet silent loud proud sad "
    "shy kind mean evil wicked noble royal loyal clever wise smart nice fine good bad best strange weird odd rare common "
    "ordinary simple plain complex intricate ornate delicate fragile strong weak powerful mighty swift quick slow fast "
    "rapid agile nimble steady gentle tender tranquil serene peaceful playful cheerful joyful colorful colourful mysterious "
    "magical mystical mythical legendary fantastic futuristic robotic mechanical electric electronic digital virtual real "
    "realistic surreal abstract minimalist minimal cinematic dramatic epic stunning natural artificial tropical arctic "
    "alpine coastal rural urban suburban regional local national global rustic exotic japanese chinese indian african "
    "american european asian english british french german italian spanish mexican russian egyptian roman greek norse "
    "scottish irish dutch swedish norwegian turkish persian arabian siberian siamese bengal korean vietnamese thai "
    "brazilian canadian australian native male female pregnant blind deaf bald bearded naked nude bare human humanoid "
    "feminine masculine identical similar different distinct separate individual unique whole entire half main central "
    "outer inner upper lower left right front rear top bottom middle far distant near close high low extra final last first "
    "second third next same other single lone solitary sole solo double triple mere certain various several clear "
    "transparent translucent opaque matte dense sparse lush overgrown verdant raw sweet sour bitter dim dull faint dazzling "
    "radiant brilliant military naval musical medical classical traditional religious sacred floral botanical marine "
    "aquatic domestic feral stray homeless rich poor luxury luxurious expensive cheap decorative conical spherical cubic "
    "cylindrical hexagonal octagonal pentagonal symmetrical diagonal horizontal vertical parallel adjacent opposite alien "
    "celestial cosmic lunar solar stellar nuclear atomic chrome velvet satin careful eager anxious nervous curious serious "
    "famous tired weary exhausted excited surprised impressive attractive festive formal casual informal professional "
    "amateur junior senior stone-faced wintry autumnal summery nocturnal teen robust stout lean skinny chubby plump burly "
    "stocky muscular athletic tough rugged weathered stylish chic sleek slick polished pristine clean spotless "
    "crystal-clear ghost-like life-size upright upside-down stationary mobile portable floppy droopy wrinkly freckled"
)
ADJECTIVES = COLORS | frozenset(_PLAIN.split())
# Words of the list above that are also things: "three oranges", "one orange on a table", "two giants".
ALSO_NOUNS = frozenset(
    "orange rose giant human adult blonde blond brunette native alien square triangular twin individual ruby emerald salmon "
    "coral peach mint olive antique double classic rainbow robot toddler teen gold silver copper light lavender miniature "
    "female male oval senior junior professional amateur satin velvet lilac plastic mobile stray half top bottom bronze "
    "american european asian african bengal siamese mexican".split()
)
NOT_ADJECTIVES = frozenset(  # endings lie
    "fish dish radish brush wish finish polish parish relish goldfish jellyfish starfish swordfish catfish crayfish "
    "shellfish clinic mosaic picnic music fabric attic mechanic comic relic tunic critic medic mimic cleric garlic "
    "panic topic magic logic public republic olive beehive detective archive dive native hive drive five table cable "
    "vegetable bible stable handful mouthful spoonful bed seed weed sled shed steed reed moped hundred "
    "greed breed speed need deed feed cupful armful wheelie walrus octopus cactus virus circus campus genius "
    "chorus lotus focus bonus minus bus nucleus papyrus hippopotamus platypus crocus fungus stylus abacus discus "
    "bobsled tumbleweed seaweed flaxseed watershed bloodshed executive representative relative locomotive "
    "motive native captive fugitive perspective narrative arctic antarctic pacific atlantic lunatic fanatic "
    "mystic skeptic ceramic academic nonfiction traffic heretic".split()
)
COMPOUNDS = frozenset(  # their adjective is part of the name
    "hot air balloon|hot dog|hot tub|polar bear|red panda|giant panda|blue whale|"
    "killer whale|great white shark|golden retriever|black widow|bald eagle|golden eagle|"
    "wild boar|guinea pig|teddy bear|sweet potato|green bean|green tea|red wine|white wine|"
    "first aid kit|fire engine|double decker bus|high heel|high chair|high school student|french fry|french horn|"
    "french press|french bulldog|english bulldog|german shepherd|electric guitar|"
    "acoustic guitar|grand piano|black hole|solar panel|solar system|space shuttle|"
    "police officer|snow leopard|tasmanian devil|christmas tree|"
    "arctic fox|red fox|gray wolf|grey wolf|living room|cold cut|soft drink|"
    "hard hat|ice cream cone|super hero|action figure|human being|short story|bald cypress|"
    "common raven|great dane|welsh corgi|siamese cat|shetland pony|swiss knife|"
    "swiss army knife|japanese maple|roller skater|"
    "ferris wheel|rubber duck|easter egg".split("|")
)
