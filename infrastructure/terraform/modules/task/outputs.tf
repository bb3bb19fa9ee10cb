output "arn" {
  description = "ARN of the newest revision that Terraform made."
  value       = aws_ecs_task_definition.this.arn
}

output "family" {
  description = "Family of the revisions."
  value       = aws_ecs_task_definition.this.family
}

output "log_group" {
  description = "Where its log is."
  value       = aws_cloudwatch_log_group.this.name
}
