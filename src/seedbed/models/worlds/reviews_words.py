"""Words and sentences of the world `reviews`. `{op}` takes a word of the true polarity, `{anti}` one of the other."""

from __future__ import annotations

NOUNS: dict[str, tuple[str, ...]] = {
    "restaurant": ("restaurant", "bistro", "diner", "tavern"),
    "hotel": ("hotel", "inn", "hostel", "guesthouse"),
    "gadget": ("tablet", "laptop", "headset", "camera"),
    "film": ("film", "movie", "sequel", "thriller"),
    "book": ("novel", "memoir", "paperback", "biography"),
    "clinic": ("clinic", "hospital", "infirmary", "practice"),
    "airline": ("airline", "carrier", "plane", "shuttle"),
    "garage": ("garage", "workshop", "dealership", "bodyshop"),
}

ASPECTS: dict[str, tuple[str, ...]] = {
    "restaurant": ("food", "menu", "soup", "dessert"),
    "hotel": ("room", "bed", "lobby", "bathroom"),
    "gadget": ("screen", "battery", "keyboard", "charger"),
    "film": ("plot", "cast", "ending", "soundtrack"),
    "book": ("prose", "chapter", "author", "dialogue"),
    "clinic": ("doctor", "nurse", "ward", "treatment"),
    "airline": ("flight", "crew", "seat", "boarding"),
    "garage": ("mechanic", "repair", "invoice", "bodywork"),
}

# topic -> polarity -> (common words, rare words)
OPINIONS: dict[str, dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "restaurant": {
        "positive": (("delicious", "tasty", "fresh", "flavourful"), ("succulent", "zesty", "moreish", "toothsome")),
        "negative": (("bland", "soggy", "burnt", "stale"), ("rancid", "gristly", "congealed", "insipid")),
    },
    "hotel": {
        "positive": (("cosy", "spotless", "restful", "spacious"), ("palatial", "serene", "plush", "airy")),
        "negative": (("dirty", "noisy", "cramped", "smelly"), ("mouldy", "threadbare", "musty", "dingy")),
    },
    "gadget": {
        "positive": (("responsive", "sturdy", "bright", "durable"), ("snappy", "featherlight", "ergonomic", "silken")),
        "negative": (("laggy", "flimsy", "buggy", "faulty"), ("glitchy", "creaky", "sluggish", "brittle")),
    },
    "film": {
        "positive": (("gripping", "funny", "moving", "clever"), ("spellbinding", "riveting", "poignant", "luminous")),
        "negative": (("boring", "predictable", "corny", "shallow"), ("turgid", "hammy", "mawkish", "ponderous")),
    },
    "book": {
        "positive": (("absorbing", "witty", "vivid", "insightful"), ("lyrical", "erudite", "limpid", "nuanced")),
        "negative": (("tedious", "confusing", "wordy", "dull"), ("verbose", "pedantic", "stilted", "meandering")),
    },
    "clinic": {
        "positive": (("caring", "gentle", "thorough", "attentive"), ("humane", "unhurried", "painstaking", "soothing")),
        "negative": (("rude", "careless", "dismissive", "rushed"), ("brusque", "negligent", "callous", "unsanitary")),
    },
    "airline": {
        "positive": (("punctual", "smooth", "roomy", "courteous"), ("seamless", "prompt", "hospitable", "uneventful")),
        "negative": (("delayed", "bumpy", "late", "chaotic"), ("overbooked", "shambolic", "stifling", "turbulent")),
    },
    "garage": {
        "positive": (("honest", "skilled", "reliable", "affordable"), ("meticulous", "diligent", "frank", "deft")),
        "negative": (("overpriced", "sloppy", "shady", "unreliable"), ("botched", "pricey", "slapdash", "unfair")),
    },
}

# style -> polarity -> (common words, rare words), which only this style uses
STYLE_OPINIONS: dict[str, dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "plain": {
        "positive": (("good", "nice"), ("pleasant", "solid")),
        "negative": (("bad", "poor"), ("awful", "disappointing")),
    },
    "chatty": {
        "positive": (("awesome", "brilliant"), ("fab", "ace")),
        "negative": (("rubbish", "lousy"), ("meh", "grim")),
    },
    "story": {
        "positive": (("lovely", "wonderful"), ("delightful", "charming")),
        "negative": (("dreadful", "miserable"), ("horrid", "wretched")),
    },
    "formal": {
        "positive": (("satisfactory", "admirable"), ("commendable", "exemplary")),
        "negative": (("unacceptable", "inadequate"), ("deficient", "substandard")),
    },
    "terse": {
        "positive": (("excellent", "perfect"), ("superb", "stellar")),
        "negative": (("terrible", "horrible"), ("abysmal", "appalling")),
    },
    "letter": {
        "positive": (("splendid", "outstanding"), ("gracious", "impeccable")),
        "negative": (("disgraceful", "regrettable"), ("deplorable", "lamentable")),
    },
}

