variable "name" {
  description = "Prefix of every name."
  type        = string
}

variable "vpc_id" {
  description = "VPC of the load balancer."
  type        = string
}

variable "subnet_ids" {
  description = "Public subnets."
  type        = list(string)
}

variable "security_group_id" {
  description = "Security group of the load balancer."
  type        = string
}

variable "targets" {
  description = "What stands behind it: port, health path, whether a visitor stays with one task, and whether it is public or only for those who signed in."
  type = map(object({
    port        = number
    health_path = string
    is_sticky   = bool
    is_public   = bool
  }))
}

variable "domain" {
  description = "Domain whose api., mlflow. and prefect. hosts are ours; the dashboard is at the domain itself. Empty: plain HTTP at the load balancer's own name."
  type        = string
}

variable "route53_zone_id" {
  description = "Hosted zone of the domain."
  type        = string
}

variable "oidc" {
  description = "Identity provider in front of MLflow and Prefect; null: these two are not reachable from outside."
  type = object({
    issuer                 = string
    authorization_endpoint = string
    token_endpoint         = string
    user_info_endpoint     = string
    client_id              = string
    client_secret          = string
  })
  sensitive = true
}

variable "has_oidc" {
  description = "Whether oidc is given (not itself a secret)."
  type        = bool
}

variable "requests_per_5_minutes" {
  description = "Requests one address may make in five minutes before it is refused."
  type        = number
}

variable "log_bucket" {
  description = "Bucket of the access log."
  type        = string
}

variable "key_arn" {
  description = "KMS key of the firewall's log."
  type        = string
}

variable "log_retention_days" {
  description = "How long the firewall's log is kept [d]."
  type        = number
}

variable "is_protected" {
  description = "Whether the load balancer refuses to be destroyed."
  type        = bool
}

variable "runbooks" {
  description = "Where people on duty read the runbooks: the address of runbooks.md."
  type        = string
}

variable "topic_arn" {
  description = "Topic that is told when a part answers with errors."
  type        = string
}
