# Production for a small budget: protected, without redundancy. Tasks have public addresses but accept no public traffic.
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
