"""The published JSON Schema against the loader: what one refuses, the other does, as far as a schema can say."""

import json
from copy import deepcopy
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from custody.documents import strict_yaml
from custody.errors import CustodyError, InvalidInput
from custody.policy.load import policy_from_document
from custody_policies.templates import schema, template, template_names
from support.random_policies import random_document

SCHEMA: Any = json.loads(schema())
VALIDATOR = Draft202012Validator(SCHEMA)
TEMPLATES: list[Any] = [strict_yaml.load(template(name)) for name in template_names()]

BEYOND_A_SCHEMA = (
    "`from` is not before `to`",
    "`min` is above `max`",
    "a name stands twice",
    "nor the name of a tier",
    "begins with the other",
    "of at most 3,650 days",
    "outside 0 to 2100000000000000 sat",
)
"""What compares two values, or sums one up: a schema can't say it."""

VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 5, 10**9 + 1, "", "any", "none", "deny", "unlimited", "tip", "required", "forbidden",
    "10btc", "0sat", "1.5sat", "21000001btc", "10", "0h", "00h", "14d", "9999999d", "1%", "100.1%", "100.00%", "0.125%",
    "25sat/vb", "sat/vb", "1.2345sat/vb", "12345678sat/vb", "24:00", "24:01", "09:00", "mon", "UTC", "/etc", "name",
    "Name", "-name", [], {}, [1], ["mon"], ["mining", "mining"], {"approver": 1}, {"approver": 0}, {"Bad": 1},
    {"a": 1, "b": 1, "c": 1, "d": 1, "e": 1, "f": 1, "g": 1, "h": 1, "i": 1}, "custody-policy/2",
)  # fmt: skip


def loader_refuses(document: Any) -> str | None:
    try:
        policy_from_document(document)
    except CustodyError as error:
        assert isinstance(error, InvalidInput)
        return error.message
    return None


def agree(document: Any) -> None:
    message = loader_refuses(document)
    is_valid = VALIDATOR.is_valid(document)
    if message is None:
        assert is_valid, [error.message for error in VALIDATOR.iter_errors(document)]
    elif is_valid:
        assert any(words in message for words in BEYOND_A_SCHEMA), message


def test_the_schema_is_a_schema_and_every_field_is_described() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    undescribed = [where for where, one in _fields(SCHEMA) if "description" not in one and "$ref" not in one]
    names = {"name", "days"}
    assert [where for where in undescribed if where.split(".")[-1] not in names] == []


def _fields(value: Any, where: str = "") -> list[tuple[str, Any]]:
    found = []
    if isinstance(value, dict):
        if isinstance(value.get("properties"), dict) and "required" in value:
            found = [
                (f"{where}.{name}", one) for name, one in value["properties"].items() if len(one) and "if" not in where
            ]
        for key, one in value.items():
            if key not in ("if", "then"):
                found += _fields(one, f"{where}.{key}")
    if isinstance(value, list):
        found += [one for item in value for one in _fields(item, where)]
    return found


def test_every_template_is_valid() -> None:
    for document in TEMPLATES:
        assert [error.message for error in VALIDATOR.iter_errors(document)] == []


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_what_the_loader_accepts_is_valid(seed: int) -> None:
    agree(random_document(Random(seed)))  # noqa: S311


@settings(max_examples=1_000, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
def test_a_mutated_document_is_refused_by_both_or_by_neither(seed: int, changes: int) -> None:
    random = Random(seed)  # noqa: S311
    document = deepcopy(random.choice(TEMPLATES))
    for _ in range(changes):
        mutate(random, document)
    agree(document)


def mutate(random: Random, document: Any) -> None:
    """Change, drop, add or copy one member, in place."""
    places = _containers(document)
    container = random.choice(places)
    if not container:
        return
    keys = list(container) if isinstance(container, dict) else list(range(len(container)))
    key = random.choice(keys)
    match random.choice(("set", "set", "set", "drop", "add", "copy")):
        case "set":
            container[key] = deepcopy(random.choice(VALUES))
        case "drop":
            del container[key]
        case "add" if isinstance(container, dict):
            container[random.choice(("extra", "payment", "waiting", "max", "approver"))] = deepcopy(
                random.choice(VALUES)
            )
        case _:
            container[key] = deepcopy(random.choice(places))


def _containers(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    if inner is None:
        return []
    return [value, *(found for one in inner for found in _containers(one))]


def test_the_mutations_are_neither_all_refused_nor_all_accepted() -> None:
    accepted = 0
    for seed in range(400):
        random = Random(seed)  # noqa: S311
        document = deepcopy(random.choice(TEMPLATES))
        mutate(random, document)
        accepted += loader_refuses(document) is None
    assert 20 < accepted < 300
