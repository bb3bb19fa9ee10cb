output "url" {
  description = "URL of the dashboard; the API is under /api/v1."
  value       = module.edge.url
}

output "hosts" {
  description = "Public host of each service; empty without a domain."
  value       = module.edge.hosts
}

output "cluster" {
  description = "ECS cluster."
  value       = module.cluster.name
}

output "repositories" {
  description = "ECR repository of each image."
  value       = { for name, one in module.registry.repositories : name => one.url }
}

output "services" {
  description = "Services that deploy.sh releases, in this order: image and task family of each."
  value = merge(
    { "1-mlflow" = { service = module.mlflow.name, image = "mlflow", family = module.mlflow_task.family } },
    local.has_own_prefect ? { "2-prefect" = { service = module.prefect[0].name, image = "prefect", family = module.prefect_task[0].family } } : {},
    {
      "3-worker"    = { service = module.worker.name, image = "prefect", family = module.worker_task.family }
      "4-watch"     = { service = module.watch.name, image = "prefect", family = module.watch_task.family }
      "5-api"       = { service = module.api.name, image = "api", family = module.api_task.family }
      "6-dashboard" = { service = module.dashboard.name, image = "dashboard", family = module.dashboard_task.family }
    },
  )
}

output "one_off" {
  description = "Families, subnets and security group of one-off tasks."
  value = {
    database_setup    = module.database_setup.family
    worker            = module.worker_task.family
    subnets           = module.network.task_subnet_ids
    security_group    = module.network.security_group_ids["worker"]
    is_public_address = var.nat == "none"
  }
}
