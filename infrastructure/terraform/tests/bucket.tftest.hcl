# A bucket: closed, versioned, encrypted, TLS only; its copy likewise.
mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

mock_provider "aws" {
  alias = "replica"

  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  name           = "one"
  purpose        = "a test"
  key_arn        = "arn:aws:kms:us-east-1:123456789012:key/one"
  lifecycle_days = { infrequent = 90, expire = 0, old_version = 30 }
  is_disposable  = false
}

run "closed" {
  command = plan

  module {
    source = "./modules/bucket"
  }

  providers = { aws = aws, aws.replica = aws.replica }

  assert {
    condition     = aws_s3_bucket_public_access_block.this.block_public_policy && aws_s3_bucket_public_access_block.this.restrict_public_buckets
    error_message = "Nothing in the bucket may be public."
  }

  assert {
    condition     = aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled"
    error_message = "What is deleted must be restorable."
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms"
    error_message = "Objects must be encrypted with our key."
  }

  assert {
    condition     = !aws_s3_bucket.this.force_destroy && length(aws_s3_bucket.replica) == 0
    error_message = "It must not go with objects in it, nor be copied unasked."
  }
}

run "too_early_for_infrequent_access" {
  command = plan

  module {
    source = "./modules/bucket"
  }

  providers = { aws = aws, aws.replica = aws.replica }

  variables {
    lifecycle_days = { infrequent = 10, expire = 0, old_version = 30 }
  }

  expect_failures = [var.lifecycle_days]
}
