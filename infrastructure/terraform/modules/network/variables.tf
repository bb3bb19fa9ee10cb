variable "name" {
  description = "Prefix of every name."
  type        = string
}

variable "cidr" {
  description = "Address range of the VPC, /16 to /20."
  type        = string
}

variable "zone_count" {
  description = "Availability zones to spread over."
  type        = number
}

variable "nat" {
  description = "NAT gateways: per_zone, single, or none (tasks then get public addresses but accept no public traffic)."
  type        = string
}

variable "interface_endpoints" {
  description = "Whether to use private endpoints for ECR, logs, secrets and KMS."
  type        = bool
}

variable "allowed_cidrs" {
  description = "Address ranges allowed to reach the load balancer."
  type        = list(string)
}

variable "is_https" {
  description = "Whether the load balancer also listens on 443."
  type        = bool
}

variable "key_arn" {
  description = "KMS key of the flow logs."
  type        = string
}

variable "log_retention_days" {
  description = "Retention of the flow logs [d]."
  type        = number
}
