"""The tables of a ledger file."""

from __future__ import annotations

VERSION = 2

TABLES = """
CREATE TABLE IF NOT EXISTS requests (
    key TEXT PRIMARY KEY,
    scope TEXT NOT NULL,          -- the run that paid
    step TEXT NOT NULL,           -- and its step
    model TEXT NOT NULL,          -- the address
    request TEXT NOT NULL,        -- JSON: messages and sampling; never a key or a header
    state TEXT NOT NULL,          -- asked, reply, refused, truncated, terminal, exhausted
    text TEXT,                    -- the reply as it came, or why there is none
    returned_model TEXT,
    tokens_in INTEGER,
    tokens_out INTEGER,
    tokens_cached INTEGER NOT NULL DEFAULT 0,  -- of tokens_in, read from the endpoint's prompt cache
    usd REAL,                     -- NULL is unknown, which is not free
    flops REAL,                   -- NULL is unknown
    seconds REAL,
    logprobs TEXT,                -- JSON
    checked TEXT NOT NULL DEFAULT '',  -- valid, salvaged, repaired, invalid, malformed; '' without a constraint
    worst_usd REAL,
    worst_tokens INTEGER NOT NULL,
    asked_at REAL NOT NULL,       -- seconds since 1970, UTC
    owner TEXT NOT NULL DEFAULT ''  -- who is asking right now; '' when nobody is
);
CREATE INDEX IF NOT EXISTS paid_by ON requests (scope);
CREATE TABLE IF NOT EXISTS uses (  -- who used a reply, paid for by them or not; one line however often a run restarts
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    step TEXT NOT NULL,           -- the first that used it
    PRIMARY KEY (scope, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS losses (  -- tries whose answer was never recorded, although it may be billed
    scope TEXT NOT NULL,
    step TEXT NOT NULL,
    model TEXT NOT NULL,
    key TEXT NOT NULL,
    usd REAL,                     -- what it can have cost at most
    tokens INTEGER NOT NULL,
    at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS lost_by ON losses (scope);
"""
