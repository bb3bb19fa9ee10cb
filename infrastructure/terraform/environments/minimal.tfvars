# A small city on a small budget: production's guards without its spares. Tasks have public addresses and no way in.
environment         = "prod"
place               = "helsinki"
nat                 = "none"
interface_endpoints = false
api_tasks           = { min = 1, max = 2 }
dashboard_tasks     = 1
worker_tasks        = { min = 1, max = 2 }
database            = { instance_class = "db.t4g.micro", storage_gib = 20, max_storage_gib = 50 }
is_multi_az         = false
backup_days         = 7
is_replicated       = false
budget_usd          = 300
log_retention_days  = 90
