# Bounds and policies of the autoscaler.
mock_provider "aws" {}

variables {
  cluster_name = "cluster"
  service_name = "one"
  min          = 1
  max          = 5
}

run "by_queue" {
  command = plan

  module {
    source = "./modules/scaling"
  }

  variables {
    queue = "hazecast"
  }

  assert {
    condition     = output.bounds == { min = 1, max = 5 }
    error_message = "The bounds must match the input."
  }

  assert {
    condition     = length(aws_appautoscaling_policy.queue) == 1 && length(aws_appautoscaling_policy.cpu) == 0 && length(aws_appautoscaling_policy.requests) == 0
    error_message = "The queue must be the only policy."
  }
}

run "by_load" {
  command = plan

  module {
    source = "./modules/scaling"
  }

  variables {
    cpu_percent         = 60
    requests_per_minute = 3000
    balancer_label      = "app/one/1/targetgroup/one/2"
  }

  assert {
    condition     = length(aws_appautoscaling_policy.cpu) == 1 && length(aws_appautoscaling_policy.requests) == 1 && length(aws_appautoscaling_policy.queue) == 0
    error_message = "There must be a CPU and a request policy."
  }
}

run "more_than_nothing" {
  command = plan

  module {
    source = "./modules/scaling"
  }

  variables {
    min = 0
  }

  expect_failures = [var.max]
}
