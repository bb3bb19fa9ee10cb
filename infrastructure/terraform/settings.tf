# Written by `make settings` from src/hazecast/settings.py; null is Hazecast's default (docs/settings.md).

variable "api_key" {
  description = "Key with which the dashboard requests the API, where HAZECAST_API_KEYS requires one."
  type        = string
  ephemeral   = true
  sensitive   = true
  default     = ""
}

variable "cors_origins" {
  description = "Origins of web pages that may call the API, comma-separated; * allows all."
  type        = string
  default     = null
}

variable "predict_per_minute" {
  description = "Predictions (`POST /api/v1/predict`) of one client without a key in a minute; 0: no limit."
  type        = number
  default     = null
}

variable "trusted_proxies" {
  description = "Addresses or networks of reverse proxies whose X-Forwarded-For names the client, comma-separated."
  type        = string
  default     = null
}

variable "dashboard_path" {
  description = "Path below which the dashboard is served behind a reverse proxy, such as air. Empty: the root."
  type        = string
  default     = null
}

variable "keep_runs_days" {
  description = "Runs older than this are deleted from the Prefect server and from the table `runs` [d]."
  type        = number
  default     = null
}

variable "keep_models" {
  description = "The newest model versions that stay registered, besides the champion, the one before it and the challenger."
  type        = number
  default     = null
}

variable "table_retention_days" {
  description = "Replaced versions of the tables are kept this long, then their files are deleted [d]."
  type        = number
  default     = null
}

variable "horizon_hours" {
  description = "Longest lead of the forecasts [h]: 48, 72, 96 or 120. Empty: the place's own, else 72."
  type        = number
  default     = null
}

variable "retrain_cooldown_hours" {
  description = "Shortest time between two retrainings that monitoring starts [h]."
  type        = number
  default     = null
}

variable "history_days" {
  description = "History collected by the first run from a source without a beginning [d]."
  type        = number
  default     = null
}

variable "open_meteo_api_key" {
  description = "API key of an Open-Meteo customer. Empty: the free service, for non-commercial use."
  type        = string
  ephemeral   = true
  sensitive   = true
  default     = ""
}

variable "open_meteo_url" {
  description = "Address of Open-Meteo, or of your own server (without {api})."
  type        = string
  default     = null
}

variable "fmi_url" {
  description = "Address of the FMI download service."
  type        = string
  default     = null
}

variable "openaq_url" {
  description = "Address of the OpenAQ API."
  type        = string
  default     = null
}

variable "openaq_archive_url" {
  description = "Address of the public OpenAQ archive."
  type        = string
  default     = null
}

variable "validation_days" {
  description = "Days at the end of the history on which a new model is validated [d]."
  type        = number
  default     = null
}

variable "model" {
  description = "Kind of model to train: stack, trees, gru, climatology or mlforecast."
  type        = string
  default     = null
}

variable "model_parameters" {
  description = "Model parameters that differ from config/model.yaml, comma-separated: trees.rounds=80."
  type        = string
  default     = null
}

variable "alert_urls" {
  description = "Apprise URLs that notify operators, comma-separated: mailto://…, slack://…"
  type        = string
  ephemeral   = true
  sensitive   = true
  default     = ""
}

variable "public_alert_urls" {
  description = "Apprise URLs that notify the public of predicted exceedances, comma-separated."
  type        = string
  ephemeral   = true
  sensitive   = true
  default     = ""
}

variable "alert_webhooks" {
  description = "URLs that receive every incident as a webhook, comma-separated."
  type        = string
  ephemeral   = true
  sensitive   = true
  default     = ""
}

variable "alert_webhook_secret" {
  description = "HMAC secret that signs webhooks. Empty: unsigned."
  type        = string
  ephemeral   = true
  sensitive   = true
  default     = ""
}

locals {
  settings = { for service, given in {
    worker = {
      HAZECAST_KEEP_RUNS_DAYS         = var.keep_runs_days
      HAZECAST_KEEP_MODELS            = var.keep_models
      HAZECAST_TABLE_RETENTION_DAYS   = var.table_retention_days
      HAZECAST_HORIZON_HOURS          = var.horizon_hours
      HAZECAST_RETRAIN_COOLDOWN_HOURS = var.retrain_cooldown_hours
      HAZECAST_HISTORY_DAYS           = var.history_days
      HAZECAST_OPEN_METEO_URL         = var.open_meteo_url
      HAZECAST_FMI_URL                = var.fmi_url
      HAZECAST_OPENAQ_URL             = var.openaq_url
      HAZECAST_OPENAQ_ARCHIVE_URL     = var.openaq_archive_url
      HAZECAST_VALIDATION_DAYS        = var.validation_days
      HAZECAST_MODEL                  = var.model
      HAZECAST_MODEL_PARAMETERS       = var.model_parameters
    }
    api = {
      HAZECAST_CORS_ORIGINS       = var.cors_origins
      HAZECAST_PREDICT_PER_MINUTE = var.predict_per_minute
      HAZECAST_TRUSTED_PROXIES    = var.trusted_proxies
      HAZECAST_HORIZON_HOURS      = var.horizon_hours
    }
    metrics = {
      HAZECAST_HORIZON_HOURS = var.horizon_hours
    }
    dashboard = {
      HAZECAST_DASHBOARD_PATH = var.dashboard_path
    }
  } : service => { for name, value in given : name => tostring(value) if value != null } }

  secret_names = {
    worker    = ["HAZECAST_OPEN_METEO_API_KEY", "HAZECAST_ALERT_URLS", "HAZECAST_PUBLIC_ALERT_URLS", "HAZECAST_ALERT_WEBHOOKS", "HAZECAST_ALERT_WEBHOOK_SECRET"]
    api       = []
    metrics   = []
    dashboard = ["HAZECAST_API_KEY"]
  }

  secret_settings = {
    HAZECAST_API_KEY              = var.api_key
    HAZECAST_OPEN_METEO_API_KEY   = var.open_meteo_api_key
    HAZECAST_ALERT_URLS           = var.alert_urls
    HAZECAST_PUBLIC_ALERT_URLS    = var.public_alert_urls
    HAZECAST_ALERT_WEBHOOKS       = var.alert_webhooks
    HAZECAST_ALERT_WEBHOOK_SECRET = var.alert_webhook_secret
  }
}
