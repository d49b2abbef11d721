// Package workload has the rules and the events that benchmarks of matching measure, made
// from a fixed seed, so that figures of this module and of the one in bench are of the same
// thing.
package workload

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

func newRand() *rand.Rand { return rand.New(rand.NewPCG(20261123, 1)) }

var streets = []string{"MARKET", "MISSION", "VALENCIA", "LAGUNA", "FILLMORE", "HAIGHT", "OCTAVIA", "BALBOA", "JUDAH", "NORIEGA"}

// ParcelEvents returns events like those of a city's land register: nine short
// strings, then a polygon of 5 to 60 points.
func ParcelEvents(n int) [][]byte {
	r := newRand()
	events := make([][]byte, n)
	for i := range events {
		points := 5
		if r.IntN(12) == 0 {
			points = 6 + r.IntN(55)
		}
		block, lot := fmt.Sprintf("%04d", r.IntN(7000)), fmt.Sprintf("%03d", r.IntN(400))
		from := 1 + r.IntN(3000)
		coordinates := make([]string, points)
		for p := range coordinates {
			coordinates[p] = fmt.Sprintf(`{"x":%.14f,"y":%.15f,"z":0}`, -122.3-r.Float64()/5, 37.7+r.Float64()/9)
		}
		kind := "Polygon"
		if r.IntN(40) == 0 {
			kind = "MultiPolygon"
		}
		events[i] = fmt.Appendf(nil, `{"type":"Feature","properties":{"MAPBLKLOT":"%s%s","BLKLOT":"%s%s","BLOCK_NUM":"%s","LOT_NUM":"%s",`+
			`"FROM_ST":"%d","TO_ST":"%d","STREET":"%s","ST_TYPE":"%s","ODD_EVEN":"%s"},`+
			`"geometry":{"type":"%s","coordinates":[%s],"firstCoordinates":%s}}`,
			block, lot, block, lot, block, lot, from, from+r.IntN(20), streets[r.IntN(len(streets))],
			[]string{"ST", "AVE", "BLVD"}[r.IntN(3)], []string{"O", "E"}[from%2], kind, strings.Join(coordinates, ","), coordinates[0])
	}
	return events
}

// ParcelRules are five rules a kind.
var ParcelRules = map[string][]string{
	"exact": {
		`{"properties":{"MAPBLKLOT":["1430022"]}}`, `{"properties":{"MAPBLKLOT":["2607117"]}}`, `{"properties":{"MAPBLKLOT":["2607218"]}}`,
		`{"properties":{"MAPBLKLOT":["3745012"]}}`, `{"properties":{"MAPBLKLOT":["VACSTWIL"]}}`,
	},
	"prefix": {
		`{"properties":{"STREET":[{"prefix":"AC"}]}}`, `{"properties":{"STREET":[{"prefix":"BL"}]}}`, `{"properties":{"STREET":[{"prefix":"DR"}]}}`,
		`{"properties":{"STREET":[{"prefix":"FI"}]}}`, `{"properties":{"STREET":[{"prefix":"RH"}]}}`,
	},
	"suffix": {
		`{"properties":{"STREET":[{"suffix":"ON"}]}}`, `{"properties":{"STREET":[{"suffix":"KE"}]}}`, `{"properties":{"STREET":[{"suffix":"MM"}]}}`,
		`{"properties":{"STREET":[{"suffix":"ING"}]}}`, `{"properties":{"STREET":[{"suffix":"GO"}]}}`,
	},
	"wildcard": {
		`{"properties":{"MAPBLKLOT":[{"wildcard":"143*"}]}}`, `{"properties":{"MAPBLKLOT":[{"wildcard":"2*0*1*7"}]}}`, `{"properties":{"MAPBLKLOT":[{"wildcard":"*218"}]}}`,
		`{"properties":{"MAPBLKLOT":[{"wildcard":"3*5*2"}]}}`, `{"properties":{"MAPBLKLOT":[{"wildcard":"VA*IL"}]}}`,
	},
	"prefix-ignore-case": {
		`{"properties":{"STREET":[{"prefix":{"equals-ignore-case":"Ac"}}]}}`, `{"properties":{"STREET":[{"prefix":{"equals-ignore-case":"bL"}}]}}`,
		`{"properties":{"STREET":[{"prefix":{"equals-ignore-case":"dR"}}]}}`, `{"properties":{"STREET":[{"prefix":{"equals-ignore-case":"Fi"}}]}}`,
		`{"properties":{"STREET":[{"prefix":{"equals-ignore-case":"rH"}}]}}`,
	},
	"suffix-ignore-case": {
		`{"properties":{"STREET":[{"suffix":{"equals-ignore-case":"oN"}}]}}`, `{"properties":{"STREET":[{"suffix":{"equals-ignore-case":"kE"}}]}}`,
		`{"properties":{"STREET":[{"suffix":{"equals-ignore-case":"mm"}}]}}`, `{"properties":{"STREET":[{"suffix":{"equals-ignore-case":"InG"}}]}}`,
		`{"properties":{"STREET":[{"suffix":{"equals-ignore-case":"gO"}}]}}`,
	},
	"equals-ignore-case": {
		`{"properties":{"STREET":[{"equals-ignore-case":"jefferson"}]}}`, `{"properties":{"STREET":[{"equals-ignore-case":"bEaCh"}]}}`,
		`{"properties":{"STREET":[{"equals-ignore-case":"HyDe"}]}}`, `{"properties":{"STREET":[{"equals-ignore-case":"CHESTNUT"}]}}`,
		`{"properties":{"ST_TYPE":[{"equals-ignore-case":"aVe"}]}}`,
	},
	"anything-but": {
		`{"properties":{"STREET":[{"anything-but":["FULTON","MISSION"]}]}}`, `{"properties":{"MAPBLKLOT":[{"anything-but":{"prefix":"14"}}]}}`,
		`{"geometry":{"type":[{"anything-but":{"suffix":"Polygon"}}]}}`, `{"properties":{"ODD_EVEN":[{"anything-but":{"equals-ignore-case":["e","x"]}}]}}`,
		`{"properties":{"STREET":[{"anything-but":{"wildcard":"M*N"}}]}}`,
	},
	"numeric": {
		`{"geometry":{"firstCoordinates":{"x":[{"numeric":["=",-122.42916360922355]}]}}}`, `{"geometry":{"type":["MultiPolygon"],"firstCoordinates":{"z":[{"numeric":["=",0]}]}}}`,
		`{"geometry":{"firstCoordinates":{"y":[{"numeric":["<",37.72]}]}}}`, `{"geometry":{"firstCoordinates":{"x":[{"numeric":["<",-122.49]}]}}}`,
		`{"geometry":{"firstCoordinates":{"x":[{"numeric":[">",-122.41,"<=",-122.4]}]}}}`,
	},
	"numeric-in-array": {
		`{"geometry":{"coordinates":{"x":[{"numeric":["=",-122.42916360922355]}]}}}`, `{"geometry":{"type":["MultiPolygon"],"coordinates":{"z":[{"numeric":["=",0]}]}}}`,
		`{"geometry":{"coordinates":{"y":[{"numeric":["<",37.72]}]}}}`, `{"geometry":{"coordinates":{"x":[{"numeric":["<",-122.49]}]}}}`,
		`{"geometry":{"coordinates":{"x":[{"numeric":[">",-122.41,"<=",-122.4]}]}}}`,
	},
	"two-numeric-in-element": {
		`{"geometry":{"coordinates":{"x":[{"numeric":["<",-122.4]}],"y":[{"numeric":["<",37.73]}]}}}`, `{"geometry":{"coordinates":{"x":[{"numeric":["<",-122.49]}],"z":[{"numeric":["=",0]}]}}}`,
		`{"geometry":{"coordinates":{"y":[{"numeric":[">",37.8]}],"z":[{"numeric":["=",0]}]}}}`, `{"geometry":{"coordinates":{"x":[{"numeric":[">",-122.31]}],"y":[{"numeric":[">",37.81]}]}}}`,
		`{"geometry":{"coordinates":{"x":[{"numeric":["=",-122.4]}],"y":[{"numeric":["=",37.7]}]}}}`,
	},
}

