"""Every operation of the service model that botocore ships: its members, constraints and errors.

An operation or a member that a newer botocore brings fails here until `model_world.LIFE` has it.
"""

import base64
import re
from datetime import UTC, datetime

import pytest
from model_world import (
    AWAY,
    CONTEXT,
    LIFE,
    MISSING,
    MODEL,
    NEEDED,
    NO_MARKER,
    TAGS,
    UNSUPPORTED,
    World,
    asks,
    fullest,
    requests_of,
)
from test_import import make

# What any operation may answer; the model does not list these.
COMMON = {"AccessDeniedException", "SerializationException", "ValidationException"}
STATUS = {"DryRunOperationException": 412, "DependencyTimeoutException": 500}

# Deliberately refused, also where the model does not list it: nothing here keeps keys elsewhere,
# and there are no enclaves.
NOT_HERE = "UnsupportedOperationException"
CUSTOM_KEY_STORES = [name for name in MODEL.operation_names if "CustomKeyStore" in name]


@pytest.fixture(scope="module")
def world(server):
    return World(server)


every_operation = pytest.mark.parametrize("operation", LIFE)

JSON = {"blob": str, "boolean": bool, "integer": int, "list": list, "map": dict, "string": str}
JSON.update({"structure": dict, "timestamp": (int, float)})


def faults(shape, value, where):
    """What of an answer is not as the model says."""
    kind, rules = shape.type_name, shape.metadata
    least, most = rules.get("min", 0), rules.get("max", 1 << 32)
    if not isinstance(value, JSON[kind]) or isinstance(value, bool) != (kind == "boolean"):
        yield f"{where}: {value!r} is no {kind}"
    elif kind == "structure":
        yield from (f"{where}: no {name}" for name in shape.required_members if name not in value)
        for name, inner in value.items():
            if name not in shape.members:
                yield f"{where}: {name} is not in the model"
            # AWS beyond its model: a grant without a name has an empty one (Developer Guide,
            # "Viewing grants"), and the older name of `KeySpec` has its newer values, too (there,
            # `KeyMetadata`: "have the same value").
            elif (shape.name, name, inner) != ("GrantListEntry", "Name", ""):
                member = "KeySpec" if name == "CustomerMasterKeySpec" else name
                yield from faults(shape.members[member], inner, f"{where}.{name}")
    elif kind == "list":
        for number, inner in enumerate(value):
            yield from faults(shape.member, inner, f"{where}[{number}]")
    elif kind == "map":
        for name, inner in value.items():
            yield from faults(shape.key, name, where)
            yield from faults(shape.value, inner, f"{where}[{name}]")
    elif kind in ("string", "blob"):
        whole = value if kind == "string" else base64.b64decode(value, validate=True)
        if not least <= len(whole) <= most:
            yield f"{where}: {value!r} is {len(whole)} long, not {least} to {most}"
        if value not in rules.get("enum", [value]):
            yield f"{where}: {value} is none of {rules['enum']}"
        if value and not re.fullmatch(rules.get("pattern", ".*"), value, re.ASCII | re.DOTALL):
            yield f"{where}: {value!r} does not match {rules['pattern']}"
    elif kind == "integer" and not least <= value <= most:
        yield f"{where}: {value} is not {least} to {most}"


def answered(operation, request, answer):
    """What is wrong with an answer that should be a result."""
    status, body = answer
    shape = MODEL.operation_model(operation).output_shape
    if status != 200 or (shape is None and body is not None):
        yield f"{operation} {brief(request)}: {status} {body}"
    elif shape:
        yield from (f"{fault}, of {brief(request)}" for fault in faults(shape, body, operation))


def refused(operation, request, answer, *codes):
    """What is wrong with an answer that should be a refusal: one of `codes`, or that the model
    lists.
    """
    status, body = answer
    listed = {error.name for error in MODEL.operation_model(operation).error_shapes} | COMMON
    code = body.get("__type") if status != 200 else None
    is_right = code in (codes or listed - {"KMSInternalException"})
    if not is_right or status != STATUS.get(code, 400) or not isinstance(body["message"], str):
        wanted = " or ".join(codes) or "what the model lists"
        yield f"{operation} {brief(request)}: {status} {str(body)[:200]}, not {wanted}"


def outcome(operation, request, answer):
    """What is wrong with the answer to a valid request."""
    if operation in CUSTOM_KEY_STORES or set(request) & set(UNSUPPORTED):
        return refused(operation, request, answer, NOT_HERE)
    if request.get("DryRun") is True and "DryRun" in asks(operation).members:
        return refused(operation, request, answer, "DryRunOperationException")
    if request.get("Marker") == NO_MARKER:
        return refused(operation, request, answer)
    return answered(operation, request, answer)


