"""Whether two vaults are one, judged by what their scripts follow from, never by text or checksum.

Keys are compared whole: public key, chain code and origin (A10). The order of keys inside a
sortedmulti changes no script, so it is worth a remark and no more (A16). A checksum is forty
bits that can be ground to collide (A78): it is compared nowhere.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from custody.bitcoin.descriptor import Branch, Descriptor
from custody.bitcoin.keys import KeyExpression
from custody.codes import Code
from custody.errors import CheckFailed, Finding, InvalidInput, Severity, refusals
from custody.vault.checks import inspect_reuse
from custody.vault.cosigner import key_material
from custody.vault.formats import descriptor_text
from custody.vault.vault import Vault
from custody.vault.vault_id import vault_id


def compare_vaults(first: Vault, second: Vault) -> tuple[Finding, ...]:
    """Return what tells two vaults apart; nothing in it refuses if they have one vault_id."""
    findings = compare_scripts(first, second)
    same = first.vault_id == second.vault_id
    return (*findings, *_other_names(first, second)) if same else findings


def compare_scripts(first: Vault, second: Vault) -> tuple[Finding, ...]:
    """Return what `compare_vaults` does without the names, for files whose format has none."""
    if first.vault_id == second.vault_id:
        return tuple(_other_order(first.descriptor, second.descriptor))
    sides = _Sides("the first vault", first.descriptor, "the second vault", second.descriptor)
    differences = (*_other_networks(first, second), *sides.differences())
    return (*_at_least_one(differences), *inspect_reuse(first, (second,)))


def inspect_expected(vault: Vault, expected_text: str) -> tuple[Finding, ...]:
    """Return how the vault differs from a descriptor that was handed over by another way (A10, A14 to A16).

    Raises:
        InvalidInput: the expected text can't be read as a descriptor of this network.
    """
    try:
        expected = descriptor_text.parse(expected_text.encode(), vault.network)
    except InvalidInput as error:
        if error.code is not Code.DESCRIPTOR_UNSUPPORTED:
            raise
        return (_mismatch(f"the expected descriptor is of another kind: {error.message}"),)
    if vault_id(vault.network, expected) == vault.vault_id:
        return tuple(_other_order(vault.descriptor, expected))
    sides = _Sides("the file", vault.descriptor, "the expected descriptor", expected)
    return _at_least_one(tuple(sides.differences()))


def require_expected(vault: Vault, expected_text: str) -> tuple[Finding, ...]:
    """Return the remarks of `inspect_expected`; refuse another vault.

    Raises:
        CheckFailed: COSIGNER_MISMATCH where a key differs, else VAULT_MISMATCH.
    """
    findings = inspect_expected(vault, expected_text)
    refused = refusals(findings)
    if refused:
        raise CheckFailed(
            refused[0].code,
            refused[0].message,
            advice=refused[0].advice,
            details={"findings": [finding.to_json() for finding in refused]},
        )
    return findings


def _other_order(first: Descriptor, second: Descriptor) -> Iterator[Finding]:
    if first != second:
        yield Finding(
            Code.SAME_SCRIPTS_OTHER_TEXT,
            Severity.WARN,
            "vault",
            "the descriptors differ in the order or in the parent bytes of their keys, their scripts are the same",
            "Compare vault_id and first address, not the text and not the checksum.",
        )


def _other_names(first: Vault, second: Vault) -> Iterator[Finding]:
    names = {cosigner.key.key.public_key: cosigner.name for cosigner in second.cosigners}
    pairs = [(first.name, second.name)] + [
        (cosigner.name, names[cosigner.key.key.public_key]) for cosigner in first.cosigners
    ]
    differing = [f"`{mine}` is `{theirs}`" for mine, theirs in pairs if mine != theirs]
    if differing:
        yield Finding(
            Code.SAME_SCRIPTS_OTHER_TEXT,
            Severity.NOTE,
            "vault",
            f"names differ: {', '.join(differing)}",
            "Names are for people; it is the same vault.",
        )


@dataclass(frozen=True, slots=True)
class _Sides:
    """Two descriptors that are not one vault's, and what messages call them."""

    first_name: str
    first: Descriptor
    second_name: str
    second: Descriptor

    def differences(self) -> Iterator[Finding]:
        """Say in words what differs: keys, then quorum, script and branches."""
        yield from self._keys_of_first()
        yield from self._keys_of_second()
        if self.first.threshold != self.second.threshold:
            yield self._other("needs {} signatures", self.first.threshold, self.second.threshold)
        if len(self.first.keys) != len(self.second.keys):
            yield self._other("has {} keys", len(self.first.keys), len(self.second.keys))
        if self.first.script_type != self.second.script_type:
            yield self._other("has the script {}", self.first.script_type, self.second.script_type)
        if self.first.branches != self.second.branches:
            yield self._other("covers the branches {}", _branches(self.first), _branches(self.second))

    def _keys_of_first(self) -> Iterator[Finding]:
        theirs = {_identity(key) for key in self.second.keys}
        by_material = {key_material(key.key): key for key in self.second.keys}
        origins = {key.origin for key in self.second.keys}
        for position, key in enumerate(self.first.keys, start=1):
            if _identity(key) in theirs:
                continue
            twin = by_material.get(key_material(key.key))
            problem = f"is not among the keys of {self.second_name}"
            if twin is not None:
                problem = f"is in {self.second_name} under another origin, [{twin.origin.to_text()}]"
            elif key.origin in origins:
                problem = f"is another key than the one of the same origin in {self.second_name}"
            yield _other_key(
                f"key:{position}", f"key {position} of {self.first_name}, [{key.origin.to_text()}], {problem}"
            )

    def _keys_of_second(self) -> Iterator[Finding]:
        mine = {key_material(key.key) for key in self.first.keys} | {key.origin for key in self.first.keys}
        for position, key in enumerate(self.second.keys, start=1):
            if key_material(key.key) not in mine and key.origin not in mine:
                text = f"key {position} of {self.second_name}, [{key.origin.to_text()}], is not among those of "
                yield _other_key(f"key:{position}", text + self.first_name)

    def _other(self, claim: str, mine: object, theirs: object) -> Finding:
        return _mismatch(f"{self.first_name} {claim.format(mine)}, {self.second_name} {claim.format(theirs)}")


def _other_networks(first: Vault, second: Vault) -> Iterator[Finding]:
    if first.network is not second.network:
        yield _mismatch(f"the first vault is on `{first.network}`, the second vault on `{second.network}`")


def _other_key(where: str, message: str) -> Finding:
    return Finding(
        Code.COSIGNER_MISMATCH,
        Severity.REFUSE,
        where,
        message,
        "Ask each cosigner over another channel for their key; somebody may have replaced one.",
    )


def _branches(descriptor: Descriptor) -> str:
    return " and ".join(Branch(branch).label for branch in descriptor.branches)


def _at_least_one(differences: tuple[Finding, ...]) -> tuple[Finding, ...]:
    # INVARIANT: two vault_ids never pass as one, even where nothing above names the difference.
    return differences or (_mismatch("the vault_ids differ"),)


def _identity(expression: KeyExpression) -> tuple[bytes, bytes, tuple[int, ...]]:
    return key_material(expression.key), expression.origin.fingerprint, expression.origin.path


def _mismatch(message: str) -> Finding:
    return Finding(
        Code.VAULT_MISMATCH,
        Severity.REFUSE,
        "vault",
        message,
        "Pay to neither until it is known which one was agreed on.",
    )
