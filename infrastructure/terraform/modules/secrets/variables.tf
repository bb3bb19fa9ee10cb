variable "name" {
  description = "Prefix of the secrets."
  type        = string
}

variable "key_arn" {
  description = "KMS key of the secrets."
  type        = string
}

variable "generated" {
  description = "Passwords: name of the secret to what it is for. AWS chooses them where none is given."
  type        = map(string)
}

variable "given" {
  description = "Keys that other people issue: name of the secret to what it is for."
  type        = map(string)
}

variable "values" {
  description = "Values by name of the secret; empty or absent: generated, or (for given ones) a single hyphen. Never in the state."
  type        = map(string)
  ephemeral   = true
  sensitive   = true
}

variable "value_version" {
  description = "Raise it to write the values anew."
  type        = number
}

variable "recovery_days" {
  description = "How long a deleted secret can be restored [d]; 0: not at all."
  type        = number
}
