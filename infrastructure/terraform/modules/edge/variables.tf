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
  description = "Services behind the load balancer: port, health path, sticky sessions, and public or sign-in only."
  type = map(object({
    port        = number
    health_path = string
    is_sticky   = bool
    is_public   = bool
  }))
}

variable "domain" {
  description = "Domain of the dashboard; the others use its subdomains api., mlflow. and prefect. Empty: plain HTTP at the load balancer's own name."
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
  description = "Requests per address and five minutes; more are blocked."
  type        = number
}

variable "predictions_per_5_minutes" {
  description = "Requests to /api/v1/predict per address and five minutes; more are blocked."
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
  description = "Retention of the firewall log [d]."
  type        = number
}

variable "is_protected" {
  description = "Whether the load balancer has deletion protection."
  type        = bool
}

variable "runbooks" {
  description = "URL of runbooks.md."
  type        = string
}

variable "topic_arn" {
  description = "SNS topic for server-error alarms."
  type        = string
}
