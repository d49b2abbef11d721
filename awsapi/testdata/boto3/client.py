# What TestBoto3 runs: every operation at least once, by a client that AWS wrote.
import datetime

import boto3
from botocore.config import Config

events = boto3.client("events", config=Config(retries={"max_attempts": 1}))
ARN = "arn:aws:events:eu-west-1:123456789012:"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:"


def refused(error, call, **kwargs):
    try:
        call(**kwargs)
    except error as e:
        return e.response["Error"]["Message"]
    raise AssertionError(f"{call} was not refused")


# Buses.
created = events.create_event_bus(Name="orders", Description="d", Tags=[{"Key": "a", "Value": "1"}])
bus = created["EventBusArn"]
assert bus == ARN + "event-bus/orders", created
assert events.describe_event_bus(Name="orders")["Description"] == "d"
assert events.update_event_bus(Name="orders", Description="e")["Description"] == "e"
described = events.describe_event_bus(Name=bus)
assert described["CreationTime"] <= described["LastModifiedTime"], described
assert isinstance(described["CreationTime"], datetime.datetime)
assert [b["Name"] for b in events.list_event_buses()["EventBuses"]] == ["default", "orders"]
assert refused(events.exceptions.ResourceAlreadyExistsException, events.create_event_bus, Name="orders") == "Event bus orders already exists."

# Tags.
events.tag_resource(ResourceARN=bus, Tags=[{"Key": "b", "Value": "2"}])
events.untag_resource(ResourceARN=bus, TagKeys=["a"])
assert events.list_tags_for_resource(ResourceARN=bus)["Tags"] == [{"Key": "b", "Value": "2"}]

# Rules.
for name in ["r1", "r2", "r3"]:
    events.put_rule(Name=name, EventBusName="orders", EventPattern='{"source":["shop"]}', State="DISABLED")
pages = events.get_paginator("list_rules").paginate(EventBusName="orders", PaginationConfig={"PageSize": 2})
assert [[r["Name"] for r in p["Rules"]] for p in pages] == [["r1", "r2"], ["r3"]]
events.enable_rule(Name="r1", EventBusName="orders")
assert events.describe_rule(Name="r1", EventBusName="orders")["State"] == "ENABLED"
events.disable_rule(Name="r1", EventBusName="orders")
events.enable_rule(Name="r1", EventBusName="orders")
events.delete_rule(Name="r3", EventBusName="orders")
assert "Empty arrays" in refused(events.exceptions.InvalidEventPatternException, events.put_rule, Name="r", EventPattern='{"a":[]}')
assert refused(events.exceptions.ResourceNotFoundException, events.describe_rule, Name="r3", EventBusName="orders") == "Rule r3 does not exist on EventBus orders."
assert events.test_event_pattern(
    EventPattern='{"source":["a"]}',
    Event='{"id":"1","account":"1","source":"a","time":"t","region":"r","detail-type":"d"}',
)["Result"]

# Targets.
target = {
    "Id": "t",
    "Arn": FUNCTION + "f",
    "InputTransformer": {"InputPathsMap": {"id": "$.detail.id"}, "InputTemplate": '{"order":<id>}'},
    "RetryPolicy": {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 60},
    "DeadLetterConfig": {"Arn": FUNCTION + "dead"},
}
put = events.put_targets(Rule="r1", EventBusName="orders", Targets=[target, {"Id": "u", "Arn": FUNCTION + "missing"}])
assert put["FailedEntryCount"] == 1 and put["FailedEntries"][0]["TargetId"] == "u", put
assert events.list_targets_by_rule(Rule="r1", EventBusName="orders")["Targets"] == [target]
assert events.list_rule_names_by_target(TargetArn=FUNCTION + "f", EventBusName="orders")["RuleNames"] == ["r1"]

# Archives, events and replays.
archive = events.create_archive(ArchiveName="a", EventSourceArn=bus, RetentionDays=1)["ArchiveArn"]
events.update_archive(ArchiveName="a", Description="kept")
assert [a["ArchiveName"] for a in events.list_archives(NamePrefix="a")["Archives"]] == ["a"]
now = datetime.datetime.now(datetime.timezone.utc)
result = events.put_events(
    Entries=[
        {"Source": "shop", "DetailType": "Order Placed", "Detail": '{"id":1}', "EventBusName": "orders", "Time": now},
        {"Source": "aws.s3", "DetailType": "d", "Detail": "{}"},
    ]
)
assert result["FailedEntryCount"] == 1, result
assert result["Entries"][1]["ErrorCode"] == "NotAuthorizedForSourceException", result
while events.describe_archive(ArchiveName="a")["EventCount"] == 0:
    pass
events.start_replay(
    ReplayName="x",
    EventSourceArn=archive,
    EventStartTime=now - datetime.timedelta(minutes=1),
    EventEndTime=now + datetime.timedelta(minutes=1),
    Destination={"Arn": bus, "FilterArns": [ARN + "rule/orders/r1"]},
)
while (state := events.describe_replay(ReplayName="x")["State"]) != "COMPLETED":
    assert state in ["STARTING", "RUNNING"], state
assert [r["State"] for r in events.list_replays(NamePrefix="x")["Replays"]] == ["COMPLETED"]
refused(events.exceptions.IllegalStatusException, events.cancel_replay, ReplayName="x")

# The end.
events.delete_archive(ArchiveName="a")
events.remove_targets(Rule="r1", EventBusName="orders", Ids=["t"])
events.delete_rule(Name="r1", EventBusName="orders")
events.delete_rule(Name="r2", EventBusName="orders")
events.delete_event_bus(Name="orders")
assert [b["Name"] for b in events.list_event_buses()["EventBuses"]] == ["default"]
print("all operations answered")
