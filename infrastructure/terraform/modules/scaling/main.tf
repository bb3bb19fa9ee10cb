resource "aws_appautoscaling_target" "this" {
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${var.cluster_name}/${var.service_name}"
  min_capacity       = var.min
  max_capacity       = var.max
}

resource "aws_appautoscaling_policy" "cpu" {
  count = var.cpu_percent > 0 ? 1 : 0

  name               = "${var.service_name}-cpu"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this.service_namespace
  scalable_dimension = aws_appautoscaling_target.this.scalable_dimension
  resource_id        = aws_appautoscaling_target.this.resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = var.cpu_percent
    scale_out_cooldown = 60
    scale_in_cooldown  = 300

    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}

resource "aws_appautoscaling_policy" "requests" {
  count = var.requests_per_minute > 0 ? 1 : 0

  name               = "${var.service_name}-requests"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this.service_namespace
  scalable_dimension = aws_appautoscaling_target.this.scalable_dimension
  resource_id        = aws_appautoscaling_target.this.resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = var.requests_per_minute
    scale_out_cooldown = 60
    scale_in_cooldown  = 300

    predefined_metric_specification {
      predefined_metric_type = "ALBRequestCountPerTarget"
      resource_label         = var.balancer_label
    }
  }
}

# One run waiting for each task is enough reason for another task.
resource "aws_appautoscaling_policy" "queue" {
  count = var.queue == "" ? 0 : 1

  name               = "${var.service_name}-queue"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this.service_namespace
  scalable_dimension = aws_appautoscaling_target.this.scalable_dimension
  resource_id        = aws_appautoscaling_target.this.resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = 1
    scale_out_cooldown = 60
    # A training lasts longer than its queue; a worker that goes too early takes it along.
    scale_in_cooldown = 3600

    customized_metric_specification {
      metrics {
        id          = "work"
        return_data = false

        metric_stat {
          stat = "Maximum"

          metric {
            namespace   = var.metrics
            metric_name = "waiting"

            dimensions {
              name  = "pool"
              value = var.queue
            }
          }
        }
      }

      metrics {
        id          = "busy"
        return_data = false

        metric_stat {
          stat = "Maximum"

          metric {
            namespace   = var.metrics
            metric_name = "running"

            dimensions {
              name  = "pool"
              value = var.queue
            }
          }
        }
      }

      metrics {
        id          = "tasks"
        return_data = false

        metric_stat {
          stat = "Average"

          metric {
            namespace   = "ECS/ContainerInsights"
            metric_name = "RunningTaskCount"

            dimensions {
              name  = "ClusterName"
              value = var.cluster_name
            }

            dimensions {
              name  = "ServiceName"
              value = var.service_name
            }
          }
        }
      }

      metrics {
        id          = "load"
        label       = "Runs waiting or running, per task"
        expression  = "(work + busy) / IF(tasks > 0, tasks, 1)"
        return_data = true
      }
    }
  }
}
