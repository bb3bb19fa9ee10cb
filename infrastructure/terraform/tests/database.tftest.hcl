# Private, encrypted, TLS only, administrator password managed by RDS.
mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  name              = "one"
  subnet_ids        = ["subnet-1", "subnet-2"]
  security_group_id = "sg-1"
  key_arn           = "arn:aws:kms:us-east-1:123456789012:key/one"
  size              = { instance_class = "db.t4g.micro", storage_gib = 20, max_storage_gib = 50 }
  is_multi_az       = true
  backup_days       = 7
  is_protected      = true
}

run "closed" {
  command = plan

  module {
    source = "./modules/database"
  }

  assert {
    condition     = !aws_db_instance.this.publicly_accessible && aws_db_instance.this.storage_encrypted
    error_message = "The database must be encrypted and private."
  }

  assert {
    condition     = aws_db_instance.this.manage_master_user_password && aws_db_instance.this.password == null
    error_message = "RDS must manage the administrator's password."
  }

  assert {
    condition     = contains([for one in aws_db_parameter_group.this.parameter : "${one.name}=${one.value}"], "rds.force_ssl=1")
    error_message = "The database must reject unencrypted connections."
  }

  assert {
    condition     = aws_db_instance.this.multi_az && aws_db_instance.this.deletion_protection && !aws_db_instance.this.skip_final_snapshot
    error_message = "A protected database has a standby, deletion protection and a final snapshot."
  }
}
