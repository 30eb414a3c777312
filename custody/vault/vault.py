"""A vault: a descriptor, and names for its keys. Everything else follows from these.

The vault document (`custody-vault/1`) says the keys twice, once as named cosigners and once
inside the descriptor; reading it demands that both agree. A vault without a change branch
exists only where it says so (`receive_only`). Nothing here is looked up or recorded.
"""

from dataclasses import dataclass
from functools import lru_cache

from custody.bitcoin.derivation import ScriptDeriver
from custody.bitcoin.descriptor import Branch, Descriptor, ScriptType
from custody.bitcoin.keys import KeyExpression
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.documents.canonical_json import digest
from custody.documents.format_tag import require_format
from custody.documents.names import check_name
from custody.errors import InvalidInput, JsonValue
from custody.vault.cosigner import Cosigner
from custody.vault.vault_id import vault_id

VAULT_FORMAT = "custody-vault/1"

_KEYS = frozenset(
    {
        "format",
        "name",
        "network",
        "script",
        "threshold",
        "birth_height",
        "receive_only",
        "cosigners",
        "descriptor",
    }
)
_COSIGNER_KEYS = frozenset({"name", "key"})
_MAX_HEIGHT = 499_999_999
"""Above it, a locktime would be a time: no block is that high."""
_BOTH_BRANCHES = (int(Branch.RECEIVE), int(Branch.CHANGE))
_RECEIVE_BRANCH = (int(Branch.RECEIVE),)


@dataclass(frozen=True, slots=True)
class Vault:
    """m of n keys, each with a name, on one network."""

    name: str
    network: Network
    descriptor: Descriptor
    cosigners: tuple[Cosigner, ...]
    """INVARIANT: cosigner i holds key i of the descriptor."""
    birth_height: int = 0
    """No coin of the vault is older than this block."""
    receive_only: bool = False
    """The descriptor has no change branch: nothing can be drafted."""

    def __post_init__(self) -> None:
        check_name(self.name)
        _require_distinct_names(self.cosigners)
        if tuple(cosigner.key for cosigner in self.cosigners) != self.descriptor.keys:
            raise _inconsistent("the cosigners' keys are not the descriptor's keys in the same order")
        if not 0 <= self.birth_height <= _MAX_HEIGHT:
            raise _malformed(f"birth height {self.birth_height} is not a block height")
        _require_branches(tuple(self.descriptor.branches), receive_only=self.receive_only)

    @classmethod
    def from_cosigners(
        cls,
        cosigners: tuple[Cosigner, ...],
        *,
        name: str,
        network: Network,
        script_type: ScriptType,
        threshold: int,
        birth_height: int = 0,
    ) -> "Vault":
        """Build a vault with both branches from named keys.

        Raises:
            InvalidInput: a bad name, threshold or number of keys.
        """
        keys = tuple(cosigner.key for cosigner in cosigners)
        descriptor = Descriptor(script_type, threshold, keys, _BOTH_BRANCHES)
        return cls(name, network, descriptor, cosigners, birth_height)

    @property
    def vault_id(self) -> str:
        """What two parties compare: equal for every way to write the same vault."""
        return vault_id(self.network, self.descriptor)

    @property
    def document_digest(self) -> str:
        """SHA-256 of the canonical document: names and birth height included."""
        return digest(self.to_document())

    @property
    def threshold(self) -> int:
        """How many signatures spend (m)."""
        return self.descriptor.threshold

    @property
    def descriptor_text(self) -> str:
        """The canonical multipath descriptor with its checksum."""
        return self.descriptor.to_text(self.network)

    @property
    def deriver(self) -> ScriptDeriver:
        """The deriver of the vault's scripts, one for all vaults with this descriptor."""
        return deriver_of(self.descriptor)

    @property
    def first_address(self) -> str:
        """The receive address at index 0, which every party compares."""
        return self.address_at(Branch.RECEIVE, 0)

    def address_at(self, branch: int, index: int) -> str:
        """Derive the address at `branch`/`index` from the descriptor alone.

        Raises:
            InvalidInput: INDEX_OUT_OF_RANGE.
        """
        return self.deriver.address_at(branch, index, self.network)

    def to_document(self) -> dict[str, JsonValue]:
        """Return the vault document."""
        return {
            "format": VAULT_FORMAT,
            "name": self.name,
            "network": str(self.network),
            "script": str(self.descriptor.script_type),
            "threshold": self.descriptor.threshold,
            "birth_height": self.birth_height,
            "receive_only": self.receive_only,
            "cosigners": [cosigner.to_document(self.network) for cosigner in self.cosigners],
            "descriptor": self.descriptor_text,
        }

    @classmethod
    def from_document(cls, document: JsonValue) -> "Vault":
        """Read a vault document; every fact that it states twice must agree.

        Raises:
            InvalidInput: UNKNOWN_FORMAT, UNKNOWN_FIELD, MALFORMED_DOCUMENT, IMPORT_INCONSISTENT, and all
                that keys and descriptors are refused for.
        """
        fields = _fields(document)
        network = _network(fields["network"])
        descriptor = Descriptor.parse(_text(fields["descriptor"], "descriptor"), network)
        stated = (_text(fields["script"], "script"), _integer(fields["threshold"], "threshold"))
        if stated != (str(descriptor.script_type), descriptor.threshold):
            raise _inconsistent("script and threshold are not those of the descriptor")
        return cls(
            name=_text(fields["name"], "name"),
            network=network,
            descriptor=descriptor,
            cosigners=_cosigners(fields["cosigners"], network),
            birth_height=_integer(fields["birth_height"], "birth_height"),
            receive_only=_boolean(fields["receive_only"], "receive_only"),
        )


