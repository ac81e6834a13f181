"""The JSON Schemas that ship (configs/schemas), for the suites that call the program."""
import json
from pathlib import Path

import jsonschema

FOLDER = Path(__file__).resolve().parents[2] / "configs" / "schemas"
SCHEMAS = {path.name: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}


def validator(name):
    resolver = jsonschema.RefResolver(FOLDER.as_uri() + "/" + name, SCHEMAS[name], store={f"{FOLDER.as_uri()}/{n}": s for n, s in SCHEMAS.items()})
    return jsonschema.Draft7Validator(SCHEMAS[name], resolver=resolver)


def check(name, document):
    """Raises an AssertionError that lists every place where the document is not what the schema says."""
    errors = [f"{'/'.join(map(str, e.absolute_path)) or 'the document'}: {e.message[:300]}" for e in validator(name).iter_errors(document)]
    assert not errors, f"{name}:\n" + "\n".join(errors)
    return document


def places(root, schema, place=""):
    """Every property that a schema knows, wherever it may stand."""
    if "$ref" in schema:
        file, _, path = schema["$ref"].partition("#")
        root = file or root
        target = SCHEMAS[root]
        for part in filter(None, path.split("/")):
            target = target[part]
        return places(root, target, place)
    found = set()
    for key in ("anyOf", "oneOf"):
        for one in schema.get(key, ()):
            found |= places(root, one, place)
    for key, value in schema.get("properties", {}).items():
        found |= {f"{place}/{key}"} | places(root, value, f"{place}/{key}")
    if isinstance(schema.get("additionalProperties"), dict):
        found |= places(root, schema["additionalProperties"], f"{place}/*")
    if isinstance(schema.get("items"), dict):
        found |= places(root, schema["items"], f"{place}[]")
    return found
