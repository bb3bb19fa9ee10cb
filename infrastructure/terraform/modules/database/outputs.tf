output "host" {
  description = "Where it answers."
  value       = aws_db_instance.this.address
}

output "identifier" {
  description = "Name of the instance, as alarms and backups know it."
  value       = aws_db_instance.this.identifier
}

output "arn" {
  description = "ARN of the instance."
  value       = aws_db_instance.this.arn
}

output "master_secret_arn" {
  description = "Secret that RDS keeps for its administrator, and rotates."
  value       = aws_db_instance.this.master_user_secret[0].secret_arn
}
