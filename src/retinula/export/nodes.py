"""Writing a piece of an ONNX graph by hand: each operation is a call that gives the name of its result."""

from typing import Any

import numpy as np
from onnx import GraphProto, NodeProto, ValueInfoProto, helper, numpy_helper

Name = str


class Nodes:
    """A growing list of operations.

    >>> nodes = Nodes("p_")
    >>> nodes("Add", "x", nodes.constant(1.0, np.float64))
    'p_Add_1'
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._nodes: list[NodeProto] = []
        self._constants: dict[tuple[str, bytes, tuple[int, ...]], Name] = {}
        self._initializers: list[Any] = []

    def __call__(self, operation: str, *inputs: Name, output: Name | None = None, **attributes: Any) -> Name:
        """Add an operation; return the name of its one result, which may be given."""
        output = output or f"{self._prefix}{operation}_{len(self._nodes) + 1}"
        self._nodes.append(helper.make_node(operation, list(inputs), [output], name=output, **attributes))
        return output

    def constant(self, value: Any, dtype: Any) -> Name:
        """Add a constant; return its name."""
        array = np.asarray(value, dtype)
        key = (array.dtype.str, array.tobytes(), array.shape)
        if key not in self._constants:
            name = f"{self._prefix}constant_{len(self._constants) + 1}"
            self._initializers.append(numpy_helper.from_array(array, name))
            self._constants[key] = name
        return self._constants[key]

    def graph(self, name: str, inputs: list[ValueInfoProto], outputs: list[ValueInfoProto]) -> GraphProto:
        """Return all of it as a graph."""
        return helper.make_graph(self._nodes, name, inputs, outputs, initializer=self._initializers)
