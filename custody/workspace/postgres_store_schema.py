"""The SQL that makes a database of journals: roles, tables, triggers, rights.

Three roles share the work, none of which can log in. `custody_owner` owns the tables and does
nothing else; `custody_writer` may add rows; `custody_reader` may read them. An office's login is a
member of one of the last two, and every transaction takes that role and no more, whoever logs in.

Triggers refuse every update, deletion and truncation, and every row that doesn't follow the newest
one; constraints refuse a second successor and a hash that isn't the entry's. All of that stops
accidents and other programs. The owner can lift it: see `postgres_store_layout`.
"""

SCHEMA_VERSION = 1
"""Stands in the comment of the schema; raised whenever an older program must not touch the tables."""

COMMENT = "custody-journal layout "
"""Comment of the schema, followed by the version."""

_GENESIS = "decode(repeat('00', 32), 'hex')"

_REFUSE = """
BEGIN
    RAISE EXCEPTION 'a journal only grows: nothing in it is changed or removed';
END
"""

_ENTRY_FOLLOWS = f"""
BEGIN
    -- One writer of a journal at a time, also past this program; each query below then sees what is committed.
    PERFORM pg_advisory_xact_lock(hashtextextended(NEW.journal_id, 0));
    IF (SELECT count(*) % 2 FROM custody.handover AS h WHERE h.journal_id = NEW.journal_id) = 1 THEN
        RAISE EXCEPTION 'this journal was moved to another place';
    END IF;
    IF NEW.seq IS DISTINCT FROM
            (SELECT coalesce(max(e.seq), -1) + 1 FROM custody.entry AS e WHERE e.journal_id = NEW.journal_id)
        OR NEW.prev IS DISTINCT FROM coalesce(
            (SELECT e.hash FROM custody.entry AS e WHERE e.journal_id = NEW.journal_id ORDER BY e.seq DESC LIMIT 1),
            {_GENESIS}) THEN
        RAISE EXCEPTION 'an entry follows the newest one';
    END IF;
    RETURN NEW;
END
"""  # noqa: S608 (no value from outside)

_HANDOVER_FOLLOWS = f"""
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(NEW.journal_id, 0));
    IF NEW.number IS DISTINCT FROM
            (SELECT count(*) + 1 FROM custody.handover AS h WHERE h.journal_id = NEW.journal_id)
        OR NEW.head IS DISTINCT FROM coalesce(
            (SELECT e.hash FROM custody.entry AS e WHERE e.journal_id = NEW.journal_id ORDER BY e.seq DESC LIMIT 1),
            {_GENESIS}) THEN
        RAISE EXCEPTION 'a handover follows the newest one, at the newest entry';
    END IF;
    RETURN NEW;
END
"""  # noqa: S608 (no value from outside)

BODIES = {"refuse": _REFUSE, "entry_follows": _ENTRY_FOLLOWS, "handover_follows": _HANDOVER_FOLLOWS}
"""The trigger functions' text, as the catalogue keeps it."""


def _function(name: str) -> str:
    return (
        f"CREATE FUNCTION custody.{name}() RETURNS trigger LANGUAGE plpgsql\n"
        f"    SET search_path = pg_catalog, pg_temp AS $body${BODIES[name]}$body$;\n"
        f"REVOKE ALL ON FUNCTION custody.{name}() FROM PUBLIC;\n"
    )


def _guarded(table: str) -> str:
    """Return the triggers of one table; ALWAYS, so that a session that plays a replica can't pass them by."""
    triggers = {
        f"{table}_unchanged": f"BEFORE UPDATE OR DELETE ON custody.{table} FOR EACH ROW",
        f"{table}_stays": f"BEFORE TRUNCATE ON custody.{table} FOR EACH STATEMENT",
    }
    made = {name: f"CREATE TRIGGER {name} {when} EXECUTE FUNCTION custody.refuse();" for name, when in triggers.items()}
    if f"{table}_follows" in BODIES:
        name = f"{table}_follows"
        made[name] = (
            f"CREATE TRIGGER {name} BEFORE INSERT ON custody.{table} FOR EACH ROW EXECUTE FUNCTION custody.{name}();"
        )
    always = [f"ALTER TABLE custody.{table} ENABLE ALWAYS TRIGGER {name};" for name in made]
    return "\n".join([*made.values(), *always]) + "\n"


SCHEMA_SQL = f"""\
-- The database of custody journals, layout {SCHEMA_VERSION}. Run once per database, by a superuser:
--   psql --set ON_ERROR_STOP=1 --file FILE DATABASE
-- Then give each office's login one role: GRANT custody_writer TO login;  (an auditor: custody_reader)
-- Nobody needs custody_owner afterwards.

BEGIN;

SET LOCAL search_path = pg_catalog, pg_temp;

DO $roles$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['custody_owner', 'custody_writer', 'custody_reader'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
        END IF;
    END LOOP;
END
$roles$;
GRANT custody_reader TO custody_writer;

CREATE SCHEMA custody AUTHORIZATION custody_owner;
COMMENT ON SCHEMA custody IS '{COMMENT}{SCHEMA_VERSION}';
SET LOCAL ROLE custody_owner;

CREATE TABLE custody.journal (
    journal_id text COLLATE "C" NOT NULL,
    CONSTRAINT journal_pkey PRIMARY KEY (journal_id),
    CONSTRAINT journal_plain_id CHECK (journal_id ~ '^[A-Za-z0-9][A-Za-z0-9_.:-]{{0,127}}$')
);

-- entry: the canonical bytes without their hash (RFC 8785). prev: the hash of the entry before, 32 zero bytes at first.
CREATE TABLE custody.entry (
    journal_id text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    prev bytea NOT NULL,
    hash bytea NOT NULL,
    entry bytea NOT NULL,
    CONSTRAINT entry_pkey PRIMARY KEY (journal_id, seq),
    CONSTRAINT entry_one_successor UNIQUE (journal_id, prev),
    CONSTRAINT entry_of_journal FOREIGN KEY (journal_id) REFERENCES custody.journal (journal_id),
    CONSTRAINT entry_hash CHECK (hash = sha256(entry))
);

-- Each row closes the journal here (1st, 3rd, …) because it moved to another place, or opens it again (2nd, 4th, …).
CREATE TABLE custody.handover (
    journal_id text COLLATE "C" NOT NULL,
    number integer NOT NULL,
    nonce text COLLATE "C" NOT NULL,
    head bytea NOT NULL,
    CONSTRAINT handover_pkey PRIMARY KEY (journal_id, number),
    CONSTRAINT handover_of_journal FOREIGN KEY (journal_id) REFERENCES custody.journal (journal_id)
);

{"".join(map(_function, BODIES))}
{"".join(map(_guarded, ("journal", "entry", "handover")))}
GRANT USAGE ON SCHEMA custody TO custody_reader, custody_writer;
GRANT SELECT ON custody.journal, custody.entry, custody.handover TO custody_reader, custody_writer;
GRANT INSERT ON custody.journal, custody.entry, custody.handover TO custody_writer;

COMMIT;
"""
"""Creates roles, schema, tables, triggers and rights in one transaction; runs once per database."""