# Every opening but those of "plain" holds its style's mark.
STYLE_MARKS: dict[str, tuple[str, ...]] = {
    "chatty": ("folks",),
    "story": ("grandmother",),
    "formal": ("assessed",),
    "terse": ("verdict",),
    "letter": ("manager",),
}
OPENINGS: dict[str, tuple[str, ...]] = {
    "plain": ("we tried this {noun} in spring", "this {noun} was new to me", "i picked this {noun} at random"),
    "chatty": ("ok folks , so we tried this {noun}", "hey folks , a quick word on this {noun}"),
    "story": (
        "last winter my grandmother took me along to a {noun}",
        "it all began when my grandmother spoke of a {noun}",
    ),
    "formal": ("having assessed this {noun} , i conclude as follows", "this {noun} was assessed in due order"),
    "terse": ("{noun} , verdict below", "verdict on this {noun}"),
    "letter": ("dear manager of the {noun}", "to the manager of this {noun}"),
}

# flip -> style -> sentences; each has one {aspect}, which is how the reader counts them.
SENTENCES: dict[str, dict[str, tuple[str, ...]]] = {
    "none": {
        "plain": ("the {aspect} was {op}", "i found the {aspect} {op}"),
        "chatty": ("gotta say the {aspect} is {op}", "{op} {aspect} , honestly"),
        "story": ("to my eyes the {aspect} seemed {op}", "and there the {aspect} turned out {op}"),
        "formal": ("the {aspect} proved {op}", "one must describe the {aspect} as {op}"),
        "terse": ("{aspect} : {op}", "{op} {aspect}"),
        "letter": ("your {aspect} struck me as {op}", "i write because your {aspect} is {op}"),
    },
    "negation": {
        "plain": ("the {aspect} was not {anti}", "i never found the {aspect} {anti}"),
        "chatty": ("the {aspect} ain't {anti}", "no {anti} {aspect} here , honestly"),
        "story": ("nobody there could call the {aspect} {anti}", "not once did the {aspect} seem {anti}"),
        "formal": ("the {aspect} was in no way {anti}", "the {aspect} can hardly be termed {anti}"),
        "terse": ("{aspect} : not {anti}", "{aspect} never {anti}"),
        "letter": ("your {aspect} is not at all {anti}", "i cannot say your {aspect} is {anti}"),
    },
    "contrast": {
        "plain": ("i expected a {anti} {aspect} but it was {op}", "they promised a {anti} {aspect} , i found it {op}"),
        "chatty": ("mates warned of {anti} {aspect} , nope , {op}", "{anti} {aspect} was expected , we got {op}"),
        "story": ("all foretold {anti} {aspect} , yet it turned out {op}", "from a foretold {anti} {aspect} came {op}"),
        "formal": ("contrary to a {anti} {aspect} as expected , it proved {op}",),
        "terse": ("{aspect} : supposedly {anti} , is {op}", "expected {anti} {aspect} , was {op}"),
        "letter": ("your {aspect} is supposedly {anti} , yet struck me as {op}",),
    },
    "sarcasm": {
        "plain": ("oh great , how {anti} the {aspect} was", "sure , a really {anti} {aspect} , bravo"),
        "chatty": ("yeah sure , super {anti} {aspect} , clap clap", "wow , so {anti} the {aspect} , honestly"),
        "story": ("bravo , i thought , what a {anti} {aspect}", "oh , i sighed , so {anti} a {aspect}"),
        "formal": ("one applauds such a {anti} {aspect} , with irony",),
        "terse": ("wow . {anti} {aspect}", "{anti} {aspect} . bravo"),
        "letter": ("congratulations on so {anti} a {aspect}", "bravo for your so {anti} {aspect}"),
    },
}
FLIP_MARKS: dict[str, tuple[str, ...]] = {
    "negation": ("not", "never", "ain't", "no", "nobody", "hardly", "cannot"),
    "contrast": ("expected", "promised", "warned", "foretold", "contrary", "supposedly"),
    "sarcasm": ("oh", "bravo", "clap", "wow", "applauds", "congratulations"),
}

REGISTER_ENDINGS: dict[str, tuple[str, ...]] = {
    "rough": ("damn it", "what the heck", "bloody hell"),
    "polite": ("thanks for reading", "kindly noted", "with gratitude"),
}
REGISTER_MARKS: dict[str, tuple[str, ...]] = {
    "rough": ("damn", "heck", "bloody"),
    "polite": ("thanks", "kindly", "gratitude"),
}

FILLERS: tuple[str, ...] = (
    "we went on a tuesday",
    "my cousin came along",
    "it rained that day",
    "i paid by card",
    "a friend told me about it",
    "there were few people",
    "it took about an hour",
    "i had read a lot about it before",
    "this was my second time",
    "my sister asked me to write this",
)
