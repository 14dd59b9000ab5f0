"""Words of the world `claims`: what people did, in six places."""

from __future__ import annotations

NAMES: tuple[str, ...] = (
    "Marta", "Ivan", "Chen", "Amina", "Luis", "Petra", "Omar", "Greta", "Tomas", "Yuki", "Nadia", "Boris",
)  # fmt: skip
DAYS: tuple[str, ...] = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

# domain -> (verb, past, past of a word that means the same, past of a word that excludes it)
VERBS: dict[str, tuple[tuple[str, str, str, str], ...]] = {
    "market": (
        ("order", "ordered", "requested", "declined"),
        ("display", "displayed", "exhibited", "concealed"),
        ("unpack", "unpacked", "unwrapped", "wrapped"),
        ("purchase", "purchased", "acquired", "returned"),
    ),
    "farm": (
        ("move", "moved", "shifted", "forgot"),
        ("hoist", "hoisted", "raised", "lowered"),
        ("collect", "collected", "gathered", "scattered"),
        ("rescue", "rescued", "saved", "abandoned"),
    ),
    "school": (
        ("praise", "praised", "lauded", "criticised"),
        ("arrange", "arranged", "sorted", "jumbled"),
        ("count", "counted", "tallied", "miscounted"),
        ("choose", "chose", "selected", "discarded"),
    ),
    "harbour": (
        ("load", "loaded", "stowed", "unloaded"),
        ("repair", "repaired", "mended", "wrecked"),
        ("inspect", "inspected", "examined", "overlooked"),
        ("import", "imported", "landed", "exported"),
    ),
    "hospital": (
        ("clean", "cleaned", "disinfected", "soiled"),
        ("approve", "approved", "authorised", "rejected"),
        ("deliver", "delivered", "supplied", "retained"),
        ("label", "labelled", "tagged", "mislabelled"),
    ),
    "museum": (
        ("restore", "restored", "refurbished", "neglected"),
        ("insure", "insured", "covered", "risked"),
        ("loan", "loaned", "provided", "refused"),
        ("locate", "located", "found", "lost"),
    ),
}

# domain -> (things, a wider word for them)
OBJECTS: dict[str, tuple[tuple[str, str], ...]] = {
    "market": (("carrots", "vegetables"), ("apples", "fruits"), ("scarves", "garments"), ("lamps", "appliances")),
    "farm": (("hens", "birds"), ("tractors", "vehicles"), ("roses", "flowers"), ("barrels", "containers")),
    "school": (("novels", "books"), ("pencils", "implements"), ("violins", "instruments"), ("desks", "furnishings")),
    "harbour": (("tugs", "vessels"), ("herrings", "fishes"), ("ropes", "cords"), ("crates", "boxes")),
    "hospital": (("scalpels", "blades"), ("pills", "medicines"), ("monitors", "devices"), ("gowns", "clothes")),
    "museum": (("statues", "sculptures"), ("coins", "valuables"), ("maps", "documents"), ("portraits", "paintings")),
}

PLACES: dict[str, tuple[str, ...]] = {
    "market": ("stall", "arcade", "square", "warehouse"),
    "farm": ("barn", "orchard", "meadow", "stable"),
    "school": ("library", "gym", "classroom", "canteen"),
    "harbour": ("pier", "dock", "lighthouse", "shipyard"),
    "hospital": ("ward", "pharmacy", "laboratory", "reception"),
    "museum": ("gallery", "vault", "foyer", "cellar"),
}

EXTRAS: tuple[str, ...] = (
    "for a friend", "before dawn", "by mistake", "without gloves", "in secret", "for the third time",
)  # fmt: skip

FRAMES: dict[str, tuple[str, ...]] = {
    "bare": ("{core}",),
    "report": ("according to the text , {core}", "the text reports that {core}"),
    "concession": ("whatever else happened , {core}", "for all we know , {core}"),
}

FILLERS: tuple[str, ...] = (
    "The weather was mild.",
    "Nobody was in a hurry.",
    "A radio played somewhere.",
    "It had been a quiet week.",
)
