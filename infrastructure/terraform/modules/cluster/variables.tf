variable "name" {
  description = "Name of the cluster."
  type        = string
}

variable "vpc_id" {
  description = "VPC in which services find each other by name."
  type        = string
}

variable "domain" {
  description = "Private DNS domain of the services."
  type        = string
}