// MixedRule returns rule i of a set: of ten, six exact on three fields, one numeric
// range, one prefix, one wildcard, one anything-but, each with one of 100 sources.
func MixedRule(i int) string {
	r := rand.New(rand.NewPCG(uint64(i), 7))
	source := fmt.Sprintf("com.example.service%02d", i/10%100)
	switch i % 10 {
	case 6:
		low := r.IntN(9900)
		return fmt.Sprintf(`{"source":[%q],"detail":{"amount":[{"numeric":[">=",%d,"<",%d]}]}}`, source, low, low+100)
	case 7:
		return fmt.Sprintf(`{"source":[%q],"detail":{"path":[{"prefix":"folder%05d/"}]}}`, source, i/1000)
	case 8:
		return fmt.Sprintf(`{"source":[%q],"detail":{"key":[{"wildcard":"*/%05d/*.jpg"}]}}`, source, i/1000)
	case 9:
		return fmt.Sprintf(`{"source":[%q],"detail":{"state":[{"anything-but":["closed","state%d"]}]}}`, source, r.IntN(50))
	}
	return fmt.Sprintf(`{"source":[%q],"detail-type":["Type %d"],"detail":{"customer":["customer-%06d"]}}`, source, i%3, i)
}

// ExactRule returns rule i of a set on three fields.
func ExactRule(i int) string {
	return fmt.Sprintf(`{"source":["com.example.service%02d"],"detail-type":["Type %d"],"detail":{"customer":["customer-%06d"]}}`, i%100, i%3, i)
}

// MixedEvents returns events of about 350 bytes, for n rules.
func MixedEvents(n, rules int) [][]byte {
	r := newRand()
	events := make([][]byte, n)
	for i := range events {
		rule := r.IntN(rules)
		events[i] = fmt.Appendf(nil, `{"version":"0","id":"%08x-1428-4cd3-a780-95db273d1602","detail-type":"Type %d","source":"com.example.service%02d",`+
			`"account":"123456789012","time":"2026-11-12T00:00:00Z","region":"eu-west-1","resources":[],`+
			`"detail":{"customer":"customer-%06d","amount":%d,"path":"folder%05d/file.txt","key":"images/%05d/cat-%d.jpg","state":"open"}}`,
			r.Uint32(), rule%10%3, rule/10%100, rule, r.IntN(10000), rule/1000, rule/1000, r.IntN(1000))
	}
	return events
}
