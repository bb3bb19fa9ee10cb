variable "name" {
  description = "Name of the instance."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets of the instance."
  type        = list(string)
}

variable "security_group_id" {
  description = "Security group of the instance."
  type        = string
}

variable "key_arn" {
  description = "KMS key of storage, backups, master secret and Performance Insights."
  type        = string
}

variable "size" {
  description = "Instance class, storage [GiB] and storage limit for growth [GiB]."
  type = object({
    instance_class  = string
    storage_gib     = number
    max_storage_gib = number
  })
}

variable "is_multi_az" {
  description = "Whether to run a standby in a second zone."
  type        = bool
}

variable "backup_days" {
  description = "Point-in-time recovery window [d]."
  type        = number
}

variable "is_protected" {
  description = "Whether deletion is blocked and a final snapshot is taken."
  type        = bool
}
