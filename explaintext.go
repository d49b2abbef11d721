package footbridge

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// String returns a line with the verdict and one for each field: what the pattern wants,
// what the event has, and why that does not do.
func (x Explanation) String() string {
	return x.verdict() + "\n" + x.lines("  ", false)
}

func (x *Explanation) verdict() string {
	verdict := map[bool]string{true: "match", false: "no match"}[x.Matched]
	switch {
	case x.Error != "":
		return verdict + ": " + x.Error
	case x.Matched:
		return verdict
	}
	return fmt.Sprintf("%s: %d of %d fields hold", verdict, x.Held, x.Held+x.Missed)
}

// lines returns a line for each field, or for each that does not hold.
func (x *Explanation) lines(indent string, missedOnly bool) string {
	t := explainTable{missedOnly: missedOnly}
	t.addBranch(&BranchExplanation{Fields: x.Fields, Or: x.Or}, "")
	return t.text(indent)
}

// An explainTable has a row for each field of a pattern, each $or, and each branch.
type explainTable struct {
	missedOnly bool // without the fields that hold
	rows       []explainRow
}

// An explainRow is what is told of a field: its first cells stand below those of other
// rows, and what comes last has a line of its own if the line would be too long.
type explainRow struct {
	cells    [3]string // mark, path, what is wanted
	has, why string
}

// Widths in characters.
const (
	lineWidth = 100 // of a line, if what it has can be put into several
	cellWidth = 48  // of a cell that others are filled up to
	listWidth = 60  // of a value, and of several, but for the first
)

var explainMarks = map[bool]string{true: "ok", false: "NO"}

func (t *explainTable) addBranch(b *BranchExplanation, indent string) {
	for i := range b.Fields {
		t.addField(&b.Fields[i], indent)
	}
	for i := range b.Or {
		o := &b.Or[i]
		if t.missedOnly && o.Matched {
			continue
		}
		t.add(explainMarks[o.Matched], indent+o.Path, fmt.Sprintf("wants one of %d branches", len(o.Branches)))
		for i := range o.Branches {
			t.add(explainMarks[o.Branches[i].Matched], fmt.Sprintf("%s  branch %d", indent, i+1), "")
			t.addBranch(&o.Branches[i], indent+"    ")
		}
	}
}

func (t *explainTable) add(mark, path, wants string) *explainRow {
	t.rows = append(t.rows, explainRow{cells: [3]string{mark, printable(path), printable(wants)}})
	return &t.rows[len(t.rows)-1]
}

func (t *explainTable) addField(f *FieldExplanation, indent string) {
	mark := explainMarks[f.Matched]
	if f.Reason == ReasonReplaced {
		mark = "--"
	}
	if t.missedOnly && mark != "NO" {
		return
	}
	var wanted []string
	for _, v := range f.Wanted {
		wanted = append(wanted, abridged(v))
	}
	row := t.add(mark, indent+f.Path, "wants "+listed(wanted, " or ", 0))
	row.has = printable("has " + f.found())
	if f.Message != "" {
		row.why = printable("(" + f.Message + ")")
	}
}

// found returns the first few values, with their places in arrays.
func (f *FieldExplanation) found() string {
	values := slices.Clone(f.Found)
	slices.SortStableFunc(values, func(a, b FoundValue) int { return a.order() - b.order() })
	var texts []string
	for _, v := range values {
		text := abridged(v.Value)
		if v.Index != "" {
			text += " at " + v.Index
		}
		texts = append(texts, text)
	}
	if texts == nil {
		return "nothing"
	}
	return listed(texts, ", ", f.More)
}

// order sorts values: first those that are wanted, then the one that the reason is about.
func (v *FoundValue) order() int {
	switch {
	case v.Wanted:
		return 0
	case v.Told:
		return 1
	}
	return 2
}

// listed joins the first of the texts, at most listWidth characters, if that is not less
// than one, and says how many more there are.
func listed(texts []string, separator string, more int) string {
	list, n := texts[0], 1
	for n < len(texts) && utf8.RuneCountInString(list+separator+texts[n]) <= listWidth {
		list += separator + texts[n]
		n++
	}
	if more += len(texts) - n; more > 0 {
		list += fmt.Sprintf("%s%d more", separator, more)
	}
	return list
}

// abridged returns a text without its middle, if it is long: what is alike is often the
// beginning, and what is typical the end.
func abridged(text string) string {
	r := []rune(text)
	if len(r) <= listWidth {
		return text
	}
	return string(r[:listWidth/2]) + "…" + string(r[len(r)-listWidth/2+1:])
}

// text returns the rows, each cell below that of the row before. A cell that is very long
// moves only its own row.
func (t *explainTable) text(indent string) string {
	var widths [3]int
	for _, row := range t.rows {
		for i, cell := range row.cells {
			if n := utf8.RuneCountInString(cell); n <= cellWidth {
				widths[i] = max(widths[i], n)
			}
		}
	}
	var s strings.Builder
	for _, row := range t.rows {
		line := indent
		for i, cell := range row.cells {
			line += cell + strings.Repeat(" ", max(0, widths[i]-utf8.RuneCountInString(cell))+2)
		}
		for _, part := range []string{row.has, row.why} {
			width := utf8.RuneCountInString(line) + utf8.RuneCountInString(part)
			if width > lineWidth && part != "" {
				s.WriteString(strings.TrimRight(line, " ") + "\n")
				line = indent + strings.Repeat(" ", 4)
			}
			lines := wrapped(part, lineWidth-utf8.RuneCountInString(line))
			for _, full := range lines[:len(lines)-1] {
				s.WriteString(line + full + "\n")
				line = indent + strings.Repeat(" ", 5)
			}
			line += lines[len(lines)-1] + " "
		}
		s.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return s.String()
}

// wrapped breaks a text at spaces into lines of a width, as far as there are spaces.
func wrapped(text string, width int) (lines []string) {
	for utf8.RuneCountInString(text) > width {
		at := strings.LastIndexByte(string([]rune(text)[:width+1]), ' ')
		if at <= 0 {
			break
		}
		lines, text = append(lines, text[:at]), text[at+1:]
	}
	return append(lines, text)
}

// printable escapes what would break a line or upset a terminal.
func printable(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return text
	}
	var s strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) {
			s.WriteRune(r)
		} else {
			s.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return s.String()
}
