output "topic_arn" {
  description = "SNS topic of all alarms."
  value       = aws_sns_topic.this.arn
}
