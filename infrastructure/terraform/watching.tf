module "watching" {
  source = "./modules/watching"

  name              = local.name
  key_arn           = module.key.arn
  emails            = var.alarm_emails
  budget_usd        = var.budget_usd
  tags              = local.tags
  cluster_name      = module.cluster.name
  metrics           = local.metrics
  pool              = local.pool
  worker_log_group  = module.worker_task.log_group
  stale_after_hours = var.stale_after_hours
  place             = var.place
  runbooks          = var.runbooks

  services = merge(
    {
      "${local.name}-api"       = var.api_tasks.min
      "${local.name}-dashboard" = var.dashboard_tasks
      "${local.name}-mlflow"    = 1
      "${local.name}-worker"    = var.worker_tasks.min
      "${local.name}-watch"     = 1
    },
    local.has_own_prefect ? { "${local.name}-prefect" = 1 } : {},
  )

  database = { identifier = module.database.identifier, storage_gib = var.database.storage_gib }

  balancer = {
    arn_suffix    = module.edge.arn_suffix
    target_groups = { for name in ["api", "dashboard"] : name => module.edge.target_groups[name].arn_suffix }
  }
}

# Warnings of plan and apply; the guide's own command must not be refused.
check "recipients" {
  assert {
    condition     = length(var.alarm_emails) > 0
    error_message = "No one is told of alarms: set alarm_emails."
  }
}

check "encryption" {
  assert {
    condition     = var.domain != "" || var.environment != "prod"
    error_message = "The API and the dashboard are served over plain HTTP, and so are API keys: set domain and route53_zone_id."
  }
}
