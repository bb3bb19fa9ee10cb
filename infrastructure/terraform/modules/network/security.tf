# Allowed connections. Each line opens one port on both sides; everything else is closed.
locals {
  groups = {
    balancer  = "Load balancer"
    api       = "API"
    dashboard = "Dashboard"
    mlflow    = "MLflow server"
    prefect   = "Prefect server"
    worker    = "Prefect workers and one-off tasks"
    database  = "PostgreSQL"
    endpoints = "Private endpoints of AWS services"
  }

  ports = { api = 8000, dashboard = 8501, mlflow = 5000, prefect = 4200, database = 5432 }

  paths = {
    for path in [
      ["balancer", "api"], ["balancer", "dashboard"], ["balancer", "mlflow"], ["balancer", "prefect"],
      ["dashboard", "api"], ["api", "mlflow"],
      ["worker", "mlflow"], ["worker", "prefect"], ["worker", "database"],
      ["mlflow", "database"], ["prefect", "database"],
    ] : "${path[0]}-${path[1]}" => { from = path[0], to = path[1], port = local.ports[path[1]] }
  }

  # AWS services, and for workers the data providers, over TLS.
  outgoing = toset(["balancer", "api", "dashboard", "mlflow", "prefect", "worker"])
}

resource "aws_security_group" "this" {
  # checkov:skip=CKV2_AWS_5:They are attached in other modules, by ID
  for_each = local.groups

  name        = "${var.name}-${each.key}"
  description = each.value
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.name}-${each.key}" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "public" {
  for_each = {
    for pair in setproduct(var.is_https ? [80, 443] : [80], var.allowed_cidrs) : "${pair[0]}-${pair[1]}" => pair
  }

  security_group_id = aws_security_group.this["balancer"].id
  description       = "Visitors"
  ip_protocol       = "tcp"
  from_port         = each.value[0]
  to_port           = each.value[0]
  cidr_ipv4         = each.value[1]
}

resource "aws_vpc_security_group_ingress_rule" "path" {
  for_each = local.paths

  security_group_id            = aws_security_group.this[each.value.to].id
  description                  = "From ${each.value.from}"
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  referenced_security_group_id = aws_security_group.this[each.value.from].id
}

resource "aws_vpc_security_group_egress_rule" "path" {
  for_each = local.paths

  security_group_id            = aws_security_group.this[each.value.from].id
  description                  = "To ${each.value.to}"
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  referenced_security_group_id = aws_security_group.this[each.value.to].id
}

resource "aws_vpc_security_group_egress_rule" "tls" {
  for_each = local.outgoing

  security_group_id = aws_security_group.this[each.key].id
  description       = "TLS to anywhere"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  security_group_id = aws_security_group.this["endpoints"].id
  description       = "TLS from inside the VPC"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = var.cidr
}
