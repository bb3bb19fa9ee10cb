output "arns" {
  description = "ARN of each secret."
  value       = { for name, one in aws_secretsmanager_secret.this : name => one.arn }
}
