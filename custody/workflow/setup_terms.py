"""What a vault is to be, before its keys are known: the coordinator's setup document and each signer's request.

`custody-setup/1` stands in the setup's folder; `custody-setup-request/1` is the same with the name of the
cosigner whom it is for, and a MAC under their token. Neither holds the token: that goes to its cosigner by
another channel. BIP 129 has no form for a request; a signer who has one learns before anything is signed
whether what comes back in round 2 is what was agreed on in round 1.
Source: BIP 129, Round 1, Coordinator.
"""

import hmac
import re
from dataclasses import dataclass

from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.descriptor_text import MAX_KEYS
from custody.bitcoin.keys import HARDENED, KeyPath
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.documents import strict_yaml
from custody.documents.canonical_json import canonical
from custody.documents.format_tag import require_format
from custody.documents.names import check_name
from custody.errors import CheckFailed, Conflict, InvalidInput, JsonValue
from custody.spend.document import boolean_of, fields_of, hash_of, integer_of, list_of, malformed, text_of
from custody.spend.expiry import parse_time
from custody.vault.bsms_cipher import record_mac
from custody.vault.bsms_token import Encryption, Token

SETUP_FORMAT = "custody-setup/1"
REQUEST_FORMAT = "custody-setup-request/1"
MAX_BYTES = 20_000

_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_KEYS = (
    *("format", "setup_id", "name", "network", "script", "threshold", "cosigners"),
    *("encryption", "shared_token", "created", "expires"),
)


@dataclass(frozen=True, slots=True)
class SetupTerms:
    """What the coordinator and all signers agree on in round 1."""

    setup_id: str
    """32 hex characters, new for each setup."""
    name: str
    network: Network
    script_type: ScriptType
    threshold: int
    cosigners: tuple[str, ...]
    """In the order that the descriptor will have."""
    encryption: Encryption
    shared_token: bool
    """One token for all, so that each of them could write as any other."""
    created: str
    expires: str
    """RFC 3339, UTC, by the coordinator's clock."""

    def __post_init__(self) -> None:
        if _ID.fullmatch(self.setup_id) is None:
            raise malformed("`setup_id` is not 32 lower-case hex characters")
        for name in (self.name, *self.cosigners):
            check_name(name)
        if len(set(self.cosigners)) != len(self.cosigners):
            raise InvalidInput(
                Code.NAME_INVALID, "two cosigners have one name", advice="Give each cosigner a name of its own."
            )
        count = len(self.cosigners)
        if count > MAX_KEYS:
            raise InvalidInput(
                Code.TOO_MANY_KEYS,
                f"the setup has {count} cosigners, at most {MAX_KEYS} are supported",
                advice="Use fewer keys.",
            )
        if not 1 <= self.threshold <= count:
            raise InvalidInput(
                Code.THRESHOLD_INVALID,
                f"the threshold is {self.threshold} of {count} keys",
                advice="Choose a threshold between 1 and the number of cosigners.",
            )
        if parse_time(self.expires) <= parse_time(self.created):
            raise malformed("the setup expires before it begins")

    @property
    def key_path(self) -> KeyPath:
        """Where each device usually derives its key for this script. Source: BIP 48."""
        steps = (48, self.network.coin_type, 0, self.script_type.bip48_step)
        return tuple(step + HARDENED for step in steps)

    @property
    def record_suffix(self) -> str:
        """The end of a record's file name. Source: BIP 129, File Extensions."""
        return ".bsms" if self.encryption is Encryption.NONE else ".dat"

    def require_open(self, now: int) -> None:
        """Demand that the setup has not expired at `now`, Unix seconds.

        Raises:
            Conflict: BSMS_EXPIRED.
        """
        if now >= parse_time(self.expires):
            raise Conflict(
                Code.BSMS_EXPIRED,
                f"the setup expired at {self.expires}",
                advice="Begin a new setup with `custody cosigner request`; its tokens are new ones.",
            )

    def to_document(self) -> dict[str, JsonValue]:
        """Return the setup document."""
        return {
            "format": SETUP_FORMAT,
            "setup_id": self.setup_id,
            "name": self.name,
            "network": str(self.network),
            "script": str(self.script_type),
            "threshold": self.threshold,
            "cosigners": [*self.cosigners],
            "encryption": str(self.encryption),
            "shared_token": self.shared_token,
            "created": self.created,
            "expires": self.expires,
        }


