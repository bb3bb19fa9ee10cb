variable "name" {
  description = "Name of the instance."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets it may stand in."
  type        = list(string)
}

variable "security_group_id" {
  description = "Its security group."
  type        = string
}

variable "key_arn" {
  description = "KMS key of storage, backups, master secret and Performance Insights."
  type        = string
}

variable "size" {
  description = "Instance class, storage [GiB] and how far it may grow [GiB]."
  type = object({
    instance_class  = string
    storage_gib     = number
    max_storage_gib = number
  })
}

variable "is_multi_az" {
  description = "Whether a standby waits in a second zone."
  type        = bool
}

variable "backup_days" {
  description = "How far back it can be restored to any second [d]."
  type        = number
}

variable "is_protected" {
  description = "Whether it refuses to be destroyed, and leaves a last snapshot."
  type        = bool
}
