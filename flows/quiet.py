"""What must be so before Prefect is imported: no calls home, patience with a slow machine, no death by a closed log."""

import os

from output import outlive_reader

os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
# Without a server Prefect starts one of its own for the run; its default of 20 s is too short on two cores.
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "180")
# A run waits four minutes for a server that restarts, instead of one; what it did is stored either way.
os.environ.setdefault("PREFECT_CLIENT_MAX_RETRIES", "7")
# Set in the processes that a worker starts.
if "PREFECT__FLOW_RUN_ID" in os.environ:
    outlive_reader()