@lru_cache(maxsize=4)
def deriver_of(descriptor: Descriptor) -> ScriptDeriver:
    """Return the one deriver of a descriptor: derivation depends on nothing else."""
    return ScriptDeriver(descriptor)


def _fields(document: JsonValue) -> dict[str, JsonValue]:
    if not isinstance(document, dict):
        raise _malformed("a vault document is not a mapping")
    advice = "Give a vault document, such as the vault.yaml of a workspace."
    require_format(document, VAULT_FORMAT, "the vault document", advice=advice)
    _require_keys(document, _KEYS, "the vault document")
    return document


def _require_keys(document: dict[str, JsonValue], wanted: frozenset[str], what: str) -> None:
    unknown, missing = sorted(document.keys() - wanted), sorted(wanted - document.keys())
    if unknown:
        raise InvalidInput(
            Code.UNKNOWN_FIELD,
            f"{what} has the unknown key `{unknown[0]}`",
            advice="Remove it; nothing unknown is ever guessed at.",
        )
    if missing:
        raise _malformed(f"{what} lacks the key `{missing[0]}`")


def _cosigners(value: JsonValue, network: Network) -> tuple[Cosigner, ...]:
    if not isinstance(value, list):
        raise _malformed("`cosigners` is not a list")
    return tuple(_cosigner(item, network) for item in value)


def _cosigner(value: JsonValue, network: Network) -> Cosigner:
    if not isinstance(value, dict):
        raise _malformed("a cosigner is not a mapping")
    _require_keys(value, _COSIGNER_KEYS, "a cosigner")
    key = KeyExpression.parse(_text(value["key"], "key"), network)
    return Cosigner(_text(value["name"], "name"), key)


def _network(value: JsonValue) -> Network:
    try:
        return Network(_text(value, "network"))
    except ValueError as cause:
        known = ", ".join(Network)
        raise _malformed(f"`network` is none of {known}") from cause


def _require_distinct_names(cosigners: tuple[Cosigner, ...]) -> None:
    names = [cosigner.name for cosigner in cosigners]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidInput(
            Code.NAME_INVALID,
            f"two cosigners have the name `{twice[0]}`",
            advice="Give each cosigner a name of its own.",
        )


def _require_branches(branches: tuple[int, ...], *, receive_only: bool) -> None:
    if branches == _BOTH_BRANCHES and receive_only:
        raise _inconsistent("the vault calls itself receive-only, its descriptor has a change branch")
    if branches == _BOTH_BRANCHES or (branches == _RECEIVE_BRANCH and receive_only):
        return
    raise InvalidInput(
        Code.CHANGE_BRANCH_MISSING,
        "the descriptor has not both branches, receive `0` and change `1`",
        advice="Give the descriptor with `<0;1>`, or import it with --receive-only, which forbids spending.",
    )


def _text(value: JsonValue, key: str) -> str:
    if not isinstance(value, str):
        raise _malformed(f"`{key}` is not text")
    return value


def _integer(value: JsonValue, key: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _malformed(f"`{key}` is not a whole number")
    return value


def _boolean(value: JsonValue, key: str) -> bool:
    if not isinstance(value, bool):
        raise _malformed(f"`{key}` is neither true nor false")
    return value


def _malformed(message: str) -> InvalidInput:
    return InvalidInput(Code.MALFORMED_DOCUMENT, message, advice="Restore the vault file from a good copy.")


def _inconsistent(message: str) -> InvalidInput:
    return InvalidInput(
        Code.IMPORT_INCONSISTENT,
        message,
        advice="Two statements of one fact must agree; restore the vault file from a good copy.",
    )
