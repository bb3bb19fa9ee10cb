variable "name" {
  description = "Name of the bucket; globally unique."
  type        = string
}

variable "purpose" {
  description = "Content, used as a tag."
  type        = string
}

variable "has_own_key" {
  description = "Whether to encrypt with key_arn; otherwise with S3-managed keys, which access logs require."
  type        = bool
  default     = true
}

variable "key_arn" {
  description = "KMS key of the objects."
  type        = string
  default     = ""
}

variable "lifecycle_days" {
  description = "Days until objects move to infrequent access, until they expire (0: never), and until old versions expire."
  type = object({
    infrequent  = number
    expire      = number
    old_version = number
  })

  validation {
    condition     = var.lifecycle_days.infrequent == 0 || var.lifecycle_days.infrequent >= 30
    error_message = "S3 moves objects to infrequent access after 30 days at the earliest."
  }
}

variable "log_bucket" {
  description = "Bucket that takes the access log; empty: none."
  type        = string
  default     = ""
}

variable "is_logged" {
  description = "Whether log_bucket is used (known before the bucket is)."
  type        = bool
  default     = false
}

variable "statements" {
  description = "More statements of the bucket's policy, as JSON documents."
  type        = list(string)
  default     = []
}

variable "is_disposable" {
  description = "Whether the bucket may be destroyed with objects in it."
  type        = bool
}
