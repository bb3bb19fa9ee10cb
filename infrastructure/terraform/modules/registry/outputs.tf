output "repositories" {
  description = "Name, URL and ARN of each image's repository."
  value       = { for name, one in aws_ecr_repository.this : name => { name = one.name, url = one.repository_url, arn = one.arn } }
}
