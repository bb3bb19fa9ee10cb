output "bounds" {
  description = "Fewest and most tasks."
  value       = { min = aws_appautoscaling_target.this.min_capacity, max = aws_appautoscaling_target.this.max_capacity }
}
