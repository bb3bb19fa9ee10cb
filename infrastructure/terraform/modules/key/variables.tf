variable "name" {
  description = "Alias of the key, without alias/."
  type        = string
}
