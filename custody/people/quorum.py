"""Quorums: so many people of each role, and one person fills one place.

Whether some people can fill the places is a matching; by Hall's theorem they can exactly when
for every set of roles at least as many of them have one of these roles as these roles ask for.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

from custody.errors import JsonValue
from custody.people.officer import check_role
from custody.spend.document import integer_of, malformed

MAX_ROLES = 8
"""Roles in one quorum; the sets of roles that are compared double with each."""


@dataclass(frozen=True, slots=True)
class Quorum:
    """How many people of which roles; empty asks for nobody."""

    roles: tuple[tuple[str, int], ...]
    """Role and number, in alphabetical order of the roles; every number is 1 or more."""

    def __post_init__(self) -> None:
        names = [role for role, _count in self.roles]
        if names != sorted(set(names)) or len(names) > MAX_ROLES:
            raise malformed(f"a quorum names a role twice, out of order, or more than {MAX_ROLES} roles")
        for role, count in self.roles:
            check_role(role)
            if not 1 <= count <= 100:
                raise malformed(f"a quorum asks for {count} of role `{role}`, expected 1 to 100")

    @property
    def total(self) -> int:
        """How many people it takes."""
        return sum(count for _role, count in self.roles)

    def is_met(self, people: Iterable[frozenset[str]]) -> bool:
        """Tell whether different people with these roles can fill every place."""
        return not self.shortfall(people)

    def shortfall(self, people: Iterable[frozenset[str]]) -> int:
        """Return how many more people are needed at least; 0 when it is met."""
        having = list(people)
        worst = 0
        for size in range(1, len(self.roles) + 1):
            for chosen in combinations(self.roles, size):
                wanted = sum(count for _role, count in chosen)
                names = {role for role, _count in chosen}
                worst = max(worst, wanted - sum(1 for roles in having if roles & names))
        return worst

    def words(self) -> str:
        """Return it for people: `2 approver and 1 board`."""
        return " and ".join(f"{count} {role}" for role, count in self.roles) or "nobody"

    def to_document(self) -> dict[str, JsonValue]:
        """Return role → number."""
        return dict(self.roles)

    @classmethod
    def from_document(cls, value: JsonValue, what: str) -> "Quorum":
        """Read role → number.

        Raises:
            InvalidInput: MALFORMED_DOCUMENT.
        """
        if not isinstance(value, dict):
            raise malformed(f"{what} is not a list of roles with numbers")
        return cls(tuple(sorted((role, integer_of(count, f"{what}.{role}")) for role, count in value.items())))

    @classmethod
    def of(cls, roles: Mapping[str, int]) -> "Quorum":
        """Build one from role → number."""
        return cls(tuple(sorted(roles.items())))
