"""The methods that follow the flow, one module each, found by the name that a run gives as `flow.method`.

A module has a dataclass `Spec` (its options; its field `method` holds the module's name, and `couples`, which is no
field, says whether it follows networks whose examples batch statistics couple) and

    steps(margin_map, loss, spec, state) -> Iterator[Step]

which yields the state it was given, measured, and then every accepted step. The caller decides where to stop.
A method raises `dirconv.flow.Underflow` when its step size becomes too small.

To add a method, add a module. It must import without torch: reading a study imports every `Spec`.
"""
