"""The check that a database of journals still is exactly what its SQL made.

Compared is the catalogue itself: tables, columns, constraints, indexes, triggers (and that they
fire), the text of their functions, owners, every right, and the roles' own powers. A dropped
trigger, an added view or a granted DELETE is an alteration. The check shows a change that is there;
who owns the database can undo one before we look, and rewrite rows behind it.

What only tunes a table (storage, autovacuum, statistics) is the database administrator's business.
"""

import hashlib

from psycopg import Cursor
from psycopg.rows import TupleRow

from custody.audit.journal_fields import altered
from custody.codes import Code
from custody.errors import UpgradeNeeded
from custody.workspace.postgres_store_schema import BODIES, COMMENT, SCHEMA_VERSION

_OURS = "'custody_owner', 'custody_reader', 'custody_writer'"
_CATALOGUE = f"""
WITH home AS (SELECT * FROM pg_namespace WHERE nspname = 'custody'),
ours AS (SELECT c.* FROM pg_class c JOIN home ON home.oid = c.relnamespace),
rights AS (
    SELECT 'schema' AS what, nspowner AS owner, coalesce(nspacl, acldefault('n', nspowner)) AS acl
    FROM home
    UNION ALL SELECT relname, relowner, coalesce(relacl, acldefault('r', relowner)) FROM ours WHERE relkind <> 'i'
    UNION ALL SELECT proname, proowner, coalesce(proacl, acldefault('f', proowner))
    FROM pg_proc WHERE pronamespace IN (SELECT oid FROM home)
    UNION ALL SELECT o.relname || '.' || a.attname, o.relowner, a.attacl
    FROM pg_attribute a JOIN ours o ON o.oid = a.attrelid WHERE a.attacl IS NOT NULL
)
SELECT concat_ws(' ', 'schema', nspname, 'of', pg_get_userbyid(nspowner)) AS line FROM home
UNION ALL SELECT concat_ws(' ', 'comment', obj_description(oid, 'pg_namespace')) FROM home
UNION ALL SELECT concat_ws(' ', 'relation', relname, relkind, relpersistence, 'of', pg_get_userbyid(relowner),
    relrowsecurity, relforcerowsecurity, relispartition) FROM ours
UNION ALL SELECT concat_ws(' ', 'column', o.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod),
    a.attnotnull, a.atthasdef, a.attidentity = '', a.attgenerated = '', coalesce(l.collname, '-'))
    FROM pg_attribute a JOIN ours o ON o.oid = a.attrelid LEFT JOIN pg_collation l ON l.oid = a.attcollation
    WHERE a.attnum > 0 AND NOT a.attisdropped AND o.relkind <> 'i'
UNION ALL SELECT concat_ws(' ', 'constraint', o.relname, k.conname, k.convalidated, pg_get_constraintdef(k.oid))
    FROM pg_constraint k JOIN ours o ON o.oid = k.conrelid WHERE k.contype <> 'n'
UNION ALL SELECT concat_ws(' ', 'index', i.indisvalid, i.indisready, pg_get_indexdef(i.indexrelid))
    FROM pg_index i JOIN ours o ON o.oid = i.indrelid
UNION ALL SELECT concat_ws(' ', 'trigger', t.tgenabled,
    CASE WHEN t.tgisinternal THEN o.relname || ' ' || p.proname
    ELSE substr(pg_get_triggerdef(t.oid), length('CREATE TRIGGER  ')) END)
    FROM pg_trigger t JOIN ours o ON o.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
UNION ALL SELECT concat_ws(' ', 'function', p.proname, pg_get_function_arguments(p.oid), l.lanname, p.provolatile,
    p.prosecdef, p.proconfig, 'of', pg_get_userbyid(p.proowner),
    encode(sha256(convert_to(p.prosrc, 'UTF8')), 'hex'))
    FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang WHERE p.pronamespace IN (SELECT oid FROM home)
UNION ALL SELECT concat_ws(' ', 'rule', o.relname, r.rulename) FROM pg_rewrite r JOIN ours o ON o.oid = r.ev_class
UNION ALL SELECT concat_ws(' ', 'policy', o.relname, y.polname) FROM pg_policy y JOIN ours o ON o.oid = y.polrelid
UNION ALL SELECT concat_ws(' ', 'child', o.relname, h.inhrelid) FROM pg_inherits h JOIN ours o ON o.oid = h.inhparent
UNION ALL SELECT concat_ws(' ', 'right', r.what, x.privilege_type, x.is_grantable,
    CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(x.grantee) END)
    FROM rights r CROSS JOIN LATERAL aclexplode(r.acl) x WHERE x.grantee <> r.owner
UNION ALL SELECT concat_ws(' ', 'role', rolname, rolsuper, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication,
    rolbypassrls) FROM pg_roles WHERE rolname IN ({_OURS})
UNION ALL SELECT DISTINCT concat_ws(' ', 'member', pg_get_userbyid(member), 'of', pg_get_userbyid(roleid))
    FROM pg_auth_members WHERE pg_get_userbyid(member) IN ({_OURS})
"""  # noqa: S608 (no value from outside)

