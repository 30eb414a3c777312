"""What a vault's keys may not be, whatever file they came from (attacks A11, A12, A17, A18, A122).

`inspect_vault` returns every finding; `require_sound` raises on those that refuse. Keys are
compared by what children follow from, never by text, fingerprint or position in the tree: an
extended key's depth, parent and child number can be altered without changing any script.

Not seen here, because public keys don't show it: the same seed under another hardened
account, and one person who holds two devices.
"""

import hashlib
from collections.abc import Iterable, Iterator

from custody.bitcoin.descriptor import Branch, ScriptType
from custody.bitcoin.keys import HARDENED, KeyPath, format_path
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import Finding, InvalidInput, Severity, refusals
from custody.vault.cosigner import Cosigner, key_material
from custody.vault.key_relations import related_keys
from custody.vault.known_test_keys import KNOWN_TEST_FINGERPRINTS, KNOWN_TEST_KEYS
from custody.vault.vault import Vault

MAX_KEYS = 15
"""No second engine and hardly a device goes further."""
REPEAT_INDEXES = 21
"""Derived keys are compared at indexes 0 to 20 of every branch."""

_PURPOSES_WITH_COIN_TYPE = frozenset({44, 48, 49, 84, 86})
_TEST_COIN_TYPE = 1


def inspect_vault(vault: Vault) -> tuple[Finding, ...]:
    """Return everything that is wrong or worth saying about the vault's keys, refusals among the rest."""
    checks = (_quorum, _duplicates, _repeated_children, _relations, _fingerprints, _coin_types, _paths, _test_keys)
    return tuple(finding for check in checks for finding in check(vault))


def require_sound(vault: Vault) -> tuple[Finding, ...]:
    """Return the findings that only warn or inform; refuse the vault if there are others.

    Raises:
        InvalidInput: with the code of the first refusing finding; `details` lists all of them.
    """
    findings = inspect_vault(vault)
    refused = refusals(findings)
    if refused:
        raise InvalidInput(
            refused[0].code,
            refused[0].message,
            advice=refused[0].advice,
            details={"findings": [finding.to_json() for finding in refused]},
        )
    return findings


def inspect_path(cosigner: Cosigner, network: Network, script_type: ScriptType) -> tuple[Finding, ...]:
    """Warn of a key that is not where devices derive it for this script (A18). Source: BIP 48."""
    path, coin, script = cosigner.key.origin.path, network.coin_type, script_type.bip48_step
    if _is_bip48(path, coin=coin, script=script):
        return ()
    return (
        _finding(
            Code.UNUSUAL_PATH,
            Severity.WARN,
            cosigner,
            f"the key of `{cosigner.name}` comes from `{format_path(path) or 'm'}`, "
            f"expected `48h/{coin}h/ACCOUNTh/{script}h`",
            "Check that its device can sign for this script at that path.",
        ),
    )


def inspect_reuse(vault: Vault, others: Iterable[Vault]) -> tuple[Finding, ...]:
    """Warn of keys that also stand in another vault (A86); recovery keys may do so on purpose."""
    mine = {key_material(cosigner.key.key): cosigner for cosigner in vault.cosigners}
    return tuple(
        _finding(
            Code.KEY_REUSED_IN_WALLET,
            Severity.WARN,
            mine[material],
            f"the key of `{mine[material].name}` is also `{theirs.name}` in vault `{other.name}`",
            "Use a key of its own for each vault, unless this one is shared on purpose.",
        )
        for other in others
        if other.vault_id != vault.vault_id
        for theirs in other.cosigners
        if (material := key_material(theirs.key.key)) in mine
    )


def _quorum(vault: Vault) -> Iterator[Finding]:
    count, threshold = len(vault.cosigners), vault.threshold
    if count > MAX_KEYS:
        yield Finding(
            Code.TOO_MANY_KEYS,
            Severity.REFUSE,
            "vault",
            f"the vault has {count} keys, at most {MAX_KEYS} are supported",
            "Use fewer keys: no second engine and hardly a device goes further.",
        )
    if not 1 <= threshold <= count:
        yield Finding(
            Code.THRESHOLD_INVALID,
            Severity.REFUSE,
            "vault",
            f"the threshold is {threshold} of {count} keys",
            "Choose a threshold between 1 and the number of keys.",
        )


def _duplicates(vault: Vault) -> Iterator[Finding]:
    seen: dict[bytes, Cosigner] = {}
    for cosigner in vault.cosigners:
        # The public key alone: with another chain code it is still the same private key.
        first = seen.setdefault(cosigner.key.key.public_key, cosigner)
        if first is not cosigner:
            yield _duplicate(cosigner, f"`{cosigner.name}` has the same key as `{first.name}`")


