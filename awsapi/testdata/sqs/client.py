# What TestSQSBoto3 runs: every operation on queues at least once, by a client that AWS wrote.
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

config = Config(retries={"max_attempts": 1})
sqs, events = boto3.client("sqs", config=config), boto3.client("events", config=config)
ARN = "arn:aws:sqs:eu-west-1:123456789012:"


def refused(code, call, **kwargs):
    try:
        call(**kwargs)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, e.response
        return e
    raise AssertionError(f"{call} was not refused")


def receive(url, **kwargs):
    return sqs.receive_message(QueueUrl=url, **kwargs).get("Messages", [])


# Queues.
dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
url = sqs.create_queue(
    QueueName="orders",
    Attributes={"VisibilityTimeout": "1", "RedrivePolicy": '{"deadLetterTargetArn":"%sdead","maxReceiveCount":2}' % ARN},
    tags={"team": "shop"},
)["QueueUrl"]
assert sqs.get_queue_url(QueueName="orders")["QueueUrl"] == url
assert sqs.list_queues()["QueueUrls"] == [dead, url]
pages = sqs.get_paginator("list_queues").paginate(PaginationConfig={"PageSize": 1})
assert [p["QueueUrls"] for p in pages] == [[dead], [url]]
sqs.set_queue_attributes(QueueUrl=url, Attributes={"ReceiveMessageWaitTimeSeconds": "1"})
attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
assert attributes["QueueArn"] == ARN + "orders" and attributes["ReceiveMessageWaitTimeSeconds"] == "1", attributes
sqs.tag_queue(QueueUrl=url, Tags={"tier": "1"})
sqs.untag_queue(QueueUrl=url, TagKeys=["team"])
assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"tier": "1"}
e = refused("AWS.SimpleQueueService.NonExistentQueue", sqs.get_queue_url, QueueName="none")
assert isinstance(e, sqs.exceptions.QueueDoesNotExist), e
refused("QueueAlreadyExists", sqs.create_queue, QueueName="orders", Attributes={"DelaySeconds": "1"})

# Messages. The client checks their digests itself.
sqs.send_message(QueueUrl=url, MessageBody="one", MessageAttributes={"n": {"DataType": "Number", "StringValue": "1"}, "b": {"DataType": "Binary", "BinaryValue": b"\0\1"}})
batch = sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": "a", "MessageBody": "two"}, {"Id": "b", "MessageBody": "x", "DelaySeconds": 901}])
assert [s["Id"] for s in batch["Successful"]] == ["a"] and batch["Failed"][0]["Code"] == "InvalidParameterValue", batch
one, two = receive(url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"])
assert one["Body"] == "one" and one["MessageAttributes"]["b"]["BinaryValue"] == b"\0\1", one
assert one["Attributes"]["ApproximateReceiveCount"] == "1", one
sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=two["ReceiptHandle"], VisibilityTimeout=0)
[two] = receive(url)
changed = sqs.change_message_visibility_batch(QueueUrl=url, Entries=[{"Id": "a", "ReceiptHandle": two["ReceiptHandle"], "VisibilityTimeout": 0}])
assert [s["Id"] for s in changed["Successful"]] == ["a"], changed
assert receive(url, WaitTimeSeconds=0) == []  # it was received twice
[letter] = receive(dead, MessageSystemAttributeNames=["DeadLetterQueueSourceArn"])
assert letter["MessageId"] == two["MessageId"] and letter["Attributes"] == {"DeadLetterQueueSourceArn": ARN + "orders"}, letter
deleted = sqs.delete_message_batch(QueueUrl=dead, Entries=[{"Id": "a", "ReceiptHandle": letter["ReceiptHandle"]}])
assert [s["Id"] for s in deleted["Successful"]] == ["a"], deleted
refused("ReceiptHandleIsInvalid", sqs.delete_message, QueueUrl=url, ReceiptHandle="none")

# FIFO queues.
fifo = sqs.create_queue(QueueName="f.fifo", Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"})["QueueUrl"]
sent = [sqs.send_message(QueueUrl=fifo, MessageBody=b, MessageGroupId="g") for b in ["1", "2", "1"]]
assert sent[0]["MessageId"] == sent[2]["MessageId"] and sent[0]["SequenceNumber"] < sent[1]["SequenceNumber"], sent
assert [m["Body"] for m in receive(fifo, MaxNumberOfMessages=10)] == ["1", "2"]
refused("MissingParameter", sqs.send_message, QueueUrl=fifo, MessageBody="x")

# From an event to a worker that waits, and back to a dead-letter queue.
events.put_rule(Name="r", EventPattern='{"source":["shop"]}')
put = events.put_targets(
    Rule="r",
    Targets=[
        {"Id": "q", "Arn": ARN + "orders", "InputPath": "$.detail"},
        {
            "Id": "b",
            "Arn": "arn:aws:lambda:eu-west-1:123456789012:function:broken",
            "RetryPolicy": {"MaximumRetryAttempts": 0},
            "DeadLetterConfig": {"Arn": ARN + "dead"},
        },
    ],
)
assert put["FailedEntryCount"] == 0, put
events.put_events(Entries=[{"Source": "shop", "DetailType": "Order Placed", "Detail": '{"id":1}'}])
[order] = receive(url, WaitTimeSeconds=20)
assert order["Body"] == '{"id":1}', order
[letter] = receive(dead, WaitTimeSeconds=20, MessageAttributeNames=["All"])
assert '"detail":{"id":1}' in letter["Body"], letter
assert sorted(letter["MessageAttributes"]) == ["ERROR_CODE", "ERROR_MESSAGE", "EXHAUSTED_RETRY_CONDITION", "RETRY_ATTEMPTS", "RULE_ARN", "TARGET_ARN"], letter

# The end.
began = time.monotonic()
assert receive(dead, WaitTimeSeconds=1) == [] and time.monotonic() - began >= 1
sqs.purge_queue(QueueUrl=url)
refused("AWS.SimpleQueueService.PurgeQueueInProgress", sqs.purge_queue, QueueUrl=url)
for u in [url, dead, fifo]:
    sqs.delete_queue(QueueUrl=u)
assert "QueueUrls" not in sqs.list_queues() or sqs.list_queues()["QueueUrls"] == []
print("all operations answered")
