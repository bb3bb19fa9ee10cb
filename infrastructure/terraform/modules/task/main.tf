data "aws_region" "current" {}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/ecs/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.key_arn
}

locals {
  container = {
    name      = var.container
    image     = var.image
    essential = true
    user      = var.user
    cpu       = var.cpu
    memory    = var.memory

    readonlyRootFilesystem = true
    linuxParameters        = { initProcessEnabled = true, capabilities = { drop = ["ALL"] } }
    stopTimeout            = 120

    portMappings = [for port in var.port > 0 ? [var.port] : [] : { containerPort = port, hostPort = port, protocol = "tcp" }]
    mountPoints  = [for path in var.writable : { sourceVolume = replace(trim(path, "/"), "/", "-"), containerPath = path }]
    environment  = [for name in sort(keys(var.environment)) : { name = name, value = var.environment[name] }]
    secrets      = [for name in sort(keys(var.secrets)) : { name = name, valueFrom = var.secrets[name] }]

    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.this.name
        awslogs-region        = data.aws_region.current.name
        awslogs-stream-prefix = var.container
      }
    }
  }

  command = length(var.command) == 0 ? {} : { command = var.command }

  health = var.health_command == "" ? {} : {
    healthCheck = { command = ["CMD-SHELL", var.health_command], interval = 30, timeout = 10, retries = 3, startPeriod = 300 }
  }
}

resource "aws_ecs_task_definition" "this" {
  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn
  container_definitions    = jsonencode([merge(local.container, local.command, local.health)])
  # A rollback needs the old revision.
  skip_destroy = true

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "X86_64"
  }

  dynamic "volume" {
    for_each = var.writable

    content {
      name = replace(trim(volume.value, "/"), "/", "-")
    }
  }
}
