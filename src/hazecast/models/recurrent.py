"""A gated recurrent unit (Cho et al. 2014) with an encoder before it and a read-out after it, in plain NumPy.

The state starts from the past and walks the hours ahead one by one, so that it can fill with what calm air gathers and
empty when the wind comes. Layout is (lead, case, feature): each step works on contiguous memory.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Weights = dict[str, Floats]

STATE, PAST, STEP, READ = 64, 64, 48, 64  # units of the state, the past, each step ahead and the read-out
_FIRST_OUTPUT = 0.01


@dataclass(frozen=True)
class Trace:
    """What the forward pass leaves for the backward pass; `gates` is (lead, case, update | reset | candidate)."""

    out: Floats
    past_hidden: Floats
    step: Floats
    gates: Floats
    state: Floats
    recall: Floats
    read: Floats


def first_weights(rng: np.random.Generator, n_past: int, n_ahead: int, n_out: int) -> Weights:
    """Random matrices of preserved variance, zero biases; the output starts near zero."""

    def matrix(rows: int, columns: int, scale: float = 1.0) -> Floats:
        return np.asarray(rng.normal(size=(rows, columns)) * np.sqrt(scale / rows), np.float32)

    sizes = {"b_past": PAST, "b_first": STATE, "b_step": STEP, "b_gates": 3 * STATE, "b_read": READ, "b_out": n_out}
    return {
        "w_past": matrix(n_past, PAST),
        "w_first": matrix(PAST, STATE),
        "w_step": matrix(n_ahead, STEP),
        "w_gates": matrix(STEP, 3 * STATE),
        "w_state": matrix(STATE, 3 * STATE),
        "w_read_state": matrix(STATE, READ),
        "w_read_step": matrix(STEP, READ),
        "w_out": matrix(READ, n_out, _FIRST_OUTPUT),
    } | {name: np.zeros(n, np.float32) for name, n in sizes.items()}


def forward(w: Weights, past: Floats, ahead: Floats) -> Trace:
    """Walk the hours ahead.

    Args:
        w: as `first_weights` lays them out.
        past: (case, feature), scaled.
        ahead: (lead, case, feature), scaled.
    """
    n_leads, n_cases, _ = ahead.shape
    past_hidden = np.maximum(past @ w["w_past"] + w["b_past"], 0)
    step = np.maximum(_flat(ahead) @ w["w_step"] + w["b_step"], 0)
    gates = (step @ w["w_gates"] + w["b_gates"]).reshape(n_leads, n_cases, 3 * STATE)
    state = np.empty((n_leads + 1, n_cases, STATE), np.float32)
    recall = np.empty((n_leads, n_cases, STATE), np.float32)
    state[0] = np.tanh(past_hidden @ w["w_first"] + w["b_first"])
    for t in range(n_leads):
        asked = state[t] @ w["w_state"]
        both, candidate = gates[t, :, : 2 * STATE], gates[t, :, 2 * STATE :]
        both += asked[:, : 2 * STATE]
        _sigmoid(both)
        recall[t] = asked[:, 2 * STATE :]
        candidate += both[:, STATE:] * recall[t]
        np.tanh(candidate, out=candidate)
        state[t + 1] = candidate + both[:, :STATE] * (state[t] - candidate)
    read = np.maximum(_flat(state[1:]) @ w["w_read_state"] + step @ w["w_read_step"] + w["b_read"], 0)
    out = (read @ w["w_out"] + w["b_out"]).reshape(n_leads, n_cases, -1)
    return Trace(out, past_hidden, step, gates, state, recall, read)


def backward(w: Weights, trace: Trace, past: Floats, ahead: Floats, slope: Floats) -> Weights:
    """Gradient of a loss with respect to every weight, given its slope (lead, case, output)."""
    d_out = _flat(slope)
    d_read = (d_out @ w["w_out"].T) * (trace.read > 0)
    d_states: Floats = (d_read @ w["w_read_state"].T).astype(np.float32, copy=False)
    d_gates, d_asked, d_first = _through_time(w, trace, d_states.reshape(trace.recall.shape))
    d_step = (d_read @ w["w_read_step"].T + d_gates @ w["w_gates"].T) * (trace.step > 0)
    d_first = d_first * (1 - trace.state[0] ** 2)
    d_past = (d_first @ w["w_first"].T) * (trace.past_hidden > 0)
    before, after = _flat(trace.state[:-1]), _flat(trace.state[1:])
    return {
        "w_past": past.T @ d_past,
        "w_first": trace.past_hidden.T @ d_first,
        "w_step": _flat(ahead).T @ d_step,
        "w_gates": trace.step.T @ d_gates,
        "w_state": before.T @ d_asked,
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


def _through_time(w: Weights, trace: Trace, d_states: Floats) -> tuple[Floats, Floats, Floats]:
    """Slopes of the gates' inputs from the step, of those from the state, and of the first state."""
    d_gates, d_asked = np.empty_like(trace.gates), np.empty_like(trace.gates)
    d_state = np.zeros_like(trace.state[0])
    for t in reversed(range(len(d_states))):
        d_state += d_states[t]
        update, reset, candidate = np.split(trace.gates[t], 3, axis=1)
        d_candidate = d_state * (1 - update) * (1 - candidate * candidate)
        d_gates[t, :, :STATE] = d_state * (trace.state[t] - candidate) * update * (1 - update)
        d_gates[t, :, STATE : 2 * STATE] = d_candidate * trace.recall[t] * reset * (1 - reset)
        d_gates[t, :, 2 * STATE :] = d_candidate
        d_asked[t] = d_gates[t]
        d_asked[t, :, 2 * STATE :] *= reset
        d_state = d_state * update + d_asked[t] @ w["w_state"].T
    return _flat(d_gates), _flat(d_asked), d_state


def _flat(values: Floats) -> Floats:
    return values.reshape(-1, values.shape[-1])


def _sigmoid(values: Floats) -> None:
    np.negative(values, out=values)
    np.exp(values, out=values)
    values += np.float32(1)
    np.reciprocal(values, out=values)
