# Private, encrypted with our key, versioned.
mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  name           = "one"
  purpose        = "Tables"
  key_arn        = "arn:aws:kms:us-east-1:123456789012:key/one"
  lifecycle_days = { infrequent = 90, expire = 0, old_version = 30 }
  is_disposable  = false
}

run "closed" {
  command = plan

  module {
    source = "./modules/bucket"
  }

  assert {
    condition     = alltrue([for name in ["block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"] : aws_s3_bucket_public_access_block.this[name]])
    error_message = "Nothing in the bucket may be public."
  }

  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).kms_master_key_id == var.key_arn
    error_message = "Objects must be encrypted with our key."
  }

  assert {
    condition     = one(aws_s3_bucket_versioning.this.versioning_configuration).status == "Enabled" && !aws_s3_bucket.this.force_destroy
    error_message = "Versioning must be on, and a bucket with objects must not be destroyed."
  }
}

run "infrequent_too_early" {
  command = plan

  module {
    source = "./modules/bucket"
  }

  variables {
    lifecycle_days = { infrequent = 10, expire = 0, old_version = 30 }
  }

  expect_failures = [var.lifecycle_days]
}
