"""An attribute filter as a condition in SQL, of parameters alone. Pure.

Each test is true or false, never null, so that `none` can turn it round. What is compared is JSON
with JSON: nothing is cast, so no value that somebody once wrote can break the statement.
"""

from datetime import date

from shared.contracts.attributes import AttributeFilter, Bound, Fits

_BOUNDS = {"at_least": ">=", "at_most": "<=", "above": ">", "below": "<"}
_DAY = r"'^\d{4}-\d{2}-\d{2}'"


def fits(wanted: AttributeFilter | None, values: list[object]) -> str:
    """Return the condition on person `p`, and put its parameters behind `values`."""
    return "true" if wanted is None else _condition(wanted, values)


def _condition(wanted: Fits, values: list[object]) -> str:
    if wanted.name is not None:
        return _test(wanted, values)
    said = [
        f"({' AND '.join(_condition(each, values) for each in wanted.all or ())})",
        f"({' OR '.join(_condition(each, values) for each in wanted.any or ())})",
        f"NOT ({' OR '.join(_condition(each, values) for each in wanted.none or ())})",
    ]
    given = (wanted.all, wanted.any, wanted.none)
    return " AND ".join(each for each, group in zip(said, given, strict=True) if group)


def _test(wanted: Fits, values: list[object]) -> str:
    name = f"{_mark(wanted.name, values)}::text"
    value = f"(p.attributes -> {name})"
    said: list[str] = []
    if wanted.is_ is not None:
        said.append(f"{value} = {_mark(wanted.is_, values)}::jsonb")
    if wanted.one_of is not None:
        said.append(f"{value} = ANY ({_mark(list(wanted.one_of), values)}::jsonb[])")
    if wanted.present is not None:
        there = f"coalesce({value} <> 'null'::jsonb, false)"
        said.append(there if wanted.present else f"NOT {there}")
    for field, sign in _BOUNDS.items():
        bound = getattr(wanted, field)
        if bound is not None:
            said.append(_compared(name, value, sign, bound, values))
    return f"coalesce({' AND '.join(said)}, false)"


def _compared(name: str, value: str, sign: str, bound: Bound, values: list[object]) -> str:
    if isinstance(bound, date):
        text = f"(p.attributes ->> {name})"
        day = f'left({text}, 10) COLLATE "C" {sign} {_mark(bound.isoformat(), values)}::text'
        return f"(jsonb_typeof({value}) = 'string' AND {text} ~ {_DAY} AND {day})"
    # Without the type, every text and every truth would be more than any number.
    mark = _mark(bound, values)
    return f"(jsonb_typeof({value}) = 'number' AND {value} {sign} {mark}::jsonb)"


def _mark(value: object, values: list[object]) -> str:
    values.append(value)
    return f"${len(values)}"
