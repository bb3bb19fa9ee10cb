# Once per AWS account: roles for GitHub Actions by OIDC, without stored keys. Apply manually; it has its own state:
#   terraform -chdir=infrastructure/terraform/account init && terraform -chdir=infrastructure/terraform/account apply
terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

provider "aws" {
  default_tags {
    tags = { Project = "hazecast", ManagedBy = "terraform" }
  }
}

data "aws_caller_identity" "current" {}

resource "aws_iam_openid_connect_provider" "github" {
  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

# One role per environment: only a job of that GitHub environment can assume it.
resource "aws_iam_role" "deploy" {
  for_each = toset(["staging", "prod"])

  name                 = "hazecast-deploy-${each.key}"
  assume_role_policy   = data.aws_iam_policy_document.assume_role[each.key].json
  max_session_duration = 14400
}

data "aws_iam_policy_document" "assume_role" {
  for_each = toset(["staging", "prod", "prod-verify"])

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [aws_iam_openid_connect_provider.github.arn]
    }

    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:aud"
      values   = ["sts.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:sub"
      values   = ["repo:${var.repository}:environment:${each.key}"]
    }
  }
}

# The scheduled verification is read-only.
resource "aws_iam_role" "verify" {
  name               = "hazecast-prod-verify"
  assume_role_policy = data.aws_iam_policy_document.assume_role["prod-verify"].json
}

resource "aws_iam_role_policy_attachment" "verify" {
  role       = aws_iam_role.verify.name
  policy_arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
}

# PowerUserAccess excludes IAM; the other policy is limited to roles named air-pollution*.
resource "aws_iam_role_policy_attachment" "deploy" {
  for_each = aws_iam_role.deploy

  role       = each.value.name
  policy_arn = "arn:aws:iam::aws:policy/PowerUserAccess"
}

resource "aws_iam_role_policy" "roles" {
  for_each = aws_iam_role.deploy

  name   = "own-roles"
  role   = each.value.id
  policy = data.aws_iam_policy_document.roles.json
}

data "aws_iam_policy_document" "roles" {
  statement {
    sid = "OwnRoles"
    actions = [
      "iam:CreateRole", "iam:DeleteRole", "iam:GetRole", "iam:UpdateAssumeRolePolicy", "iam:TagRole", "iam:UntagRole",
      "iam:ListRolePolicies", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole",
      "iam:PutRolePolicy", "iam:GetRolePolicy", "iam:DeleteRolePolicy",
    ]
    resources = ["arn:aws:iam::${data.aws_caller_identity.current.account_id}:role/air-pollution*"]
  }

  # Only service roles of AWS for databases, backups and similar.
  statement {
    sid       = "ServicePolicies"
    actions   = ["iam:AttachRolePolicy", "iam:DetachRolePolicy"]
    resources = ["arn:aws:iam::${data.aws_caller_identity.current.account_id}:role/air-pollution*"]

    condition {
      test     = "ArnLike"
      variable = "iam:PolicyARN"
      values   = ["arn:aws:iam::aws:policy/service-role/*", "arn:aws:iam::aws:policy/AWSBackupServiceRolePolicyFor*"]
    }
  }

  statement {
    sid       = "PassOwnRoles"
    actions   = ["iam:PassRole"]
    resources = ["arn:aws:iam::${data.aws_caller_identity.current.account_id}:role/air-pollution*"]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values = [
        "backup.amazonaws.com", "ecs-tasks.amazonaws.com", "monitoring.rds.amazonaws.com", "s3.amazonaws.com",
        "vpc-flow-logs.amazonaws.com",
      ]
    }
  }
}
