"""What is wrong with a file, in sentences: path, problem, what to write instead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

Path = tuple[int | str, ...]

_KINDS = {
    "string_type": "must be text",
    "model_type": "must be a mapping of keys to values",
    "dict_type": "must be a mapping of keys to values",
    "list_type": "must be a list, such as [A, B]",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "too_short": "must not be empty",
}


def sentences(problem: Mapping[str, Any], model: type[BaseModel]) -> Iterator[str]:
    """The sentences of one error of pydantic's (a model may tell several problems at once)."""
    where = dotted(problem["loc"])
    for message in _messages(problem, model):
        end = "" if message.endswith("?") else "."
        yield f"{where}: {message}{end}" if where else f"{message}{end}"


def dotted(path: Path) -> str:
    """A path as people read it: `columns.Order ID.type`, `columns.''` for the column without a header."""
    return ".".join(part if isinstance(part, str) and part and part.isprintable() else repr(part) for part in path if part != "[key]")


def _messages(problem: Mapping[str, Any], model: type[BaseModel]) -> Sequence[str]:
    kind, path = problem["type"], problem["loc"]
    if kind == "value_error":
        return str(problem["ctx"]["error"]).split("\n")
    if kind == "missing":
        field = _fields(model, path[:-1]).get(str(path[-1]))
        return [f"is missing; add it ({_first_sentence(field)})" if field else "is missing; add it"]
    if kind == "extra_forbidden":
        return [_unknown_key(str(path[-1]), list(_fields(model, path[:-1])))]
    return [f"{_KINDS.get(kind) or _must(problem['msg'])}, not {_shown(problem['input'])}"]


def _must(message: str) -> str:
    """Pydantic's words in ours: `Input should be …` becomes `must be …`."""
    return message.replace("Input should", "must", 1).replace("String should", "must", 1)


def _unknown_key(key: str, known: list[str]) -> str:
    close = get_close_matches(key, known, n=1)
    advice = f"did you mean `{close[0]}`?" if close else f"remove it, or write one of {', '.join(known)}"
    return f"is not a known key here; {advice}"


def _first_sentence(field: FieldInfo) -> str:
    return (field.description or "").rstrip(".")


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value)[:60]


def _fields(model: type[BaseModel], path: Path) -> dict[str, FieldInfo]:
    """The keys that a file may have at a path, as it spells them."""
    for part in path:
        fields = _by_alias(model)
        inner = _model_in(fields[str(part)].annotation) if str(part) in fields else None
        if inner is not None:
            model = inner
    return _by_alias(model)


def _by_alias(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model inside an annotation such as `dict[str, Column]` or `Sinks | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for found in map(_model_in, get_args(annotation)) if found is not None), None)
