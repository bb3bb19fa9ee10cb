"""Choices that live in the address of the page, so that what is seen can be shared."""

from collections.abc import Mapping

import streamlit as st


def asked_for(name: str, options: Mapping[str, str], *, default: str = "") -> str:
    """What is chosen now, else what the address asks for; `default` or the first option if it is none of `options`."""
    values = (st.session_state.get(name), st.query_params.get(name), default)
    return next((value for value in values if value in options), next(iter(options)))


def choose_from_list(label: str, options: Mapping[str, str], *, name: str, width: int) -> str:
    """One of `options` (labels by value) from a list, kept in the address as `?name=value`; at first the first."""
    index = list(options).index(_first(name, options))
    chosen: str = st.selectbox(
        label, list(options), index=index, format_func=lambda value: options[value], key=name, width=width
    )
    return _kept(name, chosen)


def choose_from_row(label: str, options: Mapping[str, str], *, name: str, default: str = "") -> str:
    """One of `options` (labels by value) side by side, kept in the address as `?name=value`; at first `default`."""
    default = _first(name, options, default=default)
    chosen: str = st.segmented_control(
        label, list(options), default=default, required=True, format_func=lambda value: options[value], key=name
    )
    return _kept(name, chosen)


def _first(name: str, options: Mapping[str, str], *, default: str = "") -> str:
    # What was chosen before may not exist any more, such as a pollutant of another station.
    if st.session_state.get(name) not in options:
        st.session_state.pop(name, None)
    return asked_for(name, options, default=default)


def _kept(name: str, value: str) -> str:
    st.query_params[name] = value
    return value
