"""A few words in which JSON Schemas can be written briefly."""

from typing import Any

from jsonschema import Draft202012Validator

Schema = dict[str, Any]

TEXT: Schema = {"type": "string", "minLength": 1}
NUMBER: Schema = {"type": "number"}
WHOLE: Schema = {"type": "integer"}
FLAG: Schema = {"type": "boolean"}
MOMENT: Schema = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|\+0000)$"}
SECOND: Schema = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$"}
DECIMAL: Schema = {"type": "string", "pattern": r"^\d+(\.\d+)?$"}
ICCID: Schema = {"type": "string", "pattern": r"^\d{19}$"}
IMSI: Schema = {"type": "string", "pattern": r"^\d{15}$"}
IMEISV: Schema = {"type": "string", "pattern": r"^\d{16}$"}
IPV4: Schema = {"type": "string", "pattern": r"^\d+(\.\d+){3}$"}


def one_of(*values: object) -> Schema:
    return {"enum": list(values)}


def each(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def record(optional: dict[str, Schema] | None = None, /, **needed: Schema) -> Schema:
    """An object with exactly these fields; none of them may be null."""
    return {
        "type": "object",
        "properties": needed | (optional or {}),
        "required": list(needed),
        "additionalProperties": False,
    }


def texts(*names: str) -> dict[str, Schema]:
    return dict.fromkeys(names, TEXT)


def named(**ids: Schema) -> Schema:
    return record(id=ids.get("id", WHOLE), description=TEXT)


def check(instance: object, shape: Schema) -> None:
    """Raise on the first difference, naming its place."""
    Draft202012Validator(shape).validate(instance)
