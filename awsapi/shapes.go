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
	"NonPartnerEventBusNameOrArn": text(1, 1600, busARNPrefix+namePattern),
	"PutEventsRequestEntryList":   list(1, 10, ""),
	"TraceHeader":                 text(1, 500, ""),
	"EventPattern":                text(0, 4096, ""),
}
