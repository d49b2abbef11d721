package awsapi

// Regular expressions of the service's model.
const (
	namePattern        = `[\.\-_A-Za-z0-9]+`
	busNamePattern     = `[/\.\-_A-Za-z0-9]+`
	busARNPrefix       = `(arn:aws[\w-]*:events:[a-z]+-[a-z]+-[\w-]+:[0-9]{12}:event-bus\/)?`
	resourceARNPattern = `^arn:aws([a-z]|\-)*:events:([a-z]|\d|\-)*:([0-9]{12})?:.+\/.+$`
)

// shapes are those of the service's API model that are bounded, by its names.
var shapes = map[string]shape{
	// Publishing.
	"NonPartnerEventBusNameOrArn": text(1, 1600, busARNPrefix+namePattern),
	"PutEventsRequestEntryList":   list(1, 10, ""),
	"EventResourceList":           list(0, 0, "EventResource"),
	"EventResource":               text(0, 2048, ""),
	"TraceHeader":                 text(1, 500, ""),
	"EventPattern":                text(0, 4096, ""),

	// Buses, and what all have.
	"EventBusName":         text(1, 256, busNamePattern),
	"EventBusNameOrArn":    text(1, 1600, busARNPrefix+busNamePattern),
	"EventSourceName":      text(1, 256, `aws\.partner(/[\.\-_A-Za-z0-9]+){2,}`),
	"Description":          text(0, 512, ""),
	"KmsKeyIdentifier":     text(0, 2048, `^[a-zA-Z0-9_\-/:]*$`),
	"IncludeDetail":        one("NONE", "FULL"),
	"Level":                one("OFF", "ERROR", "INFO", "TRACE"),
	"Arn":                  text(1, 1600, ""),
	"TagKey":               text(1, 128, ""),
	"TagValue":             text(0, 256, ""),
	"TagKeyList":           list(0, 0, "TagKey"),
	"NextToken":            text(1, 2048, ""),
	"LimitMax100":          number(1, 100),
	"MaximumRetryAttempts": number(0, 185),

	// Rules and targets.
	"RuleName":                 text(1, 64, namePattern),
	"RuleState":                one(enabled, disabled, enabledWithCloudTrail),
	"ScheduleExpression":       text(0, 256, ""),
	"TargetList":               list(1, 100, ""),
	"TargetIdList":             list(1, 100, "TargetId"),
	"TargetId":                 text(1, 64, namePattern),
	"TargetInput":              text(0, 8192, ""),
	"TargetInputPath":          text(0, 256, ""),
	"TransformerPaths":         {max: 100, key: "InputTransformerPathKey", member: "TargetInputPath"},
	"InputTransformerPathKey":  text(1, 256, `[A-Za-z0-9\_\-]+`),
	"TransformerInput":         text(1, 8192, ""),
	"MessageGroupId":           text(0, 100, ""),
	"MaximumEventAgeInSeconds": number(60, 86400),

	// Archives and replays.
	"ArchiveName":   text(1, 48, namePattern),
	"ArchiveState":  one(enabled, disabled, "CREATING", "UPDATING", "CREATE_FAILED", "UPDATE_FAILED"),
	"EventBusArn":   text(1, 1600, resourceARNPattern),
	"ArchiveArn":    text(1, 1600, resourceARNPattern),
	"RetentionDays": number(0, 0),
	"ReplayName":    text(1, 64, namePattern),
	"ReplayState":   one("STARTING", "RUNNING", "CANCELLING", "COMPLETED", "CANCELLED", "FAILED"),
	"ReplayFilters": list(0, 0, "Arn"),
}
