package bench

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"
)

// loadExpr translates each rule into an expression of expr-lang/expr, and evaluates all
// of them on the event as a map. An expression knows no index of rules.
func loadExpr(rules []string) (func([]byte) (int, error), error) {
	programs := make([]*vm.Program, len(rules))
	for i, rule := range rules {
		var fields map[string]any
		if err := json.Unmarshal([]byte(rule), &fields); err != nil {
			return nil, err
		}
		code, err := conjunction("", fields)
		if err != nil {
			return nil, fmt.Errorf("rule %s: %w", rule, err)
		}
		if programs[i], err = expr.Compile(code, expr.AsBool()); err != nil {
			return nil, fmt.Errorf("rule %s: %w", rule, err)
		}
	}
	return func(event []byte) (int, error) {
		var env map[string]any
		if err := json.Unmarshal(event, &env); err != nil {
			return 0, err
		}
		n := 0
		for _, p := range programs {
			matched, err := expr.Run(p, env)
			if err != nil {
				return 0, err
			}
			if matched.(bool) {
				n++
			}
		}
		return n, nil
	}, nil
}

// conjunction translates the fields of a pattern, whose path is a prefix.
func conjunction(prefix string, fields map[string]any) (string, error) {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		path := fmt.Sprintf("%s?.[%q]", prefix, key)
		if prefix == "" {
			path = fmt.Sprintf("$env[%q]", key)
		}
		var code string
		var err error
		switch v := fields[key].(type) {
		case map[string]any:
			code, err = conjunction(path, v)
		case []any:
			code, err = disjunction(path, v)
		}
		if err != nil {
			return "", err
		}
		all = append(all, code)
	}
	return "(" + strings.Join(all, " && ") + ")", nil
}

// disjunction translates the values of a field.
func disjunction(path string, values []any) (string, error) {
	var all []string
	for _, v := range values {
		code, err := test(path, v)
		if err != nil {
			return "", err
		}
		all = append(all, code)
	}
	return "(" + strings.Join(all, " || ") + ")", nil
}

// test translates one value: a string, or an operator. Values that are not strings count
// as "": no rule of the workloads is about one.
func test(path string, value any) (string, error) {
	if s, ok := value.(string); ok {
		return fmt.Sprintf("%s == %q", path, s), nil
	}
	operator, _ := value.(map[string]any)
	for name, v := range operator {
		if name == "numeric" {
			return numeric(path, v.([]any))
		}
		if name == "anything-but" {
			if _, isOperator := v.(map[string]any); !isOperator {
				v = map[string]any{"equals": v}
			}
			code, err := test(path, v)
			return fmt.Sprintf("(%s != nil && !%s)", path, code), err
		}
		if list, ok := v.([]any); ok {
			for i := range list {
				list[i] = map[string]any{name: list[i]}
			}
			return disjunction(path, list)
		}
		return text(fmt.Sprintf("(%s ?? '')", path), name, v)
	}
	return "", fmt.Errorf("%v: not translated", value)
}

func numeric(path string, bounds []any) (string, error) {
	var all []string
	for i := 0; i < len(bounds); i += 2 {
		operator := bounds[i].(string)
		if operator == "=" {
			operator = "=="
		}
		all = append(all, fmt.Sprintf("%s %s %v", path, operator, bounds[i+1]))
	}
	return "(" + strings.Join(all, " && ") + ")", nil
}

func text(path, operator string, operand any) (string, error) {
	s, ok := operand.(string)
	if !ok { // {"prefix":{"equals-ignore-case":"ab"}}
		folded, _ := operand.(map[string]any)
		s, ok = folded["equals-ignore-case"].(string)
		path, s = "lower("+path+")", strings.ToLower(s)
	}
	switch {
	case !ok:
		return "", fmt.Errorf("%s %v: not translated", operator, operand)
	case operator == "equals":
		return fmt.Sprintf("(%s == %q)", path, s), nil
	case operator == "prefix":
		return fmt.Sprintf("(%s startsWith %q)", path, s), nil
	case operator == "suffix":
		return fmt.Sprintf("(%s endsWith %q)", path, s), nil
	case operator == "equals-ignore-case":
		return fmt.Sprintf("(lower(%s) == %q)", path, strings.ToLower(s)), nil
	case operator == "wildcard":
		return fmt.Sprintf("(%s matches %q)", path, "^"+strings.ReplaceAll(strings.ReplaceAll(s, ".", `\.`), "*", ".*")+"$"), nil
	}
	return "", fmt.Errorf("%s: not translated", operator)
}
