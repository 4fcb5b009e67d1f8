"""The series: for each sync the metric's value, and how the autoscaler is set.

A value is a quantity, a list of them (several items of one metric), "none" (no items) or "error" (the source fails); a
tuple holds one for each metric. Windows and periods are in syncs, half a sync off the edge.
"""

from dataclasses import dataclass, field


@dataclass
class Series:
    name: str
    values: list
    behavior: object = None  # a function from `s`, which turns syncs into seconds, to the behavior
    start: int = 1
    low: int = 1
    high: int = 20
    ready: int = 0
    targets: list = field(default_factory=lambda: [{"type": "AverageValue", "averageValue": "3"}])
    selector: dict = None

    def spec(self, s):
        def metric(index, target):
            source = {"name": f"{self.name}-{index}", **({"selector": self.selector} if self.selector else {})}
            return {"type": "External", "external": {"metric": source, "target": target}}

        return {
            "scaleTargetRef": {"apiVersion": "hpa.parity.example.com/v1", "kind": "Box", "name": self.name},
            "minReplicas": self.low, "maxReplicas": self.high,
            "metrics": [metric(index, target) for index, target in enumerate(self.targets)],
            **({"behavior": self.behavior(s)} if self.behavior else {}),
        }


def up(s, *policies, down=0, **rules):
    """Rules for growing; shrinking is not held back."""
    rules = {"stabilizationWindowSeconds": 0, **rules}
    if policies:
        rules["policies"] = [{"type": kind, "value": value, "periodSeconds": s(period)} for kind, value, period in policies]
    return {"scaleUp": rules, "scaleDown": {"stabilizationWindowSeconds": down, "policies": [{"type": "Percent", "value": 100, "periodSeconds": s(1)}]}}


def down(s, *policies, window=0, **rules):
    """Rules for shrinking; growing is not held back."""
    rules = {"stabilizationWindowSeconds": window, **rules}
    if policies:
        rules["policies"] = [{"type": kind, "value": value, "periodSeconds": s(period)} for kind, value, period in policies]
    return {"scaleDown": rules, "scaleUp": {"stabilizationWindowSeconds": 0, "policies": [{"type": "Pods", "value": 100, "periodSeconds": s(1)}]}}


FREE = lambda s: down(s, ("Percent", 100, 1))
VALUE = [{"type": "Value", "value": "10"}]

SERIES = [
    Series("default-up-and-down", [3, 9, 9, 30, 30, 30] + [3] * 22),
    Series("default-doubles-or-four", [100, 100, 100, 100, 100, 100]),
    Series("free", [3, 30, 3, 60, 1, 0, 7, 8, 9, 10]+[3], FREE),
    Series("pods-up", [60] * 9, lambda s: up(s, ("Pods", 2, 2.5))),
    Series("percent-up", [60] * 9, lambda s: up(s, ("Percent", 50, 1.5)), start=2),
    Series("up-min", [60] * 7, lambda s: up(s, ("Pods", 3, 1.5), ("Percent", 100, 1.5), selectPolicy="Min"), start=2),
    Series("up-max", [60] * 6, lambda s: up(s, ("Pods", 3, 1.5), ("Percent", 100, 1.5), selectPolicy="Max"), start=2),
    Series("up-disabled", [60, 60, 3, 3, 60], lambda s: up(s, selectPolicy="Disabled"), start=4),
    Series("down-disabled", [9, 3, 0, 30, 3, 0], lambda s: down(s, selectPolicy="Disabled"), start=2),
    Series("pods-down", [3] * 10, lambda s: down(s, ("Pods", 2, 2.5)), start=12),
    Series("percent-down", [3] * 9, lambda s: down(s, ("Percent", 30, 1.5)), start=15),
    Series("down-min", [3] * 8, lambda s: down(s, ("Pods", 4, 1.5), ("Percent", 20, 1.5), selectPolicy="Min"), start=18),
    Series("down-max", [3] * 6, lambda s: down(s, ("Pods", 4, 1.5), ("Percent", 20, 1.5), selectPolicy="Max"), start=18),
    Series("up-window", [3, 30, 30, 30, 30, 30, 3, 30, 30, 12, 30, 30, 30, 30, 30, 30], lambda s: up(s, ("Pods", 100, 1), stabilizationWindowSeconds=s(3.5))),
    Series("down-window", [30, 3, 3, 24, 3, 3, 3, 3, 3, 3, 3, 3], lambda s: down(s, ("Percent", 100, 1), window=s(4.5))),
    Series("both-windows", [30, 3, 30, 3, 30, 15, 15, 15, 15, 15, 15], lambda s: {
        "scaleUp": {"stabilizationWindowSeconds": s(2.5), "policies": [{"type": "Pods", "value": 50, "periodSeconds": s(1)}]},
        "scaleDown": {"stabilizationWindowSeconds": s(2.5), "policies": [{"type": "Percent", "value": 100, "periodSeconds": s(1)}]},
    }, start=5),
    Series("tolerance", [30, 33, "33001m", "30", 33, 27, "26999m", 24, 27, "29700m", "29701m"], FREE, start=10),
    Series("tolerance-of-one", ["3300m", "3301m", 6, "5400m", "5399m", 3, "2700m", 1], FREE, start=1),
    Series("own-tolerance", [30, 37, "37500m", "37501m", 39, 38, 36], lambda s: {
        "scaleUp": {"tolerance": "0.25", "policies": [{"type": "Pods", "value": 100, "periodSeconds": s(1)}]},
        "scaleDown": {"tolerance": "0", "stabilizationWindowSeconds": 0, "policies": [{"type": "Percent", "value": 100, "periodSeconds": s(1)}]},
    }, start=10),
    Series("missing", [9, "none", "none", 15, "error", "error", 3, "none", 9], FREE),
    Series("missing-from-the-start", ["error", "none", "error", 9, 9], FREE, start=2),
    Series("two-metrics", [(9, 3), (3, 12), ("error", 15), ("error", 3), (3, "none"), (30, "none"), ("error", "error"), (3, 3), (0, 0)], FREE, targets=[{"type": "AverageValue", "averageValue": "3"}, {"type": "AverageValue", "averageValue": "2"}]),
    Series("limits", [0, 3, 60, 9, 12, 0, 100], FREE, start=3, low=2, high=4),
    Series("above-the-maximum", [30, 30, 3], FREE, start=9, high=4),
    Series("below-the-minimum", [3, 3, 30], FREE, start=1, low=3),
    Series("at-zero", [6, 9, 0, 3], FREE, start=0),
    Series("value", [10, 20, 20, 11, "11100m", 9, "8900m", 5, 0, 30], FREE, start=2, ready=2, targets=VALUE),
    Series("value-without-pods", [10, 20, 5], FREE, start=2, targets=VALUE),
    Series("small-quantities", ["100m", "250m", "1500m", "1", "0", "2k"], FREE, targets=[{"type": "AverageValue", "averageValue": "250m"}]),
    Series("several-items", [[1, 2], [4, 5, 6], ["500m", "2500m"], [0, 0]], FREE),
    Series("selector", [3, 9, 3], FREE, selector={"matchLabels": {"queue": "a"}, "matchExpressions": [{"key": "kind", "operator": "In", "values": ["x", "y"]}]}),
]
