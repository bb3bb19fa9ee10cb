# Created before the services: ECS rolls back a deployment that triggers one; otherwise the alarm notifies the topic.
resource "aws_cloudwatch_metric_alarm" "errors" {
  for_each = local.public

  alarm_name          = "${var.name}-${each.key}-errors"
  alarm_description   = "The ${each.key} answers with 5xx. Runbook: ${var.runbooks}#errors"
  namespace           = "AWS/ApplicationELB"
  metric_name         = "HTTPCode_Target_5XX_Count"
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  threshold           = 10
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.topic_arn]

  dimensions = {
    LoadBalancer = aws_lb.this.arn_suffix
    TargetGroup  = aws_lb_target_group.this[each.key].arn_suffix
  }
}
