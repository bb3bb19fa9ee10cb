"""Choices that live in the address of the page, so that what is seen can be shared."""

from collections.abc import Mapping

import streamlit as st


def choose_from_list(label: str, options: Mapping[str, str], *, name: str, width: int) -> str:
    """One of `options` (labels by value) from a list, kept in the address as `?name=value`; at first the first."""
    index = _asked(name, options)
    chosen: str = st.selectbox(
        label, list(options), index=index, format_func=lambda value: options[value], key=name, width=width
    )
    return _kept(name, chosen)


def choose_from_row(label: str, options: Mapping[str, str], *, name: str, default: str = "") -> str:
    """One of `options` (labels by value) side by side, kept in the address as `?name=value`; at first `default`."""
    default = list(options)[_asked(name, options, default=default)]
    chosen: str = st.segmented_control(
        label, list(options), default=default, required=True, format_func=lambda value: options[value], key=name
    )
    return _kept(name, chosen)


def _asked(name: str, options: Mapping[str, str], *, default: str = "") -> int:
    """Position of what the address asks for; of the default when it asks for nothing that exists."""
    # What was chosen before may not exist any more, such as a pollutant of another station.
    if st.session_state.get(name) not in options:
        st.session_state.pop(name, None)
    asked, values = st.query_params.get(name), list(options)
    if asked in values:
        return values.index(asked)
    return values.index(default) if default in values else 0


def _kept(name: str, value: str) -> str:
    st.query_params[name] = value
    return value
