locals {
  charts = [
    { title = "Age of the newest forecast [h]", stat = "Maximum", metrics = [[var.metrics, "forecast_age_hours", "place", var.place]] },
    { title = "Open incidents", stat = "Maximum", metrics = [for rule in keys(local.incidents) : [var.metrics, "open_incidents", "place", var.place, "rule", rule]] },
    { title = "Runs waiting and running", stat = "Maximum", metrics = [for name in ["waiting", "running"] : [var.metrics, name, "pool", var.pool]] },
    { title = "Running tasks", stat = "Average", metrics = [for service in keys(var.services) : ["ECS/ContainerInsights", "RunningTaskCount", "ClusterName", var.cluster_name, "ServiceName", service]] },
    { title = "Requests and server errors", stat = "Sum", metrics = [for name in ["RequestCount", "HTTPCode_Target_5XX_Count", "HTTPCode_ELB_5XX_Count"] : ["AWS/ApplicationELB", name, "LoadBalancer", var.balancer.arn_suffix]] },
    { title = "Response time, 95 % [s]", stat = "p95", metrics = [["AWS/ApplicationELB", "TargetResponseTime", "LoadBalancer", var.balancer.arn_suffix]] },
    { title = "CPU [%]", stat = "Average", metrics = [for service in keys(var.services) : ["AWS/ECS", "CPUUtilization", "ClusterName", var.cluster_name, "ServiceName", service]] },
    { title = "Database", stat = "Average", metrics = [for name in ["CPUUtilization", "DatabaseConnections"] : ["AWS/RDS", name, "DBInstanceIdentifier", var.database.identifier]] },
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = [
      for number, chart in local.charts : {
        type       = "metric"
        x          = number % 2 * 12
        y          = floor(number / 2) * 6
        width      = 12
        height     = 6
        properties = merge(chart, { region = data.aws_region.current.name, period = 300, view = "timeSeries" })
      }
    ]
  })
}
