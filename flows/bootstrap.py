"""Settings to make before Prefect is imported: no telemetry, longer timeouts, output detached from the worker."""

import os

from stdio import detach_stdio

os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
# Without a server Prefect starts an ephemeral one for the run; its default of 20 s is too short on two cores.
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "180")
# A run waits four minutes for a restarting server instead of one; its results are stored either way.
os.environ.setdefault("PREFECT_CLIENT_MAX_RETRIES", "7")
# Set in processes that a worker starts.
if "PREFECT__FLOW_RUN_ID" in os.environ:
    detach_stdio()
