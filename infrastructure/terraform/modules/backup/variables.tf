variable "name" {
  description = "Prefix of every name."
  type        = string
}

variable "resource_arns" {
  description = "What is backed up: databases and buckets."
  type        = list(string)
}

variable "keep_days" {
  description = "How long a daily backup is kept [d]."
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
  description = "Topic that is told when a backup fails."
  type        = string
}

variable "is_disposable" {
  description = "Whether vaults with backups in them may be destroyed."
  type        = bool
}
