"""Bitcoin Core's descriptors as JSON: what `listdescriptors` prints and `importdescriptors` takes.

The whole command `importdescriptors '[…]'`, as a Coldcard exports it, and one object with `desc`
are read too. The watch-only wallet that version 32 exports is a database: see `core_wallet.py`.
Core keeps one descriptor per branch, told apart by `internal`; a pair is joined, and a flag
that contradicts the branch in the descriptor is refused. Fields that say nothing about
scripts (labels, ranges, timestamps) are not read. A wallet's other descriptors, of kinds that
no vault has, are passed over and named in a note.
"""

import json
from dataclasses import dataclass

from custody.bitcoin.descriptor import Branch, Descriptor, join_branches
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.documents.canonical_json import parse_json
from custody.errors import Finding, InvalidInput, JsonValue, Severity
from custody.vault.vault import Vault

MAX_BYTES = 1_000_000
COMMAND = "importdescriptors "
EXPORT_RANGE = 1000
"""How many scripts the node watches per branch until it extends the range by itself."""


@dataclass(frozen=True, slots=True)
class _Listed:
    descriptor: Descriptor
    internal: bool | None
    """None where the entry doesn't say: Core leaves it out for descriptors that are not active."""


def parse(data: bytes, network: Network) -> tuple[Descriptor, tuple[Finding, ...]]:
    """Read the one vault in the list, and note what was passed over.

    Raises:
        InvalidInput: no vault or more than one in it, flags that contradict the branches, and all
            that descriptors are refused for.
    """
    entries = _entries(parse_json(_without_command(data), max_bytes=MAX_BYTES))
    listed: list[_Listed] = []
    passed_over: list[InvalidInput] = []
    for entry in entries:
        try:
            found = _Listed(Descriptor.parse(_text(entry.get("desc")), network), _flag(entry.get("internal")))
        except InvalidInput as error:
            if error.code is not Code.DESCRIPTOR_UNSUPPORTED:
                raise
            passed_over.append(error)
            continue
        if found not in listed:
            listed.append(found)
    if not listed and passed_over:
        raise passed_over[0]
    return _joined(listed), tuple(_note(len(entries), len(passed_over)))


def write(vault: Vault) -> str:
    """Return the array that `importdescriptors` takes, with timestamp 0: the node scans from the first block on."""
    return json.dumps([_entry(vault, branch) for branch in vault.descriptor.branches], indent=2) + "\n"


def _entry(vault: Vault, branch: int) -> dict[str, JsonValue]:
    return {
        "desc": vault.descriptor.single_branch_text(branch, vault.network),
        "active": True,
        "internal": branch == Branch.CHANGE,
        "range": [0, EXPORT_RANGE - 1],
        "timestamp": 0,
    }


def _without_command(data: bytes) -> bytes:
    text = data.strip()
    if not text.startswith(COMMAND.encode()):
        return data
    quoted = text.removeprefix(COMMAND.encode()).strip()
    if len(quoted) < 2 or not (quoted.startswith(b"'") and quoted.endswith(b"'")):
        raise _malformed("the command is not `importdescriptors '[…]'`")
    return quoted[1:-1]


def _entries(document: JsonValue) -> list[dict[str, JsonValue]]:
    if isinstance(document, dict) and "desc" in document:
        return [document]
    listed = document.get("descriptors") if isinstance(document, dict) else document
    if not isinstance(listed, list) or not listed:
        raise _malformed("the JSON document is neither an array nor an object with `descriptors`")
    entries = [entry for entry in listed if isinstance(entry, dict)]
    if len(entries) != len(listed):
        raise _malformed("an entry of the list of descriptors is not an object")
    return entries


def _joined(listed: list[_Listed]) -> Descriptor:
    if len(listed) == 1:
        return _alone(listed[0])
    if len(listed) != 2 or any(len(entry.descriptor.branches) != 1 for entry in listed):
        raise _inconsistent(f"the list holds {len(listed)} descriptors of vaults, expected one per branch")
    first, second = listed
    if {first.internal, second.internal} == {False, True}:
        receive, change = (second, first) if first.internal else (first, second)
    elif first.internal is None and second.internal is None:
        receive, change = sorted(listed, key=lambda entry: entry.descriptor.branches)
    else:
        raise _inconsistent("the list does not say of one descriptor that it is internal, and of the other that not")
    return join_branches(receive.descriptor, change.descriptor)


def _alone(entry: _Listed) -> Descriptor:
    contradicts = entry.internal is not None and entry.descriptor.branches == (int(not entry.internal),)
    if contradicts or (entry.internal and len(entry.descriptor.branches) > 1):
        raise _inconsistent("the flag `internal` contradicts the branch in its descriptor")
    return entry.descriptor


def _note(total: int, passed_over: int) -> list[Finding]:
    if not passed_over:
        return []
    return [
        Finding(
            Code.DESCRIPTOR_UNSUPPORTED,
            Severity.NOTE,
            "vault",
            f"{passed_over} of the list's {total} descriptors are of other kinds and were passed over",
            "Coins on them are not the vault's and will not be shown.",
        )
    ]


def _text(value: JsonValue) -> str:
    if not isinstance(value, str):
        raise _malformed("an entry of the list of descriptors has no text under `desc`")
    return value


def _flag(value: JsonValue) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise _malformed("`internal` is neither true nor false")
    return value


def _malformed(message: str) -> InvalidInput:
    return InvalidInput(
        Code.MALFORMED_DOCUMENT, message, advice="Give the whole answer of `bitcoin-cli listdescriptors`."
    )


def _inconsistent(message: str) -> InvalidInput:
    return InvalidInput(
        Code.IMPORT_INCONSISTENT,
        message,
        advice="Give a list with one vault: one descriptor that receives and one that takes change.",
    )
