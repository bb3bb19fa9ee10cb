"""Prefect Cloud instead of a self-hosted server; in its own file because each plan takes 15 s."""

from cloud import Terraform, of


def test_prefect_cloud_replaces_the_server(terraform: Terraform):
    url = "https://api.prefect.cloud/api/accounts/a/workspaces/w"
    planned = terraform.plan("prod", f"-var=prefect_api_url={url}", "-var=prefect_api_key=a-key")
    names = {one["name"] for one in of(planned, "aws_ecs_service")}
    assert "air-pollution-worker" in names and "air-pollution-prefect" not in names
