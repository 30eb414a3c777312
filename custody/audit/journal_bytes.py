"""The bytes of a journal entry, as stored (without its hash) and as exported (with it).

Both are canonical; one is made from the other by putting a member in or cutting it out, since
writing each entry of a long journal anew takes ten times as long. Nothing here proves that
the bytes are canonical, or that the hash covers them.
"""

from custody.audit.journal_fields import is_hash, malformed

_JOURNAL_ID = b',"journal_id":"'

HASH_MEMBER_LENGTH = len(',"hash":""') + 64
"""So many bytes has an entry more in its export line, the line feed aside."""


def with_hash(stored: bytes, entry_hash: str) -> bytes:
    """Return the canonical bytes of an entry with its member `hash`, from those without."""
    before, journal_id, after = stored.rpartition(_JOURNAL_ID)
    return b"".join((before, _hash_member(entry_hash), journal_id, after))


def without_hash(whole: bytes, entry_hash: str) -> bytes:
    """Return the canonical bytes of an entry without its member `hash`, from those with it.

    The keys of an entry are sorted: after `hash` come `journal_id`, `kind`, `prev`, `request_id`, `seq`, `time`
    and `tip`, whose texts hold no quotation mark and whose objects no `journal_id`. So the last place where the two
    names meet is the entry's own, whatever the body before it says.

    Raises:
        InvalidInput: there is no such member before the journal id.
    """
    if not is_hash(entry_hash):
        raise malformed("hash is not 64 lower-case hex characters")
    before, found, after = whole.rpartition(_hash_member(entry_hash) + _JOURNAL_ID)
    if not found:
        raise malformed("hash does not stand before the journal id")
    return b"".join((before, _JOURNAL_ID, after))


def _hash_member(entry_hash: str) -> bytes:
    return b',"hash":"%b"' % entry_hash.encode("ascii")
