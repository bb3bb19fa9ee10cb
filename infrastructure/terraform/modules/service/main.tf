resource "aws_ecs_service" "this" {
  name            = var.name
  cluster         = var.cluster_arn
  task_definition = var.task_definition_arn
  desired_count   = var.desired_count

  deployment_minimum_healthy_percent = var.is_single ? 0 : 100
  deployment_maximum_percent         = var.is_single ? 100 : 200
  health_check_grace_period_seconds  = var.is_balanced ? 180 : null
  enable_execute_command             = var.is_exec_enabled
  enable_ecs_managed_tags            = true
  propagate_tags                     = "SERVICE"

  capacity_provider_strategy {
    capacity_provider = var.capacity_provider
    weight            = 1
  }

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  dynamic "alarms" {
    for_each = length(var.rollback_alarms) > 0 ? [1] : []

    content {
      alarm_names = var.rollback_alarms
      enable      = true
      rollback    = true
    }
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = [var.security_group_id]
    assign_public_ip = var.has_public_address
  }

  dynamic "load_balancer" {
    for_each = var.is_balanced ? [1] : []

    content {
      target_group_arn = var.target_group_arn
      container_name   = var.container
      container_port   = var.port
    }
  }

  dynamic "service_registries" {
    for_each = var.dns_name == "" ? [] : [1]

    content {
      registry_arn = aws_service_discovery_service.this[0].arn
    }
  }

  # deploy.sh sets the revision and the autoscaler the task count; Terraform sets only the initial values.
  lifecycle {
    ignore_changes = [task_definition, desired_count]
  }
}

resource "aws_service_discovery_service" "this" {
  count = var.dns_name == "" ? 0 : 1

  name          = var.dns_name
  force_destroy = true

  dns_config {
    namespace_id   = var.namespace_id
    routing_policy = "MULTIVALUE"

    dns_records {
      type = "A"
      ttl  = 10
    }
  }

  health_check_custom_config {
    failure_threshold = 1
  }
}