_EXPECTED_LINES = """\
column entry 1 journal_id text t f t t C
column entry 2 seq bigint t f t t -
column entry 3 prev bytea t f t t -
column entry 4 hash bytea t f t t -
column entry 5 entry bytea t f t t -
column handover 1 journal_id text t f t t C
column handover 2 number integer t f t t -
column handover 3 nonce text t f t t C
column handover 4 head bytea t f t t -
column journal 1 journal_id text t f t t C
constraint entry entry_hash t CHECK ((hash = sha256(entry)))
constraint entry entry_of_journal t FOREIGN KEY (journal_id) REFERENCES custody.journal(journal_id)
constraint entry entry_one_successor t UNIQUE (journal_id, prev)
constraint entry entry_pkey t PRIMARY KEY (journal_id, seq)
constraint handover handover_of_journal t FOREIGN KEY (journal_id) REFERENCES custody.journal(journal_id)
constraint handover handover_pkey t PRIMARY KEY (journal_id, number)
constraint journal journal_pkey t PRIMARY KEY (journal_id)
constraint journal journal_plain_id t CHECK ((journal_id ~ '^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$'::text))
index t t CREATE UNIQUE INDEX entry_one_successor ON custody.entry USING btree (journal_id, prev)
index t t CREATE UNIQUE INDEX entry_pkey ON custody.entry USING btree (journal_id, seq)
index t t CREATE UNIQUE INDEX handover_pkey ON custody.handover USING btree (journal_id, number)
index t t CREATE UNIQUE INDEX journal_pkey ON custody.journal USING btree (journal_id)
member custody_writer of custody_reader
relation entry r p of custody_owner f f f
relation entry_one_successor i p of custody_owner f f f
relation entry_pkey i p of custody_owner f f f
relation handover r p of custody_owner f f f
relation handover_pkey i p of custody_owner f f f
relation journal r p of custody_owner f f f
relation journal_pkey i p of custody_owner f f f
right entry INSERT f custody_writer
right entry SELECT f custody_reader
right entry SELECT f custody_writer
right handover INSERT f custody_writer
right handover SELECT f custody_reader
right handover SELECT f custody_writer
right journal INSERT f custody_writer
right journal SELECT f custody_reader
right journal SELECT f custody_writer
right schema USAGE f custody_reader
right schema USAGE f custody_writer
role custody_owner f f f f f f
role custody_reader f f f f f f
role custody_writer f f f f f f
schema custody of custody_owner
trigger A entry_follows BEFORE INSERT ON custody.entry FOR EACH ROW EXECUTE FUNCTION custody.entry_follows()
trigger A entry_stays BEFORE TRUNCATE ON custody.entry FOR EACH STATEMENT EXECUTE FUNCTION custody.refuse()
trigger A entry_unchanged BEFORE DELETE OR UPDATE ON custody.entry FOR EACH ROW EXECUTE FUNCTION custody.refuse()
trigger A handover_follows BEFORE INSERT ON custody.handover FOR EACH ROW EXECUTE FUNCTION custody.handover_follows()
trigger A handover_stays BEFORE TRUNCATE ON custody.handover FOR EACH STATEMENT EXECUTE FUNCTION custody.refuse()
trigger A handover_unchanged BEFORE DELETE OR UPDATE ON custody.handover FOR EACH ROW EXECUTE FUNCTION custody.refuse()
trigger A journal_stays BEFORE TRUNCATE ON custody.journal FOR EACH STATEMENT EXECUTE FUNCTION custody.refuse()
trigger A journal_unchanged BEFORE DELETE OR UPDATE ON custody.journal FOR EACH ROW EXECUTE FUNCTION custody.refuse()
trigger O entry RI_FKey_check_ins
trigger O entry RI_FKey_check_upd
trigger O handover RI_FKey_check_ins
trigger O handover RI_FKey_check_upd
trigger O journal RI_FKey_noaction_del
trigger O journal RI_FKey_noaction_del
trigger O journal RI_FKey_noaction_upd
trigger O journal RI_FKey_noaction_upd
"""

_EXPECTED_FUNCTIONS = [
    f'function {name}  plpgsql v f {{"search_path=pg_catalog, pg_temp"}} of custody_owner '
    + hashlib.sha256(body.encode()).hexdigest()
    for name, body in BODIES.items()
]
_EXPECTED = sorted([f"comment {COMMENT}{SCHEMA_VERSION}", *_EXPECTED_LINES.splitlines(), *_EXPECTED_FUNCTIONS])


def check_schema(cursor: Cursor[TupleRow]) -> None:
    """Demand exactly our tables, triggers and rights, in the transaction of `cursor`.

    Raises:
        Altered: JOURNAL_MISSING without our schema, JOURNAL_ALTERED for any difference.
        UpgradeNeeded: ours, but made by a newer version.
    """
    found = sorted(str(row[0]) for row in cursor.execute(_CATALOGUE.encode()))
    comments = [line for line in found if line.startswith("comment")]
    if not comments:
        raise altered("the database holds no journals", code=Code.JOURNAL_MISSING)
    version = comments[0].removeprefix(f"comment {COMMENT}")
    if version.isdecimal() and int(version) > SCHEMA_VERSION:
        raise UpgradeNeeded(
            Code.UPGRADE_NEEDED,
            f"the database has layout {version[:9]}, this version knows {SCHEMA_VERSION}",
            advice="Use the version of custody that made it, or a newer one.",
        )
    if found != _EXPECTED:
        differences = sorted(set(found) ^ set(_EXPECTED))
        raise altered(
            "the tables, triggers or rights of the database are not those that it was made with",
            differences=[line[:200] for line in differences[:20]],
        )
