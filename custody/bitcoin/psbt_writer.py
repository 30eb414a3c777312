"""Writes maps back: in the order they were read in, or ascending when they are new."""

from collections.abc import Mapping

from custody.bitcoin.transaction import write_bytes


def write_map(fields: Mapping[bytes, bytes], key_order: tuple[bytes, ...] | None) -> bytes:
    """Return one serialized map with its separator.

    A key that `key_order` does not know follows the last key of the same or a lower type.
    """
    keys = sorted(fields) if key_order is None else _ordered(fields, key_order)
    parts: list[bytes] = []
    for key in keys:
        parts.append(write_bytes(key))
        parts.append(write_bytes(fields[key]))
    parts.append(b"\x00")
    return b"".join(parts)


def _ordered(fields: Mapping[bytes, bytes], key_order: tuple[bytes, ...]) -> list[bytes]:
    keys = [key for key in key_order if key in fields]
    known = set(keys)
    for new in sorted(key for key in fields if key not in known):
        places = [place for place, key in enumerate(keys) if key[0] <= new[0]]
        keys.insert(places[-1] + 1 if places else 0, new)
    return keys
