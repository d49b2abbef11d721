# What TestSQSTerraform applies, plans again and destroys.

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
    sqs    = var.endpoint
  }
}

# The queue "dead" is the program's. Terraform waits long for each queue that it makes, and so
# these do not depend on each other.

resource "aws_sqs_queue" "jobs" {
  name                       = "jobs"
  visibility_timeout_seconds = 60
  receive_wait_time_seconds  = 20
  redrive_policy             = jsonencode({ deadLetterTargetArn = "arn:aws:sqs:eu-west-1:123456789012:dead", maxReceiveCount = 5 })
  tags                       = { team = "shop" }
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = "*"
    }]
  })
}

resource "aws_sqs_queue" "ledger" {
  name                        = "ledger.fifo"
  fifo_queue                  = true
  message_retention_seconds   = 1209600
  content_based_deduplication = true
  deduplication_scope         = "messageGroup"
  fifo_throughput_limit       = "perMessageGroupId"
}

resource "aws_cloudwatch_event_rule" "orders" {
  name          = "orders"
  event_pattern = jsonencode({ source = ["shop"] })
}

resource "aws_cloudwatch_event_target" "jobs" {
  rule       = aws_cloudwatch_event_rule.orders.name
  target_id  = "jobs"
  arn        = aws_sqs_queue.jobs.arn
  input_path = "$.detail"
  dead_letter_config {
    arn = "arn:aws:sqs:eu-west-1:123456789012:dead"
  }
}

resource "aws_cloudwatch_event_target" "ledger" {
  rule       = aws_cloudwatch_event_rule.orders.name
  target_id  = "ledger"
  arn        = aws_sqs_queue.ledger.arn
  input_path = "$.detail"
  sqs_target {
    message_group_id = "orders"
  }
}
