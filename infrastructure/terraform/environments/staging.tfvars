# Smaller than production: one NAT gateway, no standby, no replication, no deletion protection.
environment         = "staging"
place               = "helsinki"
vpc_cidr            = "10.41.0.0/16"
nat                 = "single"
interface_endpoints = false
api_tasks           = { min = 1, max = 2 }
dashboard_tasks     = 1
worker_tasks        = { min = 1, max = 2 }
database            = { instance_class = "db.t4g.micro", storage_gib = 20, max_storage_gib = 50 }
is_multi_az         = false
backup_days         = 7
is_replicated       = false
is_protected        = false
budget_usd          = 350
log_retention_days  = 30
