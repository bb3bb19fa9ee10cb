"""An emulated AWS: moto's server with the additions that the Terraform provider needs. `python server.py PORT`.

In memory, no authentication, no data plane: it shows that configuration, provider and state agree, not that AWS
would accept the plan (see docs/aws/cloud.md).
"""

import json
import os
import sys
from threading import Lock

os.environ |= {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true", "MOTO_ACM_VALIDATION_WAIT": "1", "MOTO_PORT": sys.argv[1]}

import ecs  # noqa: F401 - these imports patch moto, which reads its settings at import
import missing  # noqa: F401
import readback  # noqa: F401
import transport  # noqa: F401
from moto.core.responses import BaseResponse
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

_call = BaseResponse.call_action


def call_action(self: BaseResponse) -> object:
    """Return a client error for actions that moto lacks; a server error would be retried for minutes."""
    try:
        return _call(self)
    except NotImplementedError as err:
        print(f"MISSING {self.service_name} {err}", file=sys.stderr, flush=True)
        return 400, {"x-amzn-errortype": "NotEmulated"}, json.dumps({"__type": "NotEmulated", "message": str(err)})


BaseResponse.call_action = call_action  # type: ignore[method-assign, assignment]


class OneAtATime:
    """Serialise requests: moto's backends are plain dictionaries and not thread-safe."""

    def __init__(self) -> None:
        self._app, self._lock = DomainDispatcherApplication(create_backend_app), Lock()

    def __call__(self, *request: object) -> object:
        with self._lock:
            return self._app(*request)


if __name__ == "__main__":
    run_simple("127.0.0.1", int(sys.argv[1]), OneAtATime(), threaded=True)
