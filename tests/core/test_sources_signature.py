"""Every source, present and future, offers exactly the methods of `Source` with exactly its signatures."""

import inspect
from importlib import import_module
from pkgutil import walk_packages

import pytest

import hazecast.sources
from hazecast.sources import Source

METHODS = [name for name in vars(Source) if name.startswith("fetch_")]


def source_classes() -> list[type]:
    modules = [import_module(found.name) for found in walk_packages(hazecast.sources.__path__, "hazecast.sources.")]
    classes = {
        item
        for module in modules
        for _, item in inspect.getmembers(module, inspect.isclass)
        if item.__module__.startswith("hazecast.sources.") and any(hasattr(item, method) for method in METHODS)
    }
    return sorted(classes, key=lambda source: source.__qualname__)


def test_the_protocol_and_its_sources_are_found():
    assert sorted(METHODS) == ["fetch_observations", "fetch_span", "fetch_stations", "fetch_weather"]
    assert {"FilesSource", "SimulatedSource"} <= {source.__name__ for source in source_classes()}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("source", source_classes(), ids=lambda source: source.__name__)
def test_each_source_has_the_signature_of_the_protocol(source: type, method: str):
    def shape(function):
        signature = inspect.signature(function, eval_str=True)
        parameters = [(p.name, p.kind, p.default, p.annotation) for p in signature.parameters.values()]
        return parameters, signature.return_annotation

    assert shape(getattr(source, method)) == shape(getattr(Source, method))


@pytest.mark.parametrize("source", source_classes(), ids=lambda source: source.__name__)
def test_each_source_has_a_name_a_simulated_flag_and_no_other_public_attribute(source: type):
    public = {name for name in dir(source) if not name.startswith("_")}
    assert public == {"name", "simulated", *METHODS}
    assert isinstance(source.name, str)
    assert isinstance(source.simulated, bool)


def test_every_source_class_is_named_as_one():
    assert all(source.__name__.endswith("Source") for source in source_classes())
