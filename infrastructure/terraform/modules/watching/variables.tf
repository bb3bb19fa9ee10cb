variable "name" {
  description = "Prefix of every name."
  type        = string
}

variable "key_arn" {
  description = "KMS key of the topic."
  type        = string
}

variable "emails" {
  description = "E-mail recipients; each address confirms its subscription."
  type        = list(string)
}

variable "budget_usd" {
  description = "Monthly budget [USD]."
  type        = number
}

variable "tags" {
  description = "Tags by which the budget knows our costs."
  type        = map(string)
}

variable "cluster_name" {
  description = "ECS cluster."
  type        = string
}

variable "services" {
  description = "Services and how many tasks each has at least."
  type        = map(number)
}

variable "database" {
  description = "RDS instance and its storage [GiB]."
  type = object({
    identifier  = string
    storage_gib = number
  })
}

variable "balancer" {
  description = "Load balancer and public target groups, as metrics name them."
  type = object({
    arn_suffix    = string
    target_groups = map(string)
  })
}

variable "metrics" {
  description = "CloudWatch namespace of Hazecast's metrics; each environment has its own."
  type        = string
}

variable "pool" {
  description = "Prefect work pool, as the metrics name it."
  type        = string
}

variable "worker_log_group" {
  description = "Log of the Prefect workers, which the pipeline's failures are read from."
  type        = string
}

variable "stale_after_hours" {
  description = "Age at which the newest forecast is too old [h]."
  type        = number
}

variable "place" {
  description = "The place that is forecast, as the metrics name it."
  type        = string
}

variable "runbooks" {
  description = "Where people on duty read the runbooks: the address of runbooks.md."
  type        = string
}