@dataclass(frozen=True, slots=True)
class SetupRequest:
    """The terms, and the cosigner who is asked for a key."""

    terms: SetupTerms
    cosigner: str
    mac: str
    """Hex; the MAC of the request's document without it, under the cosigner's token."""

    def __post_init__(self) -> None:
        if self.cosigner not in self.terms.cosigners:
            raise malformed("the request is for somebody who is not among its cosigners")

    @classmethod
    def made(cls, terms: SetupTerms, cosigner: str, token: Token) -> "SetupRequest":
        """Return a request with its MAC."""
        return cls(terms, cosigner, record_mac(token, _signed_part(terms, cosigner)).hex())

    def require_token(self, token: Token) -> None:
        """Demand a token of the mode that the request names, and a MAC that is right under it.

        Under the token `00`, which everybody knows, the MAC shows damage and nothing else.

        Raises:
            CheckFailed: BSMS_TOKEN_MISMATCH, `00` where encryption was required above all; BSMS_MAC.
        """
        if token.encryption is not self.terms.encryption:
            raise CheckFailed(
                Code.BSMS_TOKEN_MISMATCH,
                f"the token is one of the mode `{token.encryption}`, the request says `{self.terms.encryption}`",
                advice="Ask the coordinator over another channel for the token of this request.",
            )
        expected = record_mac(token, _signed_part(self.terms, self.cosigner)).hex()
        if not hmac.compare_digest(expected, self.mac):
            raise CheckFailed(
                Code.BSMS_MAC,
                "the request's MAC is not that of its content under this token",
                advice="Check the token; if it is right, the request was changed on its way: raise the alarm.",
            )

    def to_text(self) -> str:
        """Return the request's file."""
        return strict_yaml.dump({**_request_document(self.terms, self.cosigner), "mac": self.mac})


def setup_text(terms: SetupTerms) -> str:
    """Return the setup's file."""
    return strict_yaml.dump(terms.to_document())


def read_setup(data: bytes) -> SetupTerms:
    """Read a setup document.

    Raises:
        InvalidInput: UNKNOWN_FORMAT, UNKNOWN_FIELD, MALFORMED_DOCUMENT, and what terms are refused for.
    """
    document = strict_yaml.load(data)
    require_format(document, SETUP_FORMAT, "the setup", advice="Give the setup.yaml of `custody cosigner request`.")
    return _terms_of(fields_of(document, "the setup", _KEYS))


def read_request(data: bytes) -> SetupRequest:
    """Read a signer's request; as `read_setup`."""
    document = strict_yaml.load(data)
    advice = "Give the request that the coordinator made for you with `custody cosigner request`."
    require_format(document, REQUEST_FORMAT, "the request", advice=advice)
    fields = fields_of(document, "the request", (*_KEYS, "cosigner", "mac"))
    return SetupRequest(_terms_of(fields), text_of(fields["cosigner"], "`cosigner`"), hash_of(fields["mac"], "`mac`"))


def _request_document(terms: SetupTerms, cosigner: str) -> dict[str, JsonValue]:
    return {**terms.to_document(), "format": REQUEST_FORMAT, "cosigner": cosigner}


def _signed_part(terms: SetupTerms, cosigner: str) -> bytes:
    """Return what the MAC covers: no record, which begins with its version, could be this text."""
    return canonical(_request_document(terms, cosigner))


def _terms_of(fields: dict[str, JsonValue]) -> SetupTerms:
    try:
        network = Network(text_of(fields["network"], "`network`"))
        script_type = ScriptType(text_of(fields["script"], "`script`"))
        encryption = Encryption(text_of(fields["encryption"], "`encryption`"))
    except ValueError as cause:
        raise malformed("`network`, `script` or `encryption` is none that this program knows") from cause
    return SetupTerms(
        setup_id=text_of(fields["setup_id"], "`setup_id`"),
        name=text_of(fields["name"], "`name`"),
        network=network,
        script_type=script_type,
        threshold=integer_of(fields["threshold"], "`threshold`"),
        cosigners=list_of(text_of, fields["cosigners"], "`cosigners`"),
        encryption=encryption,
        shared_token=boolean_of(fields["shared_token"], "`shared_token`"),
        created=text_of(fields["created"], "`created`"),
        expires=text_of(fields["expires"], "`expires`"),
    )
