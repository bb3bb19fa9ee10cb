"""The API: serves stored forecasts and observations with their age and provenance, and forecasts on request.

A resource is a router with its queries (`resources`) and the models of its requests and responses (`schemas`, a module
of the same name). `repository` reads the stored tables, `registry_cache` the model registry; `cache` keeps finished
responses.
"""
