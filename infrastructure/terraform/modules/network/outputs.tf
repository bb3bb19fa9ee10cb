output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "public_subnet_ids" {
  description = "Subnets of the load balancer."
  value       = [for zone in local.zones : aws_subnet.public[zone].id]
}

output "task_subnet_ids" {
  description = "Subnets of the tasks: private, or public where there is no NAT."
  value       = [for zone in local.zones : var.nat == "none" ? aws_subnet.public[zone].id : aws_subnet.private[zone].id]
}

output "database_subnet_ids" {
  description = "Subnets of the database, without a route to the internet."
  value       = [for zone in local.zones : aws_subnet.database[zone].id]
}

output "security_group_ids" {
  description = "Security group of each part."
  value       = { for name, group in aws_security_group.this : name => group.id }
}

output "ports" {
  description = "Port each part listens on."
  value       = local.ports
}
