"""Scores one observation: the trees as one ONNX node, run by onnxruntime on the calling thread.

onnxruntime is loaded with the first model, not before: a gateway without one pays neither its memory nor its half second.
"""

from __future__ import annotations

import struct
from typing import Any

from detectors.anomaly.trees import ModelProblem

INPUT, OUTPUT = "features", "depths"
ERRORS_ONLY = 3


class Scorer:
    """The score of a row of features, 0..1: 2 to the power of minus (mean path length / expected path length), as in Liu, Ting, Zhou (2008).

    onnx   the file's bytes: one input INPUT (float, n by `width`), one output OUTPUT (float, n by 1) with the sum of path lengths
    scale  number of trees times the expected path length
    Raises ModelProblem where onnxruntime does not take the bytes.
    """

    def __init__(self, onnx: bytes, width: int, scale: float) -> None:
        import numpy
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = ERRORS_ONLY
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
            inputs = [(value.name, value.shape[-1]) for value in session.get_inputs()]
            outputs = [value.name for value in session.get_outputs()]
        except (
            Exception
        ) as error:  # the library raises types of its own for each thing that can be wrong with the bytes
            raise ModelProblem(f"the trees cannot be read ({type(error).__name__})") from error
        if inputs != [(INPUT, width)] or outputs != [OUTPUT]:
            raise ModelProblem("the trees take other inputs than its description says")
        # Bound once to memory of our own: half the cost of handing over arrays with every call.
        self._row: Any = numpy.zeros((1, width), numpy.float32)
        self._depths: Any = numpy.zeros((1, 1), numpy.float32)
        self._pack_into = struct.Struct(f"={width}f").pack_into  # a third of what an assignment of a list costs
        self._binding = session.io_binding()
        self._binding.bind_input(INPUT, "cpu", 0, numpy.float32, (1, width), self._row.ctypes.data)
        self._binding.bind_output(OUTPUT, "cpu", 0, numpy.float32, (1, 1), self._depths.ctypes.data)
        self._run: Any = session.run_with_iobinding
        self._exponent = -1.0 / scale

    def __call__(self, values: list[float]) -> float:
        """Not for several threads at once."""
        self._pack_into(self._row, 0, *values)
        self._run(self._binding)
        return float(2.0 ** (self._depths.item() * self._exponent))
