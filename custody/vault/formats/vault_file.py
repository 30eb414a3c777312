"""Our own vault file: the vault document (`custody-vault/1`) as YAML of the strict kind.

The same document as JSON is read too. Nothing is optional and nothing unknown is passed over.
"""

from functools import lru_cache

from custody.documents import strict_yaml
from custody.documents.canonical_json import parse_json
from custody.vault.vault import Vault

MAX_BYTES = 1_000_000


def parse(data: bytes) -> Vault:
    """Read a vault file.

    Raises:
        InvalidInput: not strict YAML or JSON, or not a vault document whose statements agree.
    """
    return _parsed(bytes(data))


@lru_cache(maxsize=8)
def _parsed(data: bytes) -> Vault:
    """Read a vault file, once for the same bytes: a command reads it to open the vault and to compare it."""
    if data.lstrip()[:1] == b"{":
        return Vault.from_document(parse_json(data, max_bytes=MAX_BYTES))
    return Vault.from_document(strict_yaml.load(data))


def write(vault: Vault) -> str:
    """Return the vault file: the same text for the same vault, always."""
    return strict_yaml.dump(vault.to_document())