def brief(value):
    """For a message: long values cut."""
    if isinstance(value, dict):
        return {name: brief(inner) for name, inner in value.items()}
    return repr(value)[:50] if len(repr(value)) > 50 else value


def right(found):
    found = list(found)
    assert not found, "\n" + "\n".join(found)


def unnamed(shape, values, path=""):
    """The members that none of the values has, down to the structures in them."""
    for name, inner in shape.members.items():
        found = [value[name] for value in values if name in value]
        if not found:
            yield path + name
        elif inner.type_name == "list" and inner.member.type_name == "structure":
            entries = [entry for each in found for entry in each]
            yield from unnamed(inner.member, entries, f"{path}{name}.")
        elif inner.type_name == "structure":
            yield from unnamed(inner, found, f"{path}{name}.")


def test_the_table_has_every_operation():
    assert sorted([*LIFE, *CUSTOM_KEY_STORES]) == sorted(MODEL.operation_names)
    assert len(CUSTOM_KEY_STORES) == 6


@every_operation
def test_the_table_has_every_member(world, operation):
    requests = requests_of(world, operation)
    assert set(requests[0]) == {*asks(operation).required_members, *NEEDED.get(operation, ())}
    right(f"{operation} {name}" for name in unnamed(asks(operation), requests))


@every_operation
def test_valid_requests_are_answered_as_the_model_says(world, operation):
    requests = requests_of(world, operation)
    answers = [(request, world.ask(operation, request)) for request in requests]
    right(fault for asked in answers for fault in outcome(operation, *asked))


@pytest.mark.parametrize("operation", CUSTOM_KEY_STORES)
def test_custom_key_stores_are_refused(world, operation):
    request = dict.fromkeys(asks(operation).required_members, "cks-1234567890abcdef0")
    right(outcome(operation, request, world.ask(operation, request)))


@every_operation
def test_a_dry_run_is_one_where_the_model_has_it(world, operation):
    """Elsewhere `DryRun` is a member that nobody knows, and is passed over."""
    request = {**fullest(world, operation), "DryRun": True}
    right(outcome(operation, request, world.send(operation, request)))


@pytest.mark.parametrize("operation", NEEDED)
def test_what_only_the_documentation_asks_for_is_missed(world, operation):
    least = LIFE[operation](world)[0]
    request = {name: least[name] for name in least if name not in NEEDED[operation]}
    right(refused(operation, request, world.ask(operation, request), "ValidationException"))


def every(world, operation, make):
    """What `make` makes of valid requests, by its name for it: of each the first."""
    found = {}
    for valid in requests_of(world, operation):
        for name, request in make(asks(operation), valid):
            found.setdefault(name, request)
    return found.items()


def violations(shape, value, path=""):
    """For each constraint of a request: where AWS says that it is and what AWS says of it (a
    pattern), and the request with that violated and nothing else.
    """
    kind, rules = shape.type_name, shape.metadata
    if kind == "structure":
        below = f"{path}." if path else ""
        for name in shape.required_members:
            rest = {other: value[other] for other in value if other != name}
            yield (below + camel(name), "Member must not be null"), rest
        for name, inner in value.items():
            for fault, bad in violations(shape.members[name], inner, below + camel(name)):
                yield fault, {**value, name: bad}
    elif kind == "list":
        yield from bounds(rules, path, "length", lambda length: (value * length)[:length])
        # AWS names the entry of a list only where that has members of its own.
        has_members = shape.member.type_name == "structure"
        inner = f"{path}.1.member" if has_members else path
        for (where, words), bad in violations(shape.member, value[0], inner):
            if not has_members:
                words = rf"Member must satisfy constraint: \[.*{words}.*\]"
            yield (where, words), [bad, *value[1:]]
    elif kind == "integer":
        yield from bounds(rules, path, "value", lambda number: number)
    elif kind in ("string", "blob"):
        last = value[-1:]
        yield from bounds(rules, path, "length", lambda n: value[:n] + last * (n - len(value)))
        if "pattern" in rules:
            words = f"Member must satisfy regular expression pattern: {rules['pattern']}"
            yield (path, re.escape(words)), "€" + value[1:]
        if "enum" in rules:
            each = "".join(rf"(?=[^]]*\b{name}\b)" for name in rules["enum"])
            count = rf"(\w+(, )?){{{len(rules['enum'])}}}"
            words = rf"Member must satisfy enum value set: \[{each}{count}\]"
            yield (path, words), "NONE_OF_IT"


def bounds(rules, path, what, make):
    if rules.get("min"):
        words = f"Member must have {what} greater than or equal to {rules['min']}"
        yield (path, words), make(rules["min"] - 1)
    if "max" in rules:
        words = f"Member must have {what} less than or equal to {rules['max']}"
        yield (path, words), make(rules["max"] + 1)


