"""A gated recurrent unit (Cho et al. 2014) with an encoder and a read-out, forward and backward pass in plain NumPy.

The encoder of the past initialises the state; the cell then runs over the hours ahead, so that the state can accumulate
emissions in calm air and empty in wind. Layout is (lead, case, feature): each step works on contiguous memory.
"""

from dataclasses import dataclass

import numpy as np

from hazecast.air.arrays import Floats32
from hazecast.models.config import GruConfig

Weights = dict[str, Floats32]


@dataclass(frozen=True)
class Trace:
    """Activations that the backward pass needs; `gates` is (lead, case, update | reset | candidate)."""

    out: Floats32
    past_hidden: Floats32
    step: Floats32
    gates: Floats32
    state: Floats32
    candidate_input: Floats32
    read: Floats32


def initial_weights(rng: np.random.Generator, n_past: int, n_ahead: int, n_out: int, config: GruConfig) -> Weights:
    """Random matrices of preserved variance, zero biases; the output starts near zero."""
    state, encoded, step, read = config.state_units, config.past_units, config.step_units, config.read_units

    def matrix(rows: int, columns: int, scale: float = 1.0) -> Floats32:
        return np.asarray(rng.normal(size=(rows, columns)) * np.sqrt(scale / rows), np.float32)

    sizes = {"b_past": encoded, "b_first": state, "b_step": step, "b_gates": 3 * state, "b_read": read, "b_out": n_out}
    return {
        "w_past": matrix(n_past, encoded),
        "w_first": matrix(encoded, state),
        "w_step": matrix(n_ahead, step),
        "w_gates": matrix(step, 3 * state),
        "w_state": matrix(state, 3 * state),
        "w_read_state": matrix(state, read),
        "w_read_step": matrix(step, read),
        "w_out": matrix(read, n_out, config.first_output),
    } | {name: np.zeros(n, np.float32) for name, n in sizes.items()}


def forward(w: Weights, past: Floats32, ahead: Floats32) -> Trace:
    """Run over the hours ahead.

    Args:
        w: as `initial_weights` makes them.
        past: (case, feature), scaled.
        ahead: (lead, case, feature), scaled.
    """
    n_leads, n_cases, _ = ahead.shape
    n = w["w_state"].shape[0]
    past_hidden = np.maximum(past @ w["w_past"] + w["b_past"], 0)
    step = np.maximum(_flat(ahead) @ w["w_step"] + w["b_step"], 0)
    gates = (step @ w["w_gates"] + w["b_gates"]).reshape(n_leads, n_cases, 3 * n)
    state = np.empty((n_leads + 1, n_cases, n), np.float32)
    candidate_input = np.empty((n_leads, n_cases, n), np.float32)
    state[0] = np.tanh(past_hidden @ w["w_first"] + w["b_first"])
    for t in range(n_leads):
        projected = state[t] @ w["w_state"]
        both, candidate = gates[t, :, : 2 * n], gates[t, :, 2 * n :]
        both += projected[:, : 2 * n]
        _sigmoid(both)
        candidate_input[t] = projected[:, 2 * n :]
        candidate += both[:, n:] * candidate_input[t]
        np.tanh(candidate, out=candidate)
        state[t + 1] = candidate + both[:, :n] * (state[t] - candidate)
    read = np.maximum(_flat(state[1:]) @ w["w_read_state"] + step @ w["w_read_step"] + w["b_read"], 0)
    out = (read @ w["w_out"] + w["b_out"]).reshape(n_leads, n_cases, -1)
    return Trace(out, past_hidden, step, gates, state, candidate_input, read)


def backward(w: Weights, trace: Trace, past: Floats32, ahead: Floats32, gradient: Floats32) -> Weights:
    """Gradient of a loss with respect to every weight, given that of the output (lead, case, output)."""
    d_out = _flat(gradient)
    d_read = (d_out @ w["w_out"].T) * (trace.read > 0)
    d_states: Floats32 = (d_read @ w["w_read_state"].T).astype(np.float32, copy=False)
    d_gates, d_recurrent, d_first = _through_time(w, trace, d_states.reshape(trace.candidate_input.shape))
    d_step = (d_read @ w["w_read_step"].T + d_gates @ w["w_gates"].T) * (trace.step > 0)
    d_first = d_first * (1 - trace.state[0] ** 2)
    d_past = (d_first @ w["w_first"].T) * (trace.past_hidden > 0)
    before, after = _flat(trace.state[:-1]), _flat(trace.state[1:])
    return {
        "w_past": past.T @ d_past,
        "w_first": trace.past_hidden.T @ d_first,
        "w_step": _flat(ahead).T @ d_step,
        "w_gates": trace.step.T @ d_gates,
        "w_state": before.T @ d_recurrent,
        "w_read_state": after.T @ d_read,
        "w_read_step": trace.step.T @ d_read,
        "w_out": trace.read.T @ d_out,
        "b_past": d_past.sum(axis=0),
        "b_first": d_first.sum(axis=0),
        "b_step": d_step.sum(axis=0),
        "b_gates": d_gates.sum(axis=0),
        "b_read": d_read.sum(axis=0),
        "b_out": d_out.sum(axis=0),
    }


def _through_time(w: Weights, trace: Trace, d_states: Floats32) -> tuple[Floats32, Floats32, Floats32]:
    """Gradients of the gates' inputs from the step, of those from the state, and of the first state."""
    n = w["w_state"].shape[0]
    d_gates, d_recurrent = np.empty_like(trace.gates), np.empty_like(trace.gates)
    d_state = np.zeros_like(trace.state[0])
    for t in reversed(range(len(d_states))):
        d_state += d_states[t]
        update, reset, candidate = np.split(trace.gates[t], 3, axis=1)
        d_candidate = d_state * (1 - update) * (1 - candidate * candidate)
        d_gates[t, :, :n] = d_state * (trace.state[t] - candidate) * update * (1 - update)
        d_gates[t, :, n : 2 * n] = d_candidate * trace.candidate_input[t] * reset * (1 - reset)
        d_gates[t, :, 2 * n :] = d_candidate
        d_recurrent[t] = d_gates[t]
        d_recurrent[t, :, 2 * n :] *= reset
        d_state = d_state * update + d_recurrent[t] @ w["w_state"].T
    return _flat(d_gates), _flat(d_recurrent), d_state


def _flat(values: Floats32) -> Floats32:
    return values.reshape(-1, values.shape[-1])


def _sigmoid(values: Floats32) -> None:
    np.negative(values, out=values)
    np.exp(values, out=values)
    values += np.float32(1)
    np.reciprocal(values, out=values)
