data "aws_caller_identity" "current" {}
data "aws_region" "current" {}

locals {
  name   = var.environment == "prod" ? "air-pollution" : "air-pollution-${var.environment}"
  domain = "${local.name}.internal"
  # Both environments may share an account and a place.
  metrics = var.environment == "prod" ? "Hazecast" : "Hazecast/${var.environment}"
  tags    = { Project = "hazecast", Environment = var.environment, ManagedBy = "terraform" }

  cluster_name = var.environment == "prod" ? "air-pollution-prediction-cluster" : "air-pollution-prediction-cluster-${var.environment}"
}

module "key" {
  source = "./modules/key"

  name = local.name
}

module "replica_key" {
  source    = "./modules/key"
  count     = var.is_replicated ? 1 : 0
  providers = { aws = aws.replica }

  name = "${local.name}-replica"
}

module "network" {
  source = "./modules/network"

  name                = local.name
  cidr                = var.vpc_cidr
  zone_count          = var.zone_count
  nat                 = var.nat
  interface_endpoints = var.interface_endpoints
  allowed_cidrs       = var.allowed_cidrs
  is_https            = var.domain != ""
  key_arn             = module.key.arn
  log_retention_days  = var.log_retention_days
}

module "edge" {
  source = "./modules/edge"

  name                      = local.name
  vpc_id                    = module.network.vpc_id
  subnet_ids                = module.network.public_subnet_ids
  security_group_id         = module.network.security_group_ids["balancer"]
  targets                   = local.targets
  domain                    = var.domain
  route53_zone_id           = var.route53_zone_id
  oidc                      = var.oidc
  has_oidc                  = nonsensitive(var.oidc != null)
  requests_per_5_minutes    = var.requests_per_5_minutes
  predictions_per_5_minutes = var.predictions_per_5_minutes
  log_bucket                = module.logs.name
  key_arn                   = module.key.arn
  log_retention_days        = var.log_retention_days
  is_protected              = var.is_protected
  runbooks                  = var.runbooks
  topic_arn                 = module.watching.topic_arn
}

module "registry" {
  source = "./modules/registry"

  name          = local.name
  images        = ["api", "dashboard", "mlflow", "prefect"]
  key_arn       = module.key.arn
  is_disposable = !var.is_protected
}

module "secrets" {
  source = "./modules/secrets"

  name          = local.name
  key_arn       = module.key.arn
  given         = { "prefect-api-key" = "Prefect Cloud", "openaq-api-key" = "OpenAQ", "api-keys" = "Keys to the API (hashed)", "settings" = "Secret settings of Hazecast" }
  value_version = var.secret_version
  recovery_days = var.is_protected ? 30 : 0

  generated = {
    "mlflow-db-password"  = "Database user mlflow"
    "prefect-db-password" = "Database user prefect"
    "mlflow-password"     = "MLflow server, user hazecast"
    "prefect-password"    = "Prefect server"
  }

  values = {
    "mlflow-db-password" = var.db_password
    "prefect-api-key"    = var.prefect_api_key
    "openaq-api-key"     = var.openaq_api_key
    "api-keys"           = var.api_keys
    "settings"           = jsonencode({ for name, value in local.secret_settings : name => value == "" ? "-" : value })
  }
}

module "database" {
  source = "./modules/database"

  name              = local.name
  subnet_ids        = module.network.database_subnet_ids
  security_group_id = module.network.security_group_ids["database"]
  key_arn           = module.key.arn
  size              = var.database
  is_multi_az       = var.is_multi_az
  backup_days       = var.backup_days
  is_protected      = var.is_protected
}

module "backup" {
  source    = "./modules/backup"
  providers = { aws = aws, aws.replica = aws.replica }

  name            = local.name
  resource_arns   = concat([module.database.arn], [for bucket in module.buckets : bucket.arn])
  keep_days       = var.backup_days
  key_arn         = module.key.arn
  is_copied       = var.is_replicated
  replica_key_arn = local.replica_key_arn
  topic_arn       = module.watching.topic_arn
  is_disposable   = !var.is_protected
}
