package awsapi

import (
	"encoding/base64"
	"strings"
)

// A paging is what requests for lists have.
type paging struct {
	NextToken string `aws:"NextToken"`
	Limit     int    `aws:"LimitMax100"`
}

// maxPage is how many a list has that names no Limit.
const maxPage = 100

// page returns the part of all, which is sorted by its keys, that p asks for, and the token
// of the next one, "" if there is none. A token stands for a key, so that what is added and
// removed meanwhile moves nothing; it is good for lists of the same kind.
func page[T any](p paging, kind string, all []T, key func(T) string) (part []T, next string, err error) {
	if p.NextToken != "" {
		token, err := base64.RawURLEncoding.DecodeString(p.NextToken)
		after, ok := strings.CutPrefix(string(token), kind+"/")
		if err != nil || !ok {
			return nil, "", invalid("Parameter NextToken is not valid.")
		}
		for len(all) > 0 && key(all[0]) <= after {
			all = all[1:]
		}
	}
	limit := p.Limit
	if limit == 0 {
		limit = maxPage
	}
	if len(all) > limit {
		all = all[:limit]
		next = base64.RawURLEncoding.EncodeToString([]byte(kind + "/" + key(all[limit-1])))
	}
	if all == nil {
		all = []T{} // in JSON [] and not null
	}
	return all, next, nil
}
