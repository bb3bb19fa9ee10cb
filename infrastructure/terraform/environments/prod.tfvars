# Production is the default of every variable; put what is yours here.
environment = "prod"
place       = "helsinki"
# domain          = "air.example.org"
# route53_zone_id = "Z0123456789ABCDEFGHIJ"
# alarm_emails    = ["duty@example.org"]
