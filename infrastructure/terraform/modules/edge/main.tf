locals {
  is_https = var.domain != ""
  hosts    = { for name in keys(var.targets) : name => name == "dashboard" ? var.domain : "${name}.${var.domain}" }
  # MLflow and Prefect require sign-in, and sign-in requires a domain.
  signed_in = { for name, target in var.targets : name => target if !target.is_public && local.is_https && var.has_oidc }
  public    = { for name, target in var.targets : name => target if target.is_public }
  reachable = merge(local.public, local.signed_in)
}

resource "aws_lb" "this" {
  # checkov:skip=CKV2_AWS_76:KnownBadInputs (with the Log4j rule) is attached in firewall.tf, in a dynamic block that checkov does not evaluate
  name                       = var.name
  load_balancer_type         = "application"
  internal                   = false
  subnets                    = var.subnet_ids
  security_groups            = [var.security_group_id]
  drop_invalid_header_fields = true
  enable_deletion_protection = var.is_protected
  idle_timeout               = 300

  access_logs {
    enabled = true
    bucket  = var.log_bucket
    prefix  = "balancer"
  }
}

resource "aws_lb_target_group" "this" {
  # checkov:skip=CKV_AWS_378:TLS ends at the load balancer; inside the VPC, security groups allow this path only
  for_each = local.reachable

  name                 = "${var.name}-${each.key}"
  vpc_id               = var.vpc_id
  target_type          = "ip"
  protocol             = "HTTP"
  port                 = each.value.port
  deregistration_delay = 60

  health_check {
    path                = each.value.health_path
    matcher             = "200"
    interval            = 15
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }

  # A dashboard session is bound to one process.
  dynamic "stickiness" {
    for_each = each.value.is_sticky ? [1] : []

    content {
      type            = "lb_cookie"
      cookie_duration = 86400
    }
  }
}

resource "aws_lb_listener" "http" {
  # checkov:skip=CKV_AWS_2:With a domain it only redirects to HTTPS; without one no certificate can be issued
  load_balancer_arn = aws_lb.this.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type             = local.is_https ? "redirect" : "forward"
    target_group_arn = local.is_https ? null : aws_lb_target_group.this["dashboard"].arn

    dynamic "redirect" {
      for_each = local.is_https ? [1] : []

      content {
        port        = "443"
        protocol    = "HTTPS"
        status_code = "HTTP_301"
      }
    }
  }
}

resource "aws_lb_listener" "https" {
  count = local.is_https ? 1 : 0

  load_balancer_arn = aws_lb.this.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = aws_acm_certificate_validation.this[0].certificate_arn

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this["dashboard"].arn
  }
}

locals {
  listener_arn = local.is_https ? aws_lb_listener.https[0].arn : aws_lb_listener.http.arn
}

# The API is routed by path on every host, so /api/v1/health works at the dashboard's address too.
resource "aws_lb_listener_rule" "api_path" {
  listener_arn = local.listener_arn
  priority     = 10

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this["api"].arn
  }

  condition {
    path_pattern {
      values = ["/api/*", "/docs", "/redoc", "/openapi.json"]
    }
  }
}

resource "aws_lb_listener_rule" "api_host" {
  count = local.is_https ? 1 : 0

  listener_arn = local.listener_arn
  priority     = 20

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this["api"].arn
  }

  condition {
    host_header {
      values = [local.hosts["api"]]
    }
  }
}

resource "aws_lb_listener_rule" "signed_in" {
  for_each = local.signed_in

  listener_arn = local.listener_arn
  priority     = 5 + index(keys(local.signed_in), each.key)

  action {
    type = "authenticate-oidc"

    authenticate_oidc {
      issuer                     = var.oidc.issuer
      authorization_endpoint     = var.oidc.authorization_endpoint
      token_endpoint             = var.oidc.token_endpoint
      user_info_endpoint         = var.oidc.user_info_endpoint
      client_id                  = var.oidc.client_id
      client_secret              = var.oidc.client_secret
      on_unauthenticated_request = "authenticate"
    }
  }

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this[each.key].arn
  }

  condition {
    host_header {
      values = [local.hosts[each.key]]
    }
  }
}
