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
    worst_flops REAL,
    asked_at REAL NOT NULL,       -- seconds since 1970, UTC
    owner TEXT NOT NULL DEFAULT ''  -- who is asking right now; '' when nobody is
);
CREATE INDEX IF NOT EXISTS paid_by ON requests (scope);
CREATE TABLE IF NOT EXISTS reuses (  -- who used a reply that another scope paid for
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    step TEXT NOT NULL,           -- the first that used it
    PRIMARY KEY (scope, key)
) WITHOUT ROWID;
CREATE VIEW IF NOT EXISTS uses AS  -- one line for each reply that a scope used, however often it restarts
    SELECT scope, key, step FROM requests UNION ALL SELECT scope, key, step FROM reuses;
CREATE TABLE IF NOT EXISTS losses (  -- tries whose answer was never recorded, although it may be billed
    scope TEXT NOT NULL,
    step TEXT NOT NULL,
    model TEXT NOT NULL,
    key TEXT NOT NULL,
    usd REAL,                     -- what it can have cost at most
    tokens INTEGER NOT NULL,
    flops REAL,
    at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS lost_by ON losses (scope);
CREATE TABLE IF NOT EXISTS clocks (  -- how long was asked: '' is all steps together, all models together
    scope TEXT NOT NULL,
    step TEXT NOT NULL,           -- its name, or a verb for all its steps
    model TEXT NOT NULL,
    seconds REAL NOT NULL,
    PRIMARY KEY (scope, step, model)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batches (  -- files of requests at a batch endpoint; they hold requests owned by batch:ID
    id TEXT PRIMARY KEY,          -- ours; the service keeps it as metadata, so that a lost answer to a submit is found
    model TEXT NOT NULL,
    scope TEXT NOT NULL,
    step TEXT NOT NULL,
    state TEXT NOT NULL,          -- filling, submitting, out (at the service), over (its results are taken)
    owner TEXT NOT NULL,          -- the process that fills or polls it; '' when none does
    tries INTEGER NOT NULL,       -- how often its requests will have been in a batch
    remote TEXT NOT NULL DEFAULT '',  -- the service's id
    input_file TEXT NOT NULL DEFAULT '',
    output_file TEXT NOT NULL DEFAULT '',
    error_file TEXT NOT NULL DEFAULT '',
    requests INTEGER NOT NULL DEFAULT 0,
    ending TEXT NOT NULL DEFAULT '',  -- how it ended, in the service's word
    made_at REAL NOT NULL,        -- seconds since 1970, UTC
    submitted_at REAL,
    over_at REAL
);
CREATE INDEX IF NOT EXISTS held_by ON requests (owner, key) WHERE owner >= 'batch:' AND owner < 'batch;';
"""
