output "topic_arn" {
  description = "Topic that every alarm is told to."
  value       = aws_sns_topic.this.arn
}

output "alarm_names" {
  description = "Alarms of Hazecast's own rules and of the forecast's age."
  value       = concat([for alarm in aws_cloudwatch_metric_alarm.incidents : alarm.alarm_name], [aws_cloudwatch_metric_alarm.forecast_age.alarm_name])
}
