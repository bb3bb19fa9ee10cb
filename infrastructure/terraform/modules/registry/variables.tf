variable "name" {
  description = "Prefix of the repositories."
  type        = string
}

variable "images" {
  description = "Names of the images."
  type        = set(string)
}

variable "key_arn" {
  description = "KMS key of the layers."
  type        = string
}

variable "is_disposable" {
  description = "Whether repositories with images in them may be destroyed."
  type        = bool
}
