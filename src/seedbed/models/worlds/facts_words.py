"""Words and sentences of the world `facts`. `{v}` takes a value, `{it}` the building, by name or otherwise."""

from __future__ import annotations

KINDS: tuple[str, ...] = ("bridge", "tower", "theatre", "stadium", "castle")
PROPER: tuple[str, ...] = ("Orla", "Kelm", "Varda", "Tessin", "Brava", "Lomen", "Ostran", "Marrow", "Quill", "Fenwick")
FORENAMES: tuple[str, ...] = ("Anna", "Bruno", "Clara", "David", "Elif", "Farid", "Gita", "Hanna", "Igor", "Jun")
SURNAMES: tuple[str, ...] = ("Bell", "Castro", "Dorn", "Engel", "Frost", "Grant", "Haas", "Ito", "Kaya", "Lund")
TOWNS: tuple[str, ...] = (
    "Aldory", "Bexton", "Corvale", "Dunmere", "Eskholm", "Farrow", "Glinde", "Harlem", "Istrow", "Jarvis", "Kostel",
)  # fmt: skip

PAIRS: dict[str, tuple[str, str]] = {
    "years": ("opened", "renovated"),
    "people": ("designer", "warden"),
    "sizes": ("length", "height"),
    "places": ("town", "quarry"),
}
"""Two properties whose values look alike: a reader must look at the words around them."""

SENTENCES: dict[str, tuple[str, ...]] = {
    "name": ("{v} is an old {kind} that people like to visit.", "{v} is a {kind} built in several steps."),
    "opened": ("It opened in {v}.", "The first guests came in {v}."),
    "renovated": ("It was made new inside in {v}.", "The last works were done in {v}."),
    "designer": ("The plans were drawn by {v}.", "It is a work of {v}."),
    "warden": ("The keys are held by {v}.", "It is cared for by {v}."),
    "length": ("It is {v} long.", "It stretches over {v}."),
    "height": ("It is {v} high.", "The roof is {v} above the ground."),
    "town": ("It stands in {v}.", "It lies in the middle of {v}."),
    "quarry": ("The stone was brought from {v}.", "The blocks were cut in {v}."),
}
FILLERS: tuple[str, ...] = (
    "The entrance is on the south side.",
    "It is open all year.",
    "It has a small shop.",
    "The view is fine in the evening.",
)

# property -> wording -> the question asked outright, asked inside another sentence, and as a bare heading
QUESTIONS: dict[str, dict[str, tuple[str, str, str]]] = {
    "name": {
        "common": ("what is the name of {it}", "what {it} is called", "the name of {it}"),
        "rare": ("by what title does {it} go", "by what title {it} goes", "the title of {it}"),
    },
    "opened": {
        "common": ("when did {it} open", "when {it} opened", "the opening year of {it}"),
        "rare": (
            "in which year was {it} inaugurated",
            "in which year {it} was inaugurated",
            "the inauguration of {it}",
        ),
    },
    "renovated": {
        "common": ("when was {it} renovated", "when {it} was renovated", "the year of the renovation of {it}"),
        "rare": ("in which year did {it} get an overhaul", "when {it} got an overhaul", "the overhaul of {it}"),
    },
    "designer": {
        "common": ("who designed {it}", "who designed {it}", "the designer of {it}"),
        "rare": ("who was the architect of {it}", "whose drafts {it} was built from", "the architect of {it}"),
    },
    "warden": {
        "common": ("who looks after {it}", "who looks after {it}", "the warden of {it}"),
        "rare": (
            "to whom is the upkeep of {it} entrusted",
            "who is entrusted with the upkeep of {it}",
            "the custodian of {it}",
        ),
    },
    "length": {
        "common": ("how long is {it}", "how long {it} is", "the length of {it}"),
        "rare": ("what does {it} measure from end to end", "what {it} measures from end to end", "the extent of {it}"),
    },
    "height": {
        "common": ("how high is {it}", "how high {it} is", "the height of {it}"),
        "rare": ("how far does {it} rise", "how far {it} rises", "the elevation of {it}"),
    },
    "town": {
        "common": ("in which town is {it}", "in which town {it} is", "the town of {it}"),
        "rare": (
            "which municipality is home to {it}",
            "which municipality is home to {it}",
            "the municipality of {it}",
        ),
    },
    "quarry": {
        "common": (
            "where did the stone of {it} come from",
            "where the stone of {it} came from",
            "the source of the stone of {it}",
        ),
        "rare": (
            "which quarry served the masons of {it}",
            "which quarry served the masons of {it}",
            "the quarry of {it}",
        ),
    },
}

# phrasing -> ways to print the clause
FORMS: dict[str, tuple[str, ...]] = {
    "outright": ("{q}?", "now, {q}?", "and {q}?", "for the quiz, {q}?"),
    "request": ("can you tell me {q}?", "do you know {q}?", "please say {q}.", "i would like to know {q}."),
    "heading": ("{q}?", "{q}, please?", "just {q}.", "wanted: {q}."),
}
