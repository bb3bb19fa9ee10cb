variable "name" {
  description = "Prefix of every name."
  type        = string
}

variable "resource_arns" {
  description = "Databases and buckets to back up."
  type        = list(string)
}

variable "keep_days" {
  description = "Retention of daily backups [d]."
  type        = number
}

variable "key_arn" {
  description = "KMS key of the vault."
  type        = string
}

variable "is_copied" {
  description = "Whether every backup is copied to the replica region."
  type        = bool
}

variable "replica_key_arn" {
  description = "KMS key of the vault there."
  type        = string
}

variable "topic_arn" {
  description = "SNS topic for failed backups."
  type        = string
}

variable "is_disposable" {
  description = "Whether vaults with backups in them may be destroyed."
  type        = bool
}
