variable "bucket" {
  description = "What is copied."
  type        = object({ name = string, arn = string })
}

variable "bucket_key_arn" {
  description = "KMS key of its objects."
  type        = string
}

variable "replica" {
  description = "Where to, in another region."
  type        = object({ name = string, arn = string })
}

variable "replica_key_arn" {
  description = "KMS key of the copies."
  type        = string
}
