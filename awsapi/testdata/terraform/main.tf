# What TestTerraform applies, plans again and destroys.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "endpoint" { type = string }

provider "aws" {
  region                      = "eu-west-1"
  access_key                  = "AKIDEXAMPLE"
  secret_key                  = "secret"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  skip_requesting_account_id  = true
  endpoints {
    events = var.endpoint
  }
}

resource "aws_cloudwatch_event_bus" "orders" {
  name        = "orders"
  description = "what customers order"
  tags        = { team = "shop" }
}

resource "aws_cloudwatch_event_rule" "dear" {
  name           = "dear-orders"
  description    = "orders that someone should call about"
  event_bus_name = aws_cloudwatch_event_bus.orders.name
  event_pattern = jsonencode({
    source = ["shop"]
    detail = { total = [{ numeric = [">=", 1000] }] }
  })
  tags = { team = "shop", tier = "1" }
}

resource "aws_cloudwatch_event_target" "call" {
  rule           = aws_cloudwatch_event_rule.dear.name
  event_bus_name = aws_cloudwatch_event_bus.orders.name
  target_id      = "call"
  arn            = "arn:aws:lambda:eu-west-1:123456789012:function:call"
  input_transformer {
    input_paths    = { id = "$.detail.id" }
    input_template = "{\"order\": <id>}"
  }
  retry_policy {
    maximum_retry_attempts       = 0
    maximum_event_age_in_seconds = 60
  }
  dead_letter_config {
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:dead"
  }
}

resource "aws_cloudwatch_event_target" "broken" {
  rule           = aws_cloudwatch_event_rule.dear.name
  event_bus_name = aws_cloudwatch_event_bus.orders.name
  target_id      = "broken"
  arn            = "arn:aws:lambda:eu-west-1:123456789012:function:broken"
  input_path     = "$.detail"
  retry_policy {
    maximum_retry_attempts       = 0
    maximum_event_age_in_seconds = 60
  }
  dead_letter_config {
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:dead"
  }
}

resource "aws_cloudwatch_event_rule" "hourly" {
  name                = "hourly"
  schedule_expression = "rate(1 hour)"
  state               = "DISABLED"
}

resource "aws_cloudwatch_event_target" "forward" {
  rule      = aws_cloudwatch_event_rule.hourly.name
  target_id = "orders"
  arn       = aws_cloudwatch_event_bus.orders.arn
  role_arn  = "arn:aws:iam::123456789012:role/forward"
}

resource "aws_cloudwatch_event_archive" "orders" {
  name             = "orders"
  description      = "for a week"
  event_source_arn = aws_cloudwatch_event_bus.orders.arn
  retention_days   = 7
  event_pattern    = jsonencode({ source = ["shop"] })
}
