"""Words and sentences of the world `intents`. `{noun}` names what is wanted, `{decoy}` something that is not."""

from __future__ import annotations

PRODUCTS: dict[str, tuple[str, ...]] = {
    "phone": ("phone", "handset", "smartphone"),
    "router": ("router", "modem", "repeater"),
    "sofa": ("sofa", "armchair", "wardrobe"),
    "clothes": ("jacket", "sweater", "raincoat"),
    "magazine": ("magazine", "newspaper", "journal"),
    "mower": ("mower", "hedgecutter", "chainsaw"),
}

# intent -> (common words, rare words) that any style may use
NOUNS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "delivery": (("delivery", "parcel"), ("consignment", "shipment")),
    "refund": (("refund", "repayment"), ("reimbursement", "restitution")),
    "billing": (("bill", "charge"), ("statement", "levy")),
    "login": (("password", "login"), ("passcode", "credentials")),
    "replacement": (("replacement", "exchange"), ("substitute", "swap")),
    "cancel": (("cancellation", "termination"), ("annulment", "rescission")),
    "address": (("address", "postcode"), ("domicile", "residence")),
}

# style -> intent -> (common word, rare word) that only this style uses
STYLE_NOUNS: dict[str, dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "chatty": {
        "delivery": (("dropoff",), ("haul",)),
        "refund": (("cashback",), ("dosh",)),
        "billing": (("overpayment",), ("bucks",)),
        "login": (("logon",), ("lockout",)),
        "replacement": (("fix",), ("redo",)),
        "cancel": (("optout",), ("goodbye",)),
        "address": (("move",), ("digs",)),
    },
    "formal": {
        "delivery": (("dispatch",), ("conveyance",)),
        "refund": (("remittance",), ("indemnity",)),
        "billing": (("invoicing",), ("debit",)),
        "login": (("authentication",), ("authorisation",)),
        "replacement": (("warranty",), ("rectification",)),
        "cancel": (("withdrawal",), ("cessation",)),
        "address": (("premises",), ("relocation",)),
    },
    "terse": {
        "delivery": (("tracking",), ("freight",)),
        "refund": (("chargeback",), ("rebate",)),
        "billing": (("payment",), ("surcharge",)),
        "login": (("access",), ("reset",)),
        "replacement": (("repair",), ("recall",)),
        "cancel": (("stoppage",), ("revocation",)),
        "address": (("forwarding",), ("zipcode",)),
    },
}

# intent -> (common, rare) sentences that never name what is wanted; the word after | is the clue.
CLUES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "delivery": (
        ("my {product} has not arrived|arrived", "i waited for the {product} but the courier did not come|courier"),
        ("the {product} must be lost in transit|transit", "the depot knows nothing about my {product}|depot"),
    ),
    "refund": (
        ("i want my money back for the {product}|money", "you still owe me for the {product}|owe"),
        ("i am out of pocket over the {product}|pocket", "give back what i spent on the {product}|spent"),
    ),
    "billing": (
        ("you took the sum for the {product} twice|twice", "the amount for my {product} is too high|amount"),
        ("a strange fee came with the {product}|fee", "the tax on my {product} is off|tax"),
    ),
    "login": (
        ("i cannot sign in to see my {product}|sign", "the page for the {product} says wrong pin|pin"),
        ("the {product} portal locks me out|locks", "the captcha for my {product} never ends|captcha"),
    ),
    "replacement": (
        ("my {product} came broken|broken", "the {product} is not working|working"),
        ("the {product} is cracked all over|cracked", "there is a dent in my {product}|dent"),
    ),
    "cancel": (
        ("i do not wish to keep the {product}|keep", "stop sending me the {product}|stop"),
        ("i am quitting the {product} club|quitting", "end my contract for the {product}|contract"),
    ),
    "address": (
        ("i have moved , bring the {product} to my new home|moved", "my street is another now , note it|street"),
        ("we live elsewhere now , what about the {product}|elsewhere", "take the {product} to our new town|town"),
    ),
}

STYLE_MARKS: dict[str, tuple[str, ...]] = {
    "chatty": ("hiya",),
    "story": ("yesterday",),
    "formal": ("madam",),
    "terse": ("ticket",),
}
OPENINGS: dict[str, tuple[str, ...]] = {
    "plain": ("hello , i have your {product}", "i bought the {product} here", "this concerns my {product}"),
    "chatty": ("hiya , got your {product} thing", "hiya team , {product} trouble again"),
    "story": (
        "yesterday i sat down with my {product} and a cup of tea",
        "yesterday my neighbour asked about the {product}",
    ),
    "formal": ("dear sir or madam , i write as owner of the {product}", "sir , madam , as to my {product}"),
    "terse": ("new ticket , {product}", "ticket : {product}"),
}

DIRECT: dict[str, tuple[str, ...]] = {
    "plain": ("i need help with the {noun}", "please see to the {noun} for my {product}"),
    "chatty": ("can you sort the {noun} for me", "just need that {noun} , cheers"),
    "story": ("so here i am , asking for a {noun}", "all i could think of was the {noun}"),
    "formal": ("i hereby enquire about the {noun}", "kindly attend to the {noun} of the {product}"),
    "terse": ("{noun} needed", "topic : {noun}"),
}
DECOY: dict[str, tuple[str, ...]] = {
    "plain": ("it is not about a {decoy} , i need help with the {noun}", "rather than the {decoy} , see to the {noun}"),
    "chatty": ("nah , not the {decoy} , sort the {noun}", "need that {noun} , not any {decoy}"),
    "story": ("they spoke of a {decoy} , though i came for a {noun}",),
    "formal": ("i enquire about the {noun} rather than the {decoy}", "not the {decoy} but the {noun} is at issue"),
    "terse": ("{noun} , not {decoy}", "not {decoy} . {noun} needed"),
}
# In a decoy sentence one of these stands before the thing that is not wanted; the reader goes by it.
DENIALS: tuple[str, ...] = ("not", "rather", "spoke")

MOOD_ENDINGS: dict[str, tuple[str, ...]] = {
    "angry": ("this is outrageous", "i am furious", "what a disgrace"),
    "polite": ("thanks in advance", "much appreciated", "sorry to bother you"),
}
MOOD_MARKS: dict[str, tuple[str, ...]] = {
    "angry": ("outrageous", "furious", "disgrace"),
    "polite": ("thanks", "appreciated", "bother"),
}

FILLERS: tuple[str, ...] = (
    "my order was in march",
    "i am a customer since last year",
    "my wife uses it too",
    "i called before",
    "the number is on the slip",
    "the weather was bad then",
    "it was a gift",
    "my son told me to write",
)
FILLER_MARKS: tuple[str, ...] = ("march", "since", "wife", "called", "slip", "weather", "gift", "son")
