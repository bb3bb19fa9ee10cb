output "arn" {
  description = "ARN of the newest revision registered by Terraform."
  value       = aws_ecs_task_definition.this.arn
}

output "family" {
  description = "Family of the revisions."
  value       = aws_ecs_task_definition.this.family
}

output "log_group" {
  description = "Log group."
  value       = aws_cloudwatch_log_group.this.name
}
