output "url" {
  description = "Public URL."
  value       = local.is_https ? "https://${var.domain}" : "http://${aws_lb.this.dns_name}"
}

output "hosts" {
  description = "Public host of each service; empty without a domain."
  value       = local.is_https ? { for name in keys(local.reachable) : name => local.hosts[name] } : {}
}

output "arn_suffix" {
  description = "Metric name of the load balancer."
  value       = aws_lb.this.arn_suffix
}

output "target_groups" {
  description = "ARN and metric name of each target group, known once it has a listener."
  value       = { for name, group in aws_lb_target_group.this : name => { arn = group.arn, arn_suffix = group.arn_suffix } }
  depends_on  = [aws_lb_listener.http, aws_lb_listener.https, aws_lb_listener_rule.api_path, aws_lb_listener_rule.signed_in]
}

output "error_alarms" {
  description = "Server-error alarm of each public service."
  value       = { for name in keys(local.public) : name => "${var.name}-${name}-errors" }
  depends_on  = [aws_cloudwatch_metric_alarm.errors]
}
