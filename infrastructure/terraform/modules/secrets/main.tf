# Values are ephemeral here and write-only in the provider, so neither plan nor state contains them.
ephemeral "aws_secretsmanager_random_password" "this" {
  for_each = var.generated

  password_length     = 40
  exclude_punctuation = true
}

locals {
  secrets = merge(var.generated, var.given)
}

resource "aws_secretsmanager_secret" "this" {
  # checkov:skip=CKV2_AWS_57:Raising secret_version and running database-setup rotates them together; a Lambda would do half of it
  for_each = local.secrets

  name                    = "${var.name}/${each.key}"
  description             = each.value
  kms_key_id              = var.key_arn
  recovery_window_in_days = var.recovery_days
}

resource "aws_secretsmanager_secret_version" "generated" {
  for_each = var.generated

  secret_id = aws_secretsmanager_secret.this[each.key].id
  secret_string_wo = coalesce(
    lookup(var.values, each.key, ""), ephemeral.aws_secretsmanager_random_password.this[each.key].random_password
  )
  secret_string_wo_version = var.value_version
}

# Secrets Manager rejects empty values, and a task does not start without one.
resource "aws_secretsmanager_secret_version" "given" {
  for_each = var.given

  secret_id                = aws_secretsmanager_secret.this[each.key].id
  secret_string_wo         = coalesce(lookup(var.values, each.key, ""), "-")
  secret_string_wo_version = var.value_version
}
