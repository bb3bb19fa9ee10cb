output "topic_arn" {
  description = "Topic that every alarm is told to."
  value       = aws_sns_topic.this.arn
}
