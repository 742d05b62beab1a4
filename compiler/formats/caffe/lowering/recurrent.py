"""Lowering of LSTM, RNN and LSTMUnit: one step as the body of a Scan over the time steps.

Source: BVLC caffe, src/caffe/layers/{recurrent,lstm,lstm_unit,rnn}_layer.cpp. A sequence starts from a state of zeros,
or from the bottoms that `expose_hidden` adds; `cont` is 0 where a stream begins anew.
"""

from __future__ import annotations

import numpy as np

from subcut.compiler.formats.caffe.layer import count
from subcut.compiler.formats.caffe.lowering.program import Lowered
from subcut.compiler.formats.caffe.shape_rules_basic import states, static_input
from subcut.compiler.formats.caffe.shapes import blob_shapes


def lstm(at: Lowered) -> None:
    """Long short-term memory; gates in the order input, forget, output, candidate."""
    body = at.inside(at.program.body())
    hidden_weights = at.blob(-1, blob_shapes(at.layer)[-1], transposed=True)
    h, c, gates, cont = _body_inputs(body, ["h", "c", "gates", "cont"])
    kept = body.emit("Mul", h, cont)
    total = body.emit("Add", body.emit("MatMul", kept, hidden_weights), gates)
    c_next, h_next = _unit(body, c, total, cont)
    body.program.outputs = dict.fromkeys([h_next, c_next, body.emit("Identity", h_next)])
    _scan(at, body, _gates(at))


def rnn(at: Lowered) -> None:
    """h = tanh(W_h h + W_x x + b); the output is tanh(W_o h + b_o)."""
    body = at.inside(at.program.body())
    shapes = blob_shapes(at.layer)
    bias, output, hidden = (at.blob(-i, shapes[-i], transposed=True) for i in (1, 2, 3))
    h, gates, cont = _body_inputs(body, ["h", "gates", "cont"])
    kept = body.emit("Mul", h, cont)
    h_next = body.emit("Tanh", body.emit("Add", body.emit("MatMul", kept, hidden), gates))
    result = body.emit("Tanh", body.emit("Add", body.emit("MatMul", h_next, output), bias))
    body.program.outputs = dict.fromkeys([h_next, result])
    _scan(at, body, _gates(at))


def _body_inputs(body: Lowered, names: list[str]) -> list[str]:
    fresh = [body.program.fresh(f"{body.name}/{name}") for name in names]
    body.program.inputs = dict.fromkeys(fresh)
    return fresh


def _gates(at: Lowered) -> str:
    """What the inputs of all steps, and the input they share, bring to the gates: steps x streams x gates."""
    shapes, steps, streams = blob_shapes(at.layer), *at.layer.bottom()[:2]
    weights, bias = (at.blob(i, shapes[i]) for i in (0, 1))
    rows = at.reshape(at.inputs[0], (-1, count(at.layer.bottom()[2:])))
    gates = at.reshape(at.emit("Gemm", rows, weights, bias, transB=1), (steps, streams, shapes[0][0]))
    if not static_input(at.layer):
        return gates
    shared = at.reshape(at.inputs[2], (streams, shapes[2][1]))
    added = at.emit("MatMul", shared, at.blob(2, shapes[2], transposed=True))
    return at.emit("Add", gates, at.reshape(added, (1, streams, shapes[2][0])))


def _scan(at: Lowered, body: Lowered, gates: str) -> None:
    """Run `body` over the steps; the last states are tops where they are exposed."""
    p, number = at.layer.param("recurrent_param"), states(at.layer)
    steps, streams = at.layer.bottom()[:2]
    size, exposed = p.integer("num_output"), p.flag("expose_hidden")
    first = [at.constant(np.zeros((streams, size), np.float32), "start")] * number
    if exposed:
        first = [at.reshape(name, (streams, size)) for name in at.inputs[-number:]]
    cont = at.reshape(at.inputs[1], (steps, streams, 1))
    last: list[str | None] = [None] * number
    results = at.emit_many("Scan", [*first, gates, cont], [*last, at.outputs[0]], num_scan_inputs=2, body=body.program)
    if exposed:
        for name, out in zip(results, at.outputs[1:], strict=False):
            at.reshape(name, (1, streams, size), out)


def lstm_unit(at: Lowered) -> None:
    """One step of the LSTM's cell: the tops are cell and hidden state."""
    streams = at.layer.bottom()[1]
    cont = at.reshape(at.inputs[2], (1, streams, 1))
    cell, hidden = _unit(at, at.inputs[0], at.inputs[1], cont)
    at.emit("Identity", cell, out=at.outputs[0])
    at.emit("Identity", hidden, out=at.outputs[1])


def _unit(at: Lowered, cell: str, gates: str, cont: str) -> tuple[str, str]:
    """The next cell and hidden state."""
    parts = at.emit_many("Split", [gates], [None] * 4, axis=-1, num_outputs=4)
    into, forget, out = (at.emit("Sigmoid", part) for part in parts[:3])
    candidate = at.emit("Tanh", parts[3])
    kept = at.emit("Mul", at.emit("Mul", cont, forget), cell)
    next_cell = at.emit("Add", kept, at.emit("Mul", into, candidate))
    return next_cell, at.emit("Mul", out, at.emit("Tanh", next_cell))
