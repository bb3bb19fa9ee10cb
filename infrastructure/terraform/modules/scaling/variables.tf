variable "cluster_name" {
  description = "Cluster of the service."
  type        = string
}

variable "service_name" {
  description = "Service to scale."
  type        = string
}

variable "min" {
  description = "Fewest tasks."
  type        = number
}

variable "max" {
  description = "Most tasks."
  type        = number

  validation {
    condition     = var.max >= var.min && var.min >= 1
    error_message = "There must be at least one task, and max must not be below min."
  }
}

variable "cpu_percent" {
  description = "Average CPU to keep to [%]; 0: do not look at it."
  type        = number
  default     = 0
}

variable "requests_per_minute" {
  description = "Requests per task and minute to keep to; 0: do not look at them."
  type        = number
  default     = 0
}

variable "balancer_label" {
  description = "Load balancer and target group, as the metric names them."
  type        = string
  default     = ""
}

variable "queue" {
  description = "Prefect work pool; its late runs scale the service. Empty: none."
  type        = string
  default     = ""
}

variable "metrics" {
  description = "CloudWatch namespace of the queue metrics."
  type        = string
  default     = ""
}
