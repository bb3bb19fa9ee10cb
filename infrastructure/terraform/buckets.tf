locals {
  replica_key_arn = var.is_replicated ? module.replica_key[0].arn : ""

  # Days until objects move to infrequent access. Tables get small commits, and old data are still read.
  buckets = {
    "mlflow-artifacts" = { purpose = "MLflow artifacts", infrequent = 90 }
    "training-data"    = { purpose = "Tables: observations, weather, forecasts, scores", infrequent = 0 }
    "model-artifacts"  = { purpose = "Exported models and reports", infrequent = 90 }
  }
  # Names instead of references, so that policies are known in the plan.
  bucket_names = { for name in concat(keys(local.buckets), ["logs"]) : name => "${local.name}-${name}-${data.aws_caller_identity.current.account_id}" }
}

module "buckets" {
  source   = "./modules/bucket"
  for_each = local.buckets

  name           = local.bucket_names[each.key]
  purpose        = each.value.purpose
  key_arn        = module.key.arn
  lifecycle_days = { infrequent = each.value.infrequent, expire = 0, old_version = 30 }
  log_bucket     = module.logs.name
  is_logged      = true
  is_disposable  = !var.is_protected
}

module "replicas" {
  # checkov:skip=CKV_AWS_18:Only S3 writes here; CloudTrail data events can record reads
  source    = "./modules/bucket"
  for_each  = var.is_replicated ? local.buckets : {}
  providers = { aws = aws.replica }

  name           = "${local.bucket_names[each.key]}-replica"
  purpose        = "${each.value.purpose}, copy"
  key_arn        = local.replica_key_arn
  lifecycle_days = { infrequent = 0, expire = 0, old_version = 30 }
  is_disposable  = !var.is_protected
}

module "replication" {
  source   = "./modules/replication"
  for_each = var.is_replicated ? local.buckets : {}

  bucket          = module.buckets[each.key]
  bucket_key_arn  = module.key.arn
  replica         = module.replicas[each.key]
  replica_key_arn = local.replica_key_arn
}

# The load balancer and S3 write here; neither can use a customer-managed key.
module "logs" {
  # checkov:skip=CKV_AWS_145:Access logs support S3-managed keys only
  source = "./modules/bucket"

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
