# Defaults are for production; environments/*.tfvars override them.

variable "environment" {
  description = "staging or prod. Resource names include it except in prod."
  type        = string
  default     = "prod"

  validation {
    condition     = contains(["staging", "prod"], var.environment)
    error_message = "The environments are staging and prod."
  }
}

variable "place" {
  description = "Place to forecast: a file in config/, such as helsinki."
  type        = string
  default     = "helsinki"

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]*$", var.place)) && var.place != "simulated"
    error_message = "A place is the name of a file in config/, without .yaml. Simulated data are never deployed."
  }
}

variable "image_tag" {
  description = "Image tag of the first revisions; deploy.sh releases later ones by digest."
  type        = string
  default     = "latest"

  validation {
    condition     = can(regex("^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", var.image_tag))
    error_message = "image_tag is a tag such as latest or 1.2.3."
  }
}

# Network

variable "vpc_cidr" {
  description = "Address range of the VPC."
  type        = string
  default     = "10.40.0.0/16"

  validation {
    condition     = can(cidrsubnet(var.vpc_cidr, 4, 11)) && tonumber(split("/", var.vpc_cidr)[1]) <= 20
    error_message = "vpc_cidr must be an IPv4 range of /20 or larger, such as 10.40.0.0/16."
  }
}

variable "zone_count" {
  description = "Availability zones to spread over."
  type        = number
  default     = 2

  validation {
    condition     = contains([2, 3], var.zone_count)
    error_message = "The load balancer and the database need two zones; three is the most."
  }
}

variable "nat" {
  description = "NAT gateways: per_zone, single, or none (tasks get public addresses but accept no public traffic; the cheapest)."
  type        = string
  default     = "per_zone"

  validation {
    condition     = contains(["per_zone", "single", "none"], var.nat)
    error_message = "nat is per_zone, single or none."
  }
}

variable "interface_endpoints" {
  description = "Whether to use private endpoints for ECR, logs, secrets and KMS."
  type        = bool
  default     = true
}

variable "allowed_cidrs" {
  description = "Address ranges allowed to reach the load balancer."
  type        = list(string)
  default     = ["0.0.0.0/0"]

  validation {
    condition     = length(var.allowed_cidrs) > 0 && alltrue([for cidr in var.allowed_cidrs : can(cidrhost(cidr, 0))])
    error_message = "allowed_cidrs are IPv4 ranges such as 203.0.113.0/24."
  }
}

# Edge

variable "domain" {
  description = "Domain of the dashboard; API, MLflow and Prefect use its subdomains api., mlflow. and prefect. Empty: plain HTTP at the load balancer's own name."
  type        = string
  default     = ""

  validation {
    condition     = var.domain == "" || can(regex("^([a-z0-9-]+\\.)+[a-z]{2,}$", var.domain))
    error_message = "domain is a name such as air.example.org, or empty."
  }
}

variable "route53_zone_id" {
  description = "Hosted zone of the domain."
  type        = string
  default     = ""

  validation {
    condition     = (var.domain == "") == (var.route53_zone_id == "")
    error_message = "domain and route53_zone_id are given together or not at all."
  }
}

variable "oidc" {
  description = "Identity provider in front of MLflow and Prefect; null: both are private."
  type = object({
    issuer                 = string
    authorization_endpoint = string
    token_endpoint         = string
    user_info_endpoint     = string
    client_id              = string
    client_secret          = string
  })
  sensitive = true
  default   = null

  validation {
    condition     = var.oidc == null ? true : alltrue([for url in [var.oidc.issuer, var.oidc.authorization_endpoint, var.oidc.token_endpoint, var.oidc.user_info_endpoint] : startswith(url, "https://")])
    error_message = "The issuer and the three endpoints of oidc begin with https://; the provider's .well-known/openid-configuration lists them."
  }

  validation {
    condition     = var.oidc == null || var.domain != ""
    error_message = "oidc needs a domain: the load balancer supports sign-in over HTTPS only."
  }
}

variable "requests_per_5_minutes" {
  description = "Requests per address and five minutes."
  type        = number
  default     = 2000

  validation {
    condition     = var.requests_per_5_minutes >= 10
    error_message = "AWS WAF requires at least 10."
  }
}

variable "predictions_per_5_minutes" {
  description = "Requests to /api/v1/predict per address and five minutes."
  type        = number
  default     = 100

  validation {
    condition     = var.predictions_per_5_minutes >= 10
    error_message = "AWS WAF requires at least 10."
  }
}

# Services

variable "api_tasks" {
  description = "Minimum and maximum number of API tasks."
  type        = object({ min = number, max = number })
  default     = { min = 1, max = 10 }

  validation {
    condition     = var.api_tasks.min >= 1 && var.api_tasks.max >= var.api_tasks.min
    error_message = "The API needs at least one task, and max must not be below min."
  }
}

variable "dashboard_tasks" {
  description = "Number of dashboard tasks."
  type        = number
  default     = 2

  validation {
    condition     = var.dashboard_tasks >= 1
    error_message = "The dashboard needs at least one task."
  }
}

variable "worker_tasks" {
  description = "Minimum and maximum number of Prefect workers."
  type        = object({ min = number, max = number })
  default     = { min = 1, max = 5 }

  validation {
    condition     = var.worker_tasks.min >= 1 && var.worker_tasks.max >= var.worker_tasks.min
    error_message = "At least one worker is required, and max must not be below min."
  }
}