def _repeated_children(vault: Vault) -> Iterator[Finding]:
    """Look at the derived keys themselves: the last defence, whatever the keys above them look like."""
    deriver = vault.deriver
    seen: dict[bytes, tuple[int, str]] = {}
    reported: set[int] = set()
    for branch in vault.descriptor.branches:
        for index in range(REPEAT_INDEXES):
            for position, key in enumerate(deriver.at(branch, index).key_by_cosigner):
                place = f"{Branch(branch).label} index {index}"
                owner, first_place = seen.setdefault(key, (position, place))
                if (owner, first_place) == (position, place) or position in reported:
                    continue
                reported.add(position)
                cosigner, first = vault.cosigners[position], vault.cosigners[owner]
                if cosigner.key.key.public_key != first.key.key.public_key or cosigner is first:
                    yield _duplicate(
                        cosigner, f"`{cosigner.name}` at {place} has the same key as `{first.name}` at {first_place}"
                    )


def _relations(vault: Vault) -> Iterator[Finding]:
    keys = [cosigner.key.key for cosigner in vault.cosigners]
    for relation in related_keys(keys):
        ancestor, descendant = vault.cosigners[relation.ancestor], vault.cosigners[relation.descendant]
        if ancestor.key.key.public_key == descendant.key.key.public_key:
            continue
        yield _finding(
            Code.RELATED_COSIGNER,
            Severity.REFUSE,
            descendant,
            f"the key of `{descendant.name}` is derived from that of `{ancestor.name}` "
            f"by `/{format_path(relation.steps)}`",
            "Use keys from separate seeds: these two are one holder's.",
        )


def _fingerprints(vault: Vault) -> Iterator[Finding]:
    seen: dict[bytes, Cosigner] = {}
    for cosigner in vault.cosigners:
        first = seen.setdefault(cosigner.fingerprint, cosigner)
        if first is not cosigner:
            yield _finding(
                Code.DUPLICATE_FINGERPRINT,
                Severity.REFUSE,
                cosigner,
                f"`{cosigner.name}` and `{first.name}` both claim the fingerprint `{cosigner.fingerprint.hex()}`",
                "Two accounts of one seed are one holder's; if the seeds differ, export both keys again.",
            )


def _coin_types(vault: Vault) -> Iterator[Finding]:
    for cosigner in vault.cosigners:
        if vault.network.is_main and _coin_type(cosigner.key.origin.path) == _TEST_COIN_TYPE:
            yield _finding(
                Code.NETWORK_MISMATCH,
                Severity.REFUSE,
                cosigner,
                f"the key of `{cosigner.name}` comes from `{format_path(cosigner.key.origin.path)}`, "
                "a path of the test networks, the vault is on `main`",
                "Export the key for the main network.",
            )


def _paths(vault: Vault) -> Iterator[Finding]:
    for cosigner in vault.cosigners:
        yield from inspect_path(cosigner, vault.network, vault.descriptor.script_type)


def _test_keys(vault: Vault) -> Iterator[Finding]:
    """Published keys belong on test networks; on main anyone can spend with them."""
    if not vault.network.is_main:
        return
    for cosigner in vault.cosigners:
        digest = hashlib.sha256(key_material(cosigner.key.key)).hexdigest()[:32]
        if digest in KNOWN_TEST_KEYS or cosigner.fingerprint.hex() in KNOWN_TEST_FINGERPRINTS:
            yield _finding(
                Code.KNOWN_TEST_KEY,
                Severity.REFUSE,
                cosigner,
                f"the key of `{cosigner.name}` is a published test key: everybody has its private key",
                "Make a new seed on the device; never use words or keys from a document.",
            )


def _coin_type(path: KeyPath) -> int | None:
    if len(path) < 2 or path[0] - HARDENED not in _PURPOSES_WITH_COIN_TYPE or path[1] < HARDENED:
        return None
    return path[1] - HARDENED


def _is_bip48(path: KeyPath, *, coin: int, script: int) -> bool:
    if len(path) != 4 or path[2] < HARDENED:
        return False
    return (path[0], path[1], path[3]) == (HARDENED + 48, HARDENED + coin, HARDENED + script)


def _duplicate(cosigner: Cosigner, message: str) -> Finding:
    return _finding(
        Code.DUPLICATE_COSIGNER,
        Severity.REFUSE,
        cosigner,
        message,
        "Each cosigner needs a key of their own; find out which of the two was replaced.",
    )


def _finding(code: Code, severity: Severity, cosigner: Cosigner, message: str, advice: str) -> Finding:
    return Finding(code, severity, cosigner.where, message, advice)
