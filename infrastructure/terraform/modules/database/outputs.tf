output "host" {
  description = "Address of the instance."
  value       = aws_db_instance.this.address
}

output "identifier" {
  description = "Name of the instance in alarms and backups."
  value       = aws_db_instance.this.identifier
}

output "arn" {
  description = "ARN of the instance."
  value       = aws_db_instance.this.arn
}

output "master_secret_arn" {
  description = "Administrator secret, managed and rotated by RDS."
  value       = aws_db_instance.this.master_user_secret[0].secret_arn
}
