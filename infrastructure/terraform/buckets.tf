locals {
  replica_key_arn = var.is_replicated ? module.replica_key[0].arn : ""
  # Tables are rewritten by small commits: what a vacuum deletes need not be kept long.
  kept = { infrequent = 90, expire = 0, old_version = 30 }
}

module "mlflow_artifacts" {
  source    = "./modules/bucket"
  providers = { aws = aws, aws.replica = aws.replica }

  name            = local.bucket_names["mlflow-artifacts"]
  purpose         = "MLflow artifacts"
  key_arn         = module.key.arn
  lifecycle_days  = local.kept
  log_bucket      = module.logs.name
  is_logged       = true
  is_replicated   = var.is_replicated
  replica_key_arn = local.replica_key_arn
  is_disposable   = !var.is_protected
}

module "training_data" {
  source    = "./modules/bucket"
  providers = { aws = aws, aws.replica = aws.replica }

  name            = local.bucket_names["training-data"]
  purpose         = "Tables: observations, weather, forecasts, scores"
  key_arn         = module.key.arn
  lifecycle_days  = merge(local.kept, { infrequent = 0 })
  log_bucket      = module.logs.name
  is_logged       = true
  is_replicated   = var.is_replicated
  replica_key_arn = local.replica_key_arn
  is_disposable   = !var.is_protected
}

module "model_artifacts" {
  source    = "./modules/bucket"
  providers = { aws = aws, aws.replica = aws.replica }

  name            = local.bucket_names["model-artifacts"]
  purpose         = "Exported models and reports"
  key_arn         = module.key.arn
  lifecycle_days  = local.kept
  log_bucket      = module.logs.name
  is_logged       = true
  is_replicated   = var.is_replicated
  replica_key_arn = local.replica_key_arn
  is_disposable   = !var.is_protected
}

# The load balancer and S3 write here; neither can use a key of ours.
module "logs" {
  source    = "./modules/bucket"
  providers = { aws = aws, aws.replica = aws.replica }

  name           = local.bucket_names["logs"]
  purpose        = "Access logs"
  has_own_key    = false
  lifecycle_days = { infrequent = 0, expire = var.log_retention_days, old_version = 7 }
  statements     = [data.aws_iam_policy_document.balancer_logs.json, data.aws_iam_policy_document.bucket_logs.json]
  is_disposable  = !var.is_protected
}

data "aws_elb_service_account" "this" {}

data "aws_iam_policy_document" "balancer_logs" {
  statement {
    sid       = "BalancerLogs"
    actions   = ["s3:PutObject"]
    resources = ["arn:aws:s3:::${local.bucket_names["logs"]}/balancer/*"]

    principals {
      type        = "AWS"
      identifiers = [data.aws_elb_service_account.this.arn]
    }
  }
}

data "aws_iam_policy_document" "bucket_logs" {
  statement {
    sid       = "BucketLogs"
    actions   = ["s3:PutObject"]
    resources = ["arn:aws:s3:::${local.bucket_names["logs"]}/*"]

    principals {
      type        = "Service"
      identifiers = ["logging.s3.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}