def camel(name):
    return name[0].lower() + name[1:]


def violated(operation, where, words, request, answer):
    """What is wrong with the answer to a violation."""
    wrong = list(refused(operation, request, answer, "ValidationException"))
    message = "" if wrong else answer[1]["message"]
    is_counted = re.match(r"(1 validation error|\d validation errors) detected: Value", message)
    named = set(re.findall(r" at '([\w.]+)' failed to satisfy constraint: ", message))
    wanted = rf"Value( null| '.*')? at '{re.escape(where)}' failed to satisfy constraint: {words}"
    if not wrong and not (is_counted and named == {where} and re.search(wanted, message)):
        wrong = [f"{operation} {brief(request)}: {message[:300]}"]
    return [f"{where}, {words[:70]}: {fault}" for fault in wrong]


@every_operation
def test_each_constraint_is_checked_and_named(world, operation):
    right(
        fault
        for place, request in every(world, operation, violations)
        for fault in violated(operation, *place, request, world.ask(operation, request))
    )


# "%" is neither base64 nor a date.
WRONG_TYPES = [5, True, "%", ["x"], {"x": "y"}]
FITTING = {**JSON, "blob": None, "timestamp": int}


def mistyped(shape, value, path=""):
    """For each member of a request: the request with that of another JSON type."""
    kind = shape.type_name
    for bad in WRONG_TYPES:
        if type(bad) is not FITTING[kind]:
            yield f"{path} {bad}", bad
    if kind in ("structure", "map"):
        for name, inner in value.items():
            member = shape.members[name] if kind == "structure" else shape.value
            for where, bad in mistyped(member, inner, f"{path}.{name}"):
                yield where, {**value, name: bad}
    elif kind == "list":
        for where, bad in mistyped(shape.member, value[0], f"{path}[]"):
            yield where, [bad, *value[1:]]


@every_operation
def test_wrong_types_are_refused(world, operation):
    codes = ("SerializationException", "ValidationException")
    right(
        fault
        for _, request in every(world, operation, mistyped)
        for fault in refused(operation, request, world.send(operation, request), *codes)
    )


def doubtful(w):
    """By member: values of the right form, which name or hold something else than is wanted."""
    arn = "arn:aws:kms:{}:111122223333:key/" + MISSING
    keys = [MISSING, arn.format("eu-west-1"), arn.format(AWAY), "arn:aws:s3:::bucket", "arn:x"]
    keys += ["alias/none", "alias/not allowed", "alias/aws/s3", w.alias(), w.key(kms=w.away)]
    keys += [w.after("disable_key"), w.after("schedule_key_deletion"), make(w.kms), w.primary()]
    keys += [w.key("HMAC_256"), w.key("ECC_NIST_P256")]
    many = [{"TagKey": f"many-{number}", "TagValue": ""} for number in range(51)]
    both = {"EncryptionContextEquals": CONTEXT, "EncryptionContextSubset": CONTEXT}
    return {
        "AliasName": ["none", "alias/none", "alias/aws/none", "alias/aws/s3", w.alias()],
        "Constraints": [both],
        "EncryptionContext": [{"other": "x"}, {"": ""}],
        "GrantId": ["none", "0" * 64],
        "GranteePrincipal": ["nobody", "arn:aws:s3:::bucket"],
        "KeyMaterialId": ["0" * 64],
        "Limit": [1, 1000],
        "Operations": [["Sign"], ["CreateGrant"], []],
        "PendingWindowInDays": [1, 365],
        "Policy": ["none", "{}"],
        "PolicyName": ["other"],
        "Tags": [[{"TagKey": "aws:x", "TagValue": ""}], TAGS * 2, [], many],
        "ValidTo": [datetime(2020, 1, 1, tzinfo=UTC)],
        **dict.fromkeys(["DestinationKeyId", "KeyId", "SourceKeyId", "TargetKeyId"], keys),
        **dict.fromkeys(["GrantToken", "Marker"], ["none"]),
        **dict.fromkeys(["PrimaryRegion", "ReplicaRegion"], ["eu-west-1", "xx-nowhere-1"]),
        "GrantTokens": [["none"]],
        "blob": [b"foreign", w.blob(w.key())],
    }


@every_operation
def test_every_refusal_is_one_that_the_model_lists(world, operation):
    """Whatever else is wrong with a request."""
    table, found = doubtful(world), []
    for valid in LIFE[operation](world)[:2]:
        for name, shape in asks(operation).members.items():
            values = table.get(name) or table.get(shape.type_name) or getattr(shape, "enum", [])
            for request in [{**valid, name: value} for value in values]:
                answer = world.ask(operation, request)
                check = answered if answer[0] == 200 else refused
                found += check(operation, request, answer)
    right(found)
