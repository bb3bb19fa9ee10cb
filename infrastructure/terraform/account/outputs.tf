output "role_arns" {
  description = "Role of each environment: the variable AWS_ROLE_ARN of GitHub's environment of that name."
  value       = merge({ for name, role in aws_iam_role.deploy : name => role.arn }, { prod-verify = aws_iam_role.verify.arn })
}
