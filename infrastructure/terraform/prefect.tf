locals {
  # Without a domain and an identity provider, MLflow and Prefect are private.
  is_signed_in = var.domain != "" && nonsensitive(var.oidc != null)
  pool         = "hazecast"
  # Links of the dashboard to the pages that sign-in opens.
  pages = local.is_signed_in ? { for name in ["mlflow", "prefect"] : "HAZECAST_${upper(name)}_PAGE" => "https://${name}.${var.domain}" if name == "mlflow" || local.has_own_prefect } : {}
}

# Prefect server: 1 vCPU, 2 GB, one task; not created with Prefect Cloud

module "prefect_task" {
  source = "./modules/task"
  count  = local.has_own_prefect ? 1 : 0

  name               = "${local.name}-prefect"
  container          = "prefect"
  image              = local.images["prefect"]
  repository_arn     = module.registry.repositories["prefect"].arn
  cpu                = 1024
  memory             = 2048
  port               = module.network.ports["prefect"]
  health_command     = "python -c \"import urllib.request; urllib.request.urlopen('http://127.0.0.1:4200/api/health', timeout=8)\""
  command            = ["python", "-m", "hazecast.servers", "prefect", "--host", "0.0.0.0", "--port", tostring(module.network.ports["prefect"])]
  writable           = ["/tmp", "/data"]
  key_arn            = module.key.arn
  is_exec_enabled    = var.is_exec_enabled
  log_retention_days = var.log_retention_days

  secrets = {
    PREFECT_SERVER_API_AUTH_STRING   = module.secrets.arns["prefect-password"]
    PREFECT_SERVER_DATABASE_PASSWORD = module.secrets.arns["prefect-db-password"]
  }

  environment = {
    HAZECAST_ALLOWED_HOSTS           = local.allowed_hosts
    PREFECT_HOME                     = "/data/prefect"
    PREFECT_SERVER_DATABASE_DRIVER   = "postgresql+asyncpg"
    PREFECT_SERVER_DATABASE_HOST     = module.database.host
    PREFECT_SERVER_DATABASE_PORT     = "5432"
    PREFECT_SERVER_DATABASE_NAME     = "prefect"
    PREFECT_SERVER_DATABASE_USER     = "prefect"
    PREFECT_SERVER_ANALYTICS_ENABLED = "false"
    # Prefect's own TLS settings accept only authorities in the image, and RDS has its own.
    PGSSLMODE = "require"
  }
}

module "prefect" {
  source = "./modules/service"
  count  = local.has_own_prefect ? 1 : 0

  name                = "${local.name}-prefect"
  dns_name            = "prefect"
  namespace_id        = module.cluster.namespace_id
  cluster_arn         = module.cluster.arn
  task_definition_arn = module.prefect_task[0].arn
  container           = "prefect"
  port                = module.network.ports["prefect"]
  desired_count       = 1
  subnet_ids          = module.network.task_subnet_ids
  security_group_id   = module.network.security_group_ids["prefect"]
  has_public_address  = var.nat == "none"
  is_balanced         = local.is_signed_in
  target_group_arn    = local.is_signed_in ? module.edge.target_groups["prefect"].arn : ""
  is_single           = true
  is_exec_enabled     = var.is_exec_enabled
}

# Workers: 2 vCPU, 4 GB, 1 to 5 tasks scaled by the queue, on Spot

module "worker_task" {
  source = "./modules/task"

  name               = "${local.name}-worker"
  container          = "worker"
  image              = local.images["prefect"]
  repository_arn     = module.registry.repositories["prefect"].arn
  cpu                = 2048
  memory             = 4096
  command            = ["python", "flows/deployments.py", "--work"]
  environment        = merge(local.hazecast, local.settings.worker, { HAZECAST_PREFECT_POOL = local.pool, PREFECT_HOME = "/data/prefect" })
  secrets            = merge(local.setting_secrets.worker, local.prefect_secret, local.mlflow_secret, { HAZECAST_OPENAQ_API_KEY = module.secrets.arns["openaq-api-key"] })
  health_command     = "python -c \"import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/health')\""
  statements         = concat(local.write_tables, [{ actions = ["kms:Decrypt", "kms:GenerateDataKey"], resources = [module.key.arn] }])
  writable           = ["/tmp", "/data"]
  key_arn            = module.key.arn
  is_exec_enabled    = var.is_exec_enabled
  log_retention_days = var.log_retention_days
}

module "worker" {
  source = "./modules/service"

  name                = "${local.name}-worker"
  cluster_arn         = module.cluster.arn
  task_definition_arn = module.worker_task.arn
  container           = "worker"
  desired_count       = var.worker_tasks.min
  capacity_provider   = "FARGATE_SPOT"
  subnet_ids          = module.network.task_subnet_ids
  security_group_id   = module.network.security_group_ids["worker"]
  has_public_address  = var.nat == "none"
  is_exec_enabled     = var.is_exec_enabled
}

module "worker_scaling" {
  source = "./modules/scaling"

  cluster_name = module.cluster.name
  service_name = module.worker.name
  min          = var.worker_tasks.min
  max          = var.worker_tasks.max
  queue        = local.pool
  metrics      = local.metrics
}

# Watch: 0.5 vCPU, 1 GB, on Spot; publishes metrics of forecasts, incidents and the queue each minute

module "watch_task" {
  source = "./modules/task"

  name               = "${local.name}-watch"
  container          = "watch"
  image              = local.images["prefect"]
  repository_arn     = module.registry.repositories["prefect"].arn
  cpu                = 512
  memory             = 1024
  command            = ["hazecast", "publish", "--every", "60"]
  environment        = merge(local.hazecast, local.settings.metrics, { HAZECAST_PREFECT_POOL = local.pool, HAZECAST_METRICS_NAMESPACE = local.metrics })
  secrets            = local.prefect_secret
  statements         = local.read_tables
  writable           = ["/tmp", "/data"]
  key_arn            = module.key.arn
  log_retention_days = var.log_retention_days
}

module "watch" {
  source = "./modules/service"

  name                = "${local.name}-watch"
  cluster_arn         = module.cluster.arn
  task_definition_arn = module.watch_task.arn
  container           = "watch"
  desired_count       = 1
  capacity_provider   = "FARGATE_SPOT"
  subnet_ids          = module.network.task_subnet_ids
  security_group_id   = module.network.security_group_ids["worker"]
  has_public_address  = var.nat == "none"
}

# Database set-up: run by deploy.sh; creates the databases and users of MLflow and Prefect, or resets their passwords

module "database_setup" {
  source = "./modules/task"

  name               = "${local.name}-database-setup"
  container          = "database-setup"
  image              = "public.ecr.aws/docker/library/postgres:16-alpine"
  is_own_image       = false
  cpu                = 256
  memory             = 512
  user               = "70:70"
  command            = ["sh", "-euc", "printf '%s' \"$SQL\" | psql --no-psqlrc --set=ON_ERROR_STOP=1 --quiet"]
  key_arn            = module.key.arn
  log_retention_days = var.log_retention_days

  environment = {
    PGHOST     = module.database.host
    PGDATABASE = "postgres"
    PGSSLMODE  = "require"
    SQL        = file("${path.module}/databases.sql")
  }

  secrets = {
    PGUSER           = "${module.database.master_secret_arn}:username::"
    PGPASSWORD       = "${module.database.master_secret_arn}:password::"
    MLFLOW_PASSWORD  = module.secrets.arns["mlflow-db-password"]
    PREFECT_PASSWORD = module.secrets.arns["prefect-db-password"]
  }
}
