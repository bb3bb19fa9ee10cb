# Task definition: not root, read-only, one log, secrets by reference, minimal permissions.
mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }

  mock_data "aws_region" {
    defaults = { name = "us-east-1" }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:/ecs/one" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/one" }
  }
}

variables {
  name               = "one"
  container          = "one"
  image              = "registry.example/one:latest"
  repository_arn     = "arn:aws:ecr:us-east-1:123456789012:repository/one"
  cpu                = 1024
  memory             = 2048
  port               = 8000
  key_arn            = "arn:aws:kms:us-east-1:123456789012:key/one"
  secrets            = { PASSWORD = "arn:aws:secretsmanager:us-east-1:123456789012:secret:one-AbCdEf:password::" }
  log_retention_days = 30
}

run "container" {
  command = apply

  module {
    source = "./modules/task"
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].readonlyRootFilesystem
    error_message = "The root file system must be read-only."
  }

  assert {
    condition     = !startswith(jsondecode(aws_ecs_task_definition.this.container_definitions)[0].user, "0")
    error_message = "The container must not run as root."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].linuxParameters.capabilities.drop == ["ALL"]
    error_message = "The container must have no capabilities."
  }

  assert {
    condition     = length(jsondecode(aws_ecs_task_definition.this.container_definitions)[0].environment) == 0
    error_message = "A secret must not be among the plain variables."
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.name == "/ecs/one"
    error_message = "Logs are under /ecs."
  }

  assert {
    condition     = length(aws_iam_role_policy.task) == 0
    error_message = "A task without statements must have no permissions."
  }
}

run "memory_that_fargate_does_not_offer" {
  command = plan

  module {
    source = "./modules/task"
  }

  variables {
    memory = 1024
  }

  expect_failures = [var.memory]
}