variable "stale_after_hours" {
  description = "Age at which the newest forecast is stale: readiness fails and an alarm is raised [h]."
  type        = number
  default     = 26

  validation {
    condition     = var.stale_after_hours > 0
    error_message = "stale_after_hours is more than 0."
  }
}

variable "schedule_timezone" {
  description = "IANA time zone of the schedules (training Sunday 02:00 …)."
  type        = string
  default     = "UTC"

  validation {
    condition     = can(regex("^(UTC|[A-Z][A-Za-z_]+(/[A-Z][A-Za-z0-9_+-]+)+)$", var.schedule_timezone))
    error_message = "schedule_timezone is a name such as Europe/Helsinki, or UTC."
  }
}

variable "prefect_api_url" {
  description = "Prefect Cloud or another Prefect server. Empty: a self-hosted server."
  type        = string
  default     = ""

  validation {
    condition     = var.prefect_api_url == "" || startswith(var.prefect_api_url, "https://")
    error_message = "prefect_api_url begins with https://, or is empty."
  }
}

variable "is_exec_enabled" {
  description = "Whether ECS Exec is enabled."
  type        = bool
  default     = false
}

# Secrets (ephemeral: in neither plan nor state)

variable "db_password" {
  description = "Password of the database user mlflow. Empty: generated by AWS. RDS manages the administrator's."
  type        = string
  ephemeral   = true
  sensitive   = true
  default     = ""

  validation {
    condition     = var.db_password == "" || length(var.db_password) >= 16
    error_message = "db_password has at least 16 characters: create one with openssl rand -base64 32."
  }
}

variable "prefect_api_key" {
  description = "API key of Prefect Cloud."
  type        = string
  ephemeral   = true
  sensitive   = true
  default     = ""

  validation {
    condition     = var.prefect_api_key != "" || !startswith(var.prefect_api_url, "https://api.prefect.cloud/")
    error_message = "Prefect Cloud requires a key: prefect_api_key (deploy.sh: PREFECT_API_KEY)."
  }
}

variable "openaq_api_key" {
  description = "API key of OpenAQ, for places that use it."
  type        = string
  ephemeral   = true
  sensitive   = true
  default     = ""
}

variable "api_keys" {
  description = "Content of a key file (hazecast api-key); if given, the API requires a key. Empty: open to all."
  type        = string
  ephemeral   = true
  sensitive   = true
  default     = ""

  validation {
    condition     = var.api_keys == "" || can(jsondecode(var.api_keys))
    error_message = "api_keys is the content of the file, not its name: file(\"keys.json\")."
  }
}

variable "secret_version" {
  description = "Increase it by one to write the secrets given as variables again."
  type        = number
  default     = 1

  validation {
    condition     = var.secret_version >= 1 && floor(var.secret_version) == var.secret_version
    error_message = "secret_version counts 1, 2, 3 …"
  }
}

# Data

variable "database" {
  description = "Instance class, storage [GiB] and storage limit for growth [GiB]."
  type        = object({ instance_class = string, storage_gib = number, max_storage_gib = number })
  default     = { instance_class = "db.t4g.medium", storage_gib = 50, max_storage_gib = 200 }

  validation {
    condition     = startswith(var.database.instance_class, "db.") && var.database.storage_gib >= 20 && var.database.max_storage_gib > var.database.storage_gib
    error_message = "database needs a class such as db.t4g.medium, at least 20 GiB, and room to grow."
  }
}

variable "is_multi_az" {
  description = "Whether the database has a standby in a second zone."
  type        = bool
  default     = true
}

variable "backup_days" {
  description = "Recovery window [d]."
  type        = number
  default     = 30

  validation {
    condition     = var.backup_days >= 1 && var.backup_days <= 35
    error_message = "RDS restores to any second of the last 1 to 35 days."
  }
}

variable "is_replicated" {
  description = "Whether buckets and backups are copied to the replica region."
  type        = bool
  default     = true
}

variable "replica_region" {
  description = "Region of the copies."
  type        = string
  default     = "us-west-2"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.replica_region))
    error_message = "replica_region is an AWS region such as us-west-2."
  }
}

variable "is_protected" {
  description = "Whether load balancer, database, buckets, images and secrets have deletion protection."
  type        = bool
  default     = true
}

# Monitoring

variable "alarm_emails" {
  description = "E-mail recipients of alarms; each address confirms its subscription."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for address in var.alarm_emails : can(regex("^[^@ ]+@[^@ ]+$", address))])
    error_message = "alarm_emails are e-mail addresses."
  }
}

variable "runbooks" {
  description = "URL of the runbooks, which every alarm links to. deploy.sh derives it from the git remote."
  type        = string
  default     = "docs/aws/runbooks.md"

  validation {
    condition     = endswith(var.runbooks, "runbooks.md")
    error_message = "runbooks is the address of runbooks.md, without a heading."
  }
}

variable "budget_usd" {
  description = "Monthly budget; notifies at 80 % of actual and 100 % of forecast cost [USD]."
  type        = number
  default     = 600

  validation {
    condition     = var.budget_usd > 0
    error_message = "budget_usd is more than 0."
  }
}

variable "log_retention_days" {
  description = "Log retention [d]."
  type        = number
  default     = 365

  validation {
    condition     = contains([30, 60, 90, 180, 365, 731], var.log_retention_days)
    error_message = "CloudWatch keeps logs for 30, 60, 90, 180, 365 or 731 days."
  }
}
