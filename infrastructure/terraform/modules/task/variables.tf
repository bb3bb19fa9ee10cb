variable "name" {
  description = "Family of the task definition."
  type        = string
}

variable "container" {
  description = "Name of the container."
  type        = string
}

variable "image" {
  description = "Image of the first revision; deploy.sh registers later ones by digest."
  type        = string
}

variable "repository_arn" {
  description = "ECR repository the image may be pulled from; empty: a public registry."
  type        = string
  default     = ""
}

variable "is_own_image" {
  description = "Whether the image comes from repository_arn (known before the ARN is)."
  type        = bool
  default     = true
}

variable "cpu" {
  description = "CPU units; 1024 are one vCPU."
  type        = number

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096, 8192], var.cpu)
    error_message = "Fargate offers 256, 512, 1024, 2048, 4096 and 8192 CPU units."
  }
}

variable "memory" {
  description = "Memory [MiB]."
  type        = number

  validation {
    condition     = var.cpu == 256 ? contains([512, 1024, 2048], var.memory) : var.memory % 1024 == 0 && var.memory >= var.cpu * 2 && var.memory <= var.cpu * 8
    error_message = "Fargate offers two to eight GiB of memory for each vCPU (512, 1024 or 2048 MiB for a quarter of one)."
  }
}

variable "port" {
  description = "Port the container listens on; 0: none."
  type        = number
  default     = 0
}

variable "command" {
  description = "Command; empty: the image's default."
  type        = list(string)
  default     = []
}

variable "environment" {
  description = "Plain environment variables."
  type        = map(string)
  default     = {}
}

variable "secrets" {
  description = "Environment variables from Secrets Manager: name to secret ARN, or ARN:key::."
  type        = map(string)
  default     = {}
}

variable "key_arn" {
  description = "KMS key of secrets and logs."
  type        = string
}

variable "health_command" {
  description = "Health check: shell command that exits with 0; empty: none."
  type        = string
  default     = ""
}

variable "writable" {
  description = "Writable folders; all else is read-only. The image declares them as volumes owned by its user."
  type        = list(string)
  default     = ["/tmp"]
}

variable "user" {
  description = "User and group the container runs as; never root."
  type        = string
  default     = "10001:10001"
}

variable "statements" {
  description = "AWS permissions of the running task."
  type = list(object({
    actions   = list(string)
    resources = list(string)
  }))
  default = []
}

variable "is_exec_enabled" {
  description = "Whether ECS Exec is enabled."
  type        = bool
  default     = false
}

variable "log_retention_days" {
  description = "Log retention [d]."
  type        = number
}
