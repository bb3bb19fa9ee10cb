variable "name" {
  description = "Prefix of the secrets."
  type        = string
}

variable "key_arn" {
  description = "KMS key of the secrets."
  type        = string
}

variable "generated" {
  description = "Passwords: secret name to description. AWS generates those not given."
  type        = map(string)
}

variable "given" {
  description = "Keys issued by others: secret name to description."
  type        = map(string)
}

variable "values" {
  description = "Values by name of the secret; empty or absent: generated, or (for given ones) a single hyphen. Not stored in the state."
  type        = map(string)
  ephemeral   = true
  sensitive   = true
}

variable "value_version" {
  description = "Increase it to write the values again."
  type        = number
}

variable "recovery_days" {
  description = "How long a deleted secret can be restored [d]; 0: not at all."
  type        = number
}
