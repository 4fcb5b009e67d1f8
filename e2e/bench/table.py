"""The measures as a table for people, and as plain values."""


def plain(found):
    """Values with their units, for JSON."""
    one = lambda value: {"value": value[0], "unit": value[1]}
    return {operator: {case: {name: one(value) for name, value in measures.items()} for case, measures in held.items()} for operator, held in found.items()}


def text(conditions, found):
    """A table a case: a column an operator, and how many times the first one's value the second one's is."""
    operators = list(found)
    lines = [f"{name}: {value}" for name, value in conditions.items()]
    cases = [case for case in next(iter(found.values()), {})]
    for case in cases:
        measures = list(dict.fromkeys(name for held in found.values() for name in held.get(case, {})))
        wide = max(len(name) for name in measures)
        head = "".join(f"{operator:>14}" for operator in operators) + (f"{'ratio':>10}" if len(operators) == 2 else "")
        lines += ["", f"{case:<{wide}}{head}"]
        for name in measures:
            values = [found[operator].get(case, {}).get(name) for operator in operators]
            unit = next(value[1] for value in values if value)
            cells = "".join(f"{shown(value, unit):>14}" for value in values)
            lines.append(f"{name:<{wide}}{cells}" + (f"{ratio(values):>10}" if len(operators) == 2 else ""))
    return "\n".join(lines)


def shown(value, unit):
    # What an operator never called has no row of its own.
    return ("0 " + unit if unit == "/min" else "–").strip() if value is None else f"{value[0]} {unit}".strip()


def ratio(values):
    first, second = ((value or (0, ""))[0] for value in values)
    if not all(isinstance(value, (int, float)) for value in (first, second)) or not first or not second:
        return ""
    return f"{second / first:.1f}×"
