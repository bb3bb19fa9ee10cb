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
  description = "NAT gateways: per_zone, single, or none (tasks then get public addresses, still closed to the internet)."
  type        = string
}

variable "interface_endpoints" {
  description = "Whether ECR, logs, secrets and KMS are reached through private endpoints."
  type        = bool
}

variable "allowed_cidrs" {
  description = "Who may reach the load balancer."
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
  description = "How long flow logs are kept [d]."
  type        = number
}
