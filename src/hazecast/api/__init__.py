"""The API: serves stored forecasts and observations with their age and provenance, and forecasts on request.

`resources` holds one module per resource: routes, parameters and queries. `schemas` holds the models of requests and
responses. `repository` reads the stored tables, `registry_cache` the model registry; `cache` keeps finished responses.
"""
