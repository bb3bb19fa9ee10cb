variable "name" {
  description = "Name of the cluster."
  type        = string
}

variable "vpc_id" {
  description = "VPC of the private DNS domain."
  type        = string
}

variable "domain" {
  description = "Private DNS domain of the services."
  type        = string
}
