"""ECS behaviour that moto lacks: attributes of a service and the outcome of a deployment."""

from typing import Any

from moto.core.responses import ActionResult
from moto.ecs.models import Service
from moto.ecs.responses import EC2ContainerServiceResponse as Ecs
from moto.moto_api import state_manager

# A revision with this marker never becomes healthy: the circuit breaker rolls back, and the service is stable again.
# A script that waits for stability alone takes that for success.
UNHEALTHY = "unhealthy"
# A revision with this marker is stable at once, but its rollout stays in progress for this many responses.
WATCHED, WATCHED_RESPONSES = "watched", 4
_ECHOED = {
    "availabilityZoneRebalancing": "availability_zone_rebalancing",
    "capacityProviderStrategy": "capacity_provider_strategy",
    "deploymentConfiguration": "deployment_configuration",
    "enableECSManagedTags": "enable_ecs_managed_tags",
    "enableExecuteCommand": "enable_execute_command",
    "healthCheckGracePeriodSeconds": "health_check_grace_period_seconds",
}
_create, _update, _describe = Ecs.create_service, Ecs.update_service, Ecs.describe_services


def create_service(self: Ecs) -> ActionResult:
    """As moto, and store all attributes of the request."""
    made = _create(self)
    service: Service = made.result["service"]  # type: ignore[index]  # its one shape
    _remember(self, service)
    _settle(service)
    return made


def update_service(self: Ecs) -> ActionResult:
    """As moto, and complete or roll back the deployment at once."""
    before = self.ecs_backend.describe_services(self._get_param("cluster"), [self._get_param("service")])[0][0]
    revision = before.task_definition
    made = _update(self)
    service: Service = made.result["service"]  # type: ignore[index]  # its one shape
    _remember(self, service)
    if service.task_definition != revision and _is(UNHEALTHY, self, service):
        service.task_definition = revision
    _settle(service)
    if _is(WATCHED, self, service):
        service.deployments[0] |= {"rolloutState": "IN_PROGRESS", "responses": WATCHED_RESPONSES}
    return made


def describe_services(self: Ecs) -> ActionResult:
    """As moto; each call advances a watched deployment."""
    services = self.ecs_backend.describe_services(self._get_param("cluster"), self._get_param("services"))[0]
    for deployment in (service.deployments[0] for service in services):
        deployment["responses"] = deployment.get("responses", 0) - 1
        if deployment["responses"] == 0:
            deployment["rolloutState"] = "COMPLETED"
    return _describe(self)


def _remember(request: Ecs, service: Any) -> None:
    for parameter, attribute in _ECHOED.items():
        if (value := request._get_param(parameter)) is not None:
            setattr(service, attribute, value)
    if getattr(service, "capacity_provider_strategy", None):
        service.launch_type = None


def _settle(service: Any) -> None:
    service.running_count, service.pending_count = service.desired_count, 0
    service.deployments = [
        service.deployments[0]
        | {
            "capacityProviderStrategy": getattr(service, "capacity_provider_strategy", None),
            "desiredCount": service.desired_count,
            "launchType": service.launch_type,
            "pendingCount": 0,
            "rolloutState": "COMPLETED",
            "runningCount": service.desired_count,
            "taskDefinition": service.task_definition,
        }
    ]


def _is(word: str, request: Ecs, service: Any) -> bool:
    revision = request.ecs_backend.describe_task_definition(service.task_definition)
    return word in str(revision.container_definitions)


Ecs.create_service, Ecs.update_service, Ecs.describe_services = create_service, update_service, describe_services
# One-off tasks end successfully at once.
state_manager.set_transition("ecs::task", {"progression": "immediate"})
