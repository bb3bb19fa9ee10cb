# Alarms on Hazecast's own metrics (`hazecast publish` in the service `watch`) and on AWS metrics. Every alarm names
# the page of the runbook that helps.
locals {
  # One for each of Hazecast's own rules (config/alerts.yaml): open incidents, decided there with hysteresis and cool-down.
  incidents = {
    model          = "The model forecasts worse than it should"
    inputs         = "Inputs are unlike the same season before"
    data           = "Observations are late, stuck or implausible"
    infrastructure = "A source is silent or forecasts grow old"
    pipeline       = "Runs of the pipeline fail"
  }

  database = {
    cpu         = { metric = "CPUUtilization", above = 85, text = "Its CPU is above 85 %" }
    connections = { metric = "DatabaseConnections", above = 60, text = "It has more than 60 connections" }
  }
}

resource "aws_cloudwatch_metric_alarm" "incidents" {
  for_each = local.incidents

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "${each.value}. Runbook: ${var.runbooks}#${each.key}"
  namespace           = var.metrics
  metric_name         = "open_incidents"
  dimensions          = { place = var.place, rule = each.key }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "ignore"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]
}

# Missing data raise the alarm: the metric is no longer published.
resource "aws_cloudwatch_metric_alarm" "forecast_age" {
  alarm_name          = "${var.name}-forecast-age"
  alarm_description   = "The newest forecast is too old, or nothing reports its age. Runbook: ${var.runbooks}#forecast-age"
  namespace           = var.metrics
  metric_name         = "forecast_age_hours"
  dimensions          = { place = var.place }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 6
  threshold           = var.stale_after_hours
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]
}

resource "aws_cloudwatch_log_metric_filter" "failed_runs" {
  name           = "${var.name}-failed-runs"
  log_group_name = var.worker_log_group
  pattern        = "{ $.outcome = \"failed\" }"

  metric_transformation {
    namespace     = var.metrics
    name          = "failed_steps"
    value         = "1"
    default_value = "0"
  }
}

resource "aws_cloudwatch_metric_alarm" "failed_runs" {
  alarm_name          = "${var.name}-failed-steps"
  alarm_description   = "A step of the pipeline failed. Runbook: ${var.runbooks}#pipeline"
  namespace           = var.metrics
  metric_name         = aws_cloudwatch_log_metric_filter.failed_runs.metric_transformation[0].name
  statistic           = "Sum"
  period              = 3600
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.this.arn]
}

resource "aws_cloudwatch_metric_alarm" "tasks" {
  for_each = var.services

  alarm_name          = "${each.key}-tasks"
  alarm_description   = "Fewer tasks of ${each.key} run than should. Runbook: ${var.runbooks}#tasks"
  namespace           = "ECS/ContainerInsights"
  metric_name         = "RunningTaskCount"
  dimensions          = { ClusterName = var.cluster_name, ServiceName = each.key }
  statistic           = "Average"
  period              = 60
  evaluation_periods  = 10
  threshold           = each.value
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]
}

resource "aws_cloudwatch_metric_alarm" "unhealthy" {
  for_each = var.balancer.target_groups

  alarm_name          = "${var.name}-${each.key}-unhealthy"
  alarm_description   = "A task of ${each.key} fails its health check. Runbook: ${var.runbooks}#tasks"
  namespace           = "AWS/ApplicationELB"
  metric_name         = "UnHealthyHostCount"
  dimensions          = { LoadBalancer = var.balancer.arn_suffix, TargetGroup = each.value }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 5
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.this.arn]
}

resource "aws_cloudwatch_metric_alarm" "database" {
  for_each = local.database

  alarm_name          = "${var.name}-database-${each.key}"
  alarm_description   = "The database: ${each.value.text}. Runbook: ${var.runbooks}#database"
  namespace           = "AWS/RDS"
  metric_name         = each.value.metric
  dimensions          = { DBInstanceIdentifier = var.database.identifier }
  statistic           = "Average"
  period              = 300
  evaluation_periods  = 3
  threshold           = each.value.above
  comparison_operator = "GreaterThanThreshold"
  alarm_actions       = [aws_sns_topic.this.arn]
}

resource "aws_cloudwatch_metric_alarm" "database_storage" {
  alarm_name          = "${var.name}-database-storage"
  alarm_description   = "The database has less than a tenth of its storage left. Runbook: ${var.runbooks}#database"
  namespace           = "AWS/RDS"
  metric_name         = "FreeStorageSpace"
  dimensions          = { DBInstanceIdentifier = var.database.identifier }
  statistic           = "Minimum"
  period              = 300
  evaluation_periods  = 1
  threshold           = var.database.storage_gib * 1024 * 1024 * 1024 / 10
  comparison_operator = "LessThanThreshold"
  alarm_actions       = [aws_sns_topic.this.arn]
}
