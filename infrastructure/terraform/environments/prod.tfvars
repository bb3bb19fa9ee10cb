# Every variable defaults to production; set your own values here.
environment = "prod"
place       = "helsinki"
# domain          = "air.example.org"
# route53_zone_id = "Z0123456789ABCDEFGHIJ"
# alarm_emails    = ["duty@example.org"]
