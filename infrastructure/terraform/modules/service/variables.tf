variable "name" {
  description = "Name of the service."
  type        = string
}

variable "dns_name" {
  description = "Name in the private DNS domain; empty: none."
  type        = string
  default     = ""
}

variable "namespace_id" {
  description = "Cloud Map namespace of that domain."
  type        = string
  default     = ""
}

variable "cluster_arn" {
  description = "Cluster it runs in."
  type        = string
}

variable "task_definition_arn" {
  description = "First revision; deploy.sh sets later ones."
  type        = string
}

variable "container" {
  description = "Container that the load balancer reaches."
  type        = string
}

variable "port" {
  description = "Port of that container; 0: none."
  type        = number
  default     = 0
}

variable "desired_count" {
  description = "How many tasks to start with."
  type        = number
}

variable "capacity_provider" {
  description = "FARGATE, or FARGATE_SPOT for work that can be interrupted."
  type        = string
  default     = "FARGATE"

  validation {
    condition     = contains(["FARGATE", "FARGATE_SPOT"], var.capacity_provider)
    error_message = "Use FARGATE or FARGATE_SPOT."
  }
}

variable "subnet_ids" {
  description = "Subnets of the tasks."
  type        = list(string)
}

variable "security_group_id" {
  description = "Security group of the tasks."
  type        = string
}

variable "has_public_address" {
  description = "Whether tasks get public addresses, for want of a NAT gateway."
  type        = bool
}

variable "is_balanced" {
  description = "Whether the load balancer sends requests to it."
  type        = bool
  default     = false
}

variable "target_group_arn" {
  description = "Target group of the load balancer."
  type        = string
  default     = ""
}

variable "rollback_alarms" {
  description = "Alarms that undo a deployment while it runs."
  type        = list(string)
  default     = []
}

variable "is_single" {
  description = "Whether two tasks must never run at once: the old one stops before the new one starts."
  type        = bool
  default     = false
}

variable "is_exec_enabled" {
  description = "Whether a shell may be opened in the containers."
  type        = bool
  default     = false
}
