"""An officer: a person with a name, roles, and one SSH public key; never a Bitcoin key.

Roles are words. `drafter`, `approver`, `signer`, `auditor` and `administrator` are known to the
program's own steps; a policy may invent others (`board`, `treasury`) and demand them.
"""

import re
from dataclasses import dataclass

from custody.documents.names import check_name
from custody.documents.sshsig_keys import SshPublicKey
from custody.errors import JsonValue
from custody.spend.document import fields_of, list_of, malformed, text_of

DRAFTER = "drafter"
APPROVER = "approver"
SIGNER = "signer"
AUDITOR = "auditor"
ADMINISTRATOR = "administrator"
KNOWN_ROLES = (DRAFTER, APPROVER, SIGNER, AUDITOR, ADMINISTRATOR)

_ROLE = re.compile(r"[a-z][a-z0-9-]{0,31}", re.ASCII)


def check_role(text: str) -> str:
    """Return `text` if it is a role's name: `[a-z][a-z0-9-]{0,31}`.

    Raises:
        InvalidInput: MALFORMED_DOCUMENT.
    """
    if _ROLE.fullmatch(text) is None:
        raise malformed("a role is not 1 to 32 of a-z, 0-9 and `-`, beginning with a letter")
    return text


@dataclass(frozen=True, slots=True)
class Officer:
    """A person as enrolled."""

    name: str
    roles: frozenset[str]
    key: SshPublicKey

    def __post_init__(self) -> None:
        check_name(self.name)
        if not self.roles:
            raise malformed(f"officer `{self.name}` has no role")
        for role in self.roles:
            check_role(role)

    def to_document(self) -> dict[str, JsonValue]:
        """Return the officer as it stands in a change; roles in their alphabetical order."""
        return {"name": self.name, "roles": [*sorted(self.roles)], "key": self.key.to_text()}

    @classmethod
    def from_document(cls, value: JsonValue, what: str = "an officer") -> "Officer":
        """Read an officer, strictly.

        Raises:
            InvalidInput: a wrong shape, or a key that is refused.
        """
        found = fields_of(value, what, ("name", "roles", "key"))
        roles = list_of(text_of, found["roles"], f"{what}.roles")
        if list(roles) != sorted(set(roles)):
            raise malformed(f"{what}.roles are not in alphabetical order, each once")
        return cls(
            name=text_of(found["name"], f"{what}.name"),
            roles=frozenset(roles),
            key=SshPublicKey.from_text(text_of(found["key"], f"{what}.key")),
        )
