# Six services. Each has a task (program and permissions) and a service (count, network, load balancer).
locals {
  has_own_prefect = var.prefect_api_url == ""

  targets = merge(
    {
      api       = { port = module.network.ports["api"], health_path = "/api/v1/health", is_sticky = false, is_public = true }
      dashboard = { port = module.network.ports["dashboard"], health_path = "${trimsuffix("/${trim(coalesce(var.dashboard_path, " "), "/ ")}", "/")}/_stcore/health", is_sticky = true, is_public = true }
      mlflow    = { port = module.network.ports["mlflow"], health_path = "/health", is_sticky = false, is_public = false }
    },
    local.has_own_prefect ? {
      prefect = { port = module.network.ports["prefect"], health_path = "/api/health", is_sticky = false, is_public = false }
    } : {},
  )

  images = { for name in ["api", "dashboard", "mlflow", "prefect"] : name => "${module.registry.repositories[name].url}:${var.image_tag}" }

  mlflow_uri  = "http://mlflow.${local.domain}:${module.network.ports["mlflow"]}"
  prefect_uri = local.has_own_prefect ? "http://prefect.${local.domain}:${module.network.ports["prefect"]}/api" : var.prefect_api_url

  # Settings of all Hazecast services; described in src/hazecast/settings.py.
  hazecast = {
    ENVIRONMENT                = var.environment
    AWS_REGION                 = data.aws_region.current.name
    AWS_DEFAULT_REGION         = data.aws_region.current.name
    USE_S3                     = "true"
    HAZECAST_S3_URI            = "s3://${local.bucket_names["training-data"]}/tables"
    HAZECAST_PLACE             = var.place
    HAZECAST_HOST              = "0.0.0.0"
    HAZECAST_HOME              = "/data"
    HAZECAST_LOG_FORMAT        = "json"
    HAZECAST_STALE_AFTER_HOURS = tostring(var.stale_after_hours)
    HAZECAST_SCHEDULE_TIMEZONE = var.schedule_timezone
    MLFLOW_TRACKING_URI        = local.mlflow_uri
    PREFECT_API_URL            = local.prefect_uri
  }

  # The secrets of each service: of its settings (one JSON), of Prefect, and of MLflow.
  setting_secrets = { for service, names in local.secret_names : service => { for name in names : name => "${module.secrets.arns["settings"]}:${name}::" } }
  prefect_secret  = local.has_own_prefect ? { PREFECT_API_AUTH_STRING = module.secrets.arns["prefect-password"] } : { PREFECT_API_KEY = module.secrets.arns["prefect-api-key"] }
  mlflow_secret   = { MLFLOW_TRACKING_PASSWORD = module.secrets.arns["mlflow-password"] }

  # Host names of MLflow and Prefect; an IP address, as probes use it, is always accepted.
  allowed_hosts = join(",", compact(["mlflow.${local.domain}", "prefect.${local.domain}", var.domain == "" ? "" : "mlflow.${var.domain}", var.domain == "" ? "" : "prefect.${var.domain}"]))

  database_environment = { DB_HOST = module.database.host, DB_PORT = "5432", PGSSLMODE = "require" }

  read_tables = [
    { actions = ["s3:GetObject"], resources = ["arn:aws:s3:::${local.bucket_names["training-data"]}/*"] },
    { actions = ["s3:ListBucket"], resources = ["arn:aws:s3:::${local.bucket_names["training-data"]}"] },
    { actions = ["kms:Decrypt"], resources = [module.key.arn] },
  ]

  write_artifacts = [
    { actions = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"], resources = ["arn:aws:s3:::${local.bucket_names["mlflow-artifacts"]}/*"] },
    { actions = ["s3:ListBucket"], resources = ["arn:aws:s3:::${local.bucket_names["mlflow-artifacts"]}"] },
    { actions = ["kms:Decrypt", "kms:GenerateDataKey"], resources = [module.key.arn] },
  ]

  write_tables = [
    { actions = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"], resources = [for purpose in ["training-data", "model-artifacts"] : "arn:aws:s3:::${local.bucket_names[purpose]}/*"] },
    { actions = ["s3:ListBucket"], resources = [for purpose in ["training-data", "model-artifacts"] : "arn:aws:s3:::${local.bucket_names[purpose]}"] },
  ]
}

module "cluster" {
  source = "./modules/cluster"

  name   = local.cluster_name
  vpc_id = module.network.vpc_id
  domain = local.domain
}

# API: 1 vCPU, 2 GB, 1 to 10 tasks scaled by CPU and requests

module "api_task" {
  source = "./modules/task"

  name           = "${local.name}-api"
  container      = "api"
  image          = local.images["api"]
  repository_arn = module.registry.repositories["api"].arn
  cpu            = 1024
  memory         = 2048
  port           = module.network.ports["api"]
  # The load balancer, in the VPC, is the proxy that names the client.
  environment        = merge(local.hazecast, { HAZECAST_TRUSTED_PROXIES = var.vpc_cidr }, local.settings.api)
  secrets            = merge(local.mlflow_secret, { HAZECAST_API_KEYS_CONTENT = module.secrets.arns["api-keys"] })
  statements         = local.read_tables
  writable           = ["/tmp", "/data"]
  key_arn            = module.key.arn
  is_exec_enabled    = var.is_exec_enabled
  log_retention_days = var.log_retention_days
}

module "api" {
  source = "./modules/service"

  name                = "${local.name}-api"
  dns_name            = "api"
  namespace_id        = module.cluster.namespace_id
  cluster_arn         = module.cluster.arn
  task_definition_arn = module.api_task.arn
  container           = "api"
  port                = module.network.ports["api"]
  desired_count       = var.api_tasks.min
  subnet_ids          = module.network.task_subnet_ids
  security_group_id   = module.network.security_group_ids["api"]
  has_public_address  = var.nat == "none"
  is_balanced         = true
  target_group_arn    = module.edge.target_groups["api"].arn
  rollback_alarms     = [module.edge.error_alarms["api"]]
  is_exec_enabled     = var.is_exec_enabled
}

module "api_scaling" {
  source = "./modules/scaling"

  cluster_name        = module.cluster.name
  service_name        = module.api.name
  min                 = var.api_tasks.min
  max                 = var.api_tasks.max
  cpu_percent         = 60
  requests_per_minute = 3000
  balancer_label      = "${module.edge.arn_suffix}/${module.edge.target_groups["api"].arn_suffix}"
}

# Dashboard: 0.5 vCPU, 1 GB, two tasks; uses the API only

module "dashboard_task" {
  source = "./modules/task"

  name               = "${local.name}-dashboard"
  container          = "dashboard"
  image              = local.images["dashboard"]
  repository_arn     = module.registry.repositories["dashboard"].arn
  cpu                = 512
  memory             = 1024
  port               = module.network.ports["dashboard"]
  environment        = merge(local.settings.dashboard, { HAZECAST_API_URL = "http://api.${local.domain}:${module.network.ports["api"]}" }, local.pages)
  secrets            = local.setting_secrets.dashboard
  key_arn            = module.key.arn
  is_exec_enabled    = var.is_exec_enabled
  log_retention_days = var.log_retention_days
}

module "dashboard" {
  source = "./modules/service"

  name                = "${local.name}-dashboard"
  cluster_arn         = module.cluster.arn
  task_definition_arn = module.dashboard_task.arn
  container           = "dashboard"
  port                = module.network.ports["dashboard"]
  desired_count       = var.dashboard_tasks
  subnet_ids          = module.network.task_subnet_ids
  security_group_id   = module.network.security_group_ids["dashboard"]
  has_public_address  = var.nat == "none"
  is_balanced         = true
  target_group_arn    = module.edge.target_groups["dashboard"].arn
  rollback_alarms     = [module.edge.error_alarms["dashboard"]]
  is_exec_enabled     = var.is_exec_enabled
}

# MLflow: 1 vCPU, 2 GB, one task; the only service with access to the artifacts

module "mlflow_task" {
  source = "./modules/task"

  name               = "${local.name}-mlflow"
  container          = "mlflow"
  image              = local.images["mlflow"]
  repository_arn     = module.registry.repositories["mlflow"].arn
  cpu                = 1024
  memory             = 2048
  port               = module.network.ports["mlflow"]
  health_command     = "python -c \"import urllib.request; urllib.request.urlopen('http://127.0.0.1:5000/health', timeout=8)\""
  secrets            = merge(local.mlflow_secret, { DB_PASSWORD = module.secrets.arns["mlflow-db-password"] })
  statements         = local.write_artifacts
  key_arn            = module.key.arn
  is_exec_enabled    = var.is_exec_enabled
  log_retention_days = var.log_retention_days

  environment = merge(local.database_environment, {
    AWS_DEFAULT_REGION           = data.aws_region.current.name
    DB_NAME                      = "mlflow"
    DB_USER                      = "mlflow"
    MLFLOW_ARTIFACTS_DESTINATION = "s3://${local.bucket_names["mlflow-artifacts"]}"
    HAZECAST_ALLOWED_HOSTS       = local.allowed_hosts
  })
}

module "mlflow" {
  source = "./modules/service"

  name                = "${local.name}-mlflow"
  dns_name            = "mlflow"
  namespace_id        = module.cluster.namespace_id
  cluster_arn         = module.cluster.arn
  task_definition_arn = module.mlflow_task.arn
  container           = "mlflow"
  port                = module.network.ports["mlflow"]
  desired_count       = 1
  subnet_ids          = module.network.task_subnet_ids
  security_group_id   = module.network.security_group_ids["mlflow"]
  has_public_address  = var.nat == "none"
  is_balanced         = local.is_signed_in
  target_group_arn    = local.is_signed_in ? module.edge.target_groups["mlflow"].arn : ""
  is_exec_enabled     = var.is_exec_enabled
}
