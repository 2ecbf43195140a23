// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestSchemaGolden(t *testing.T) {
	t.Parallel()
	golden(t, "schema.json", string(JSONSchema()))
}

func parse(t *testing.T, data []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSchemaAllows(t *testing.T) {
	t.Parallel()
	schema := parse(t, JSONSchema()).(map[string]any)
	for name, r := range samples() {
		if err := validate(schema, schema, parse(t, []byte(write(t, r, "json")))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSchemaRefuses shows that the schema is as strict as Decode, but for what
// no schema can say.
func TestSchemaRefuses(t *testing.T) {
	t.Parallel()
	schema := parse(t, JSONSchema()).(map[string]any)
	good := write(t, mixed(), "json")
	for name, c := range refusals() {
		bad := strings.Replace(good, c.old, c.new, 1)
		if c.beyond {
			continue
		}
		if validate(schema, schema, parse(t, []byte(bad))) == nil {
			t.Errorf("%s: the schema allows it", name)
		}
	}
}

// TestSchemaKeys compares the schema with the type, and its words with those of
// the code.
func TestSchemaKeys(t *testing.T) {
	t.Parallel()
	var schema struct {
		Properties struct {
			Schema struct{ Const int }
			Counts struct{ Required []Verdict }
			Target struct {
				Properties struct{ Kind struct{ Enum []string } }
			}
			Host struct {
				Properties struct{ User struct{ Enum []string } }
			}
			Results struct {
				Items struct {
					Properties struct {
						Verdict     struct{ Enum []Verdict }
						Requirement struct{ Enum []string }
					}
				}
			}
		}
	}
	if err := json.Unmarshal(JSONSchema(), &schema); err != nil {
		t.Fatal(err)
	}
	p := schema.Properties
	one := p.Results.Items.Properties
	if p.Schema.Const != Schema || !slices.Equal(p.Counts.Required, Verdicts()) || !slices.Equal(one.Verdict.Enum, Verdicts()) ||
		!slices.Equal(one.Requirement.Enum, requirements()) || !slices.Equal(p.Target.Properties.Kind.Enum, kinds()) ||
		!slices.Equal(p.Host.Properties.User.Enum, users()) {
		t.Errorf("the schema has other words: %+v", p)
	}
}

// validate is as much of JSON Schema 2020-12 as the schema uses; another keyword
// is an error, so that none is passed over.
func validate(root, schema map[string]any, v any) error {
	object, isObject := v.(map[string]any)
	list, isList := v.([]any)
	text, isText := v.(string)
	number, isNumber := v.(json.Number)
	whole, notWhole := number.Int64()
	for keyword, arg := range schema {
		ok := true
		var inner error
		switch keyword {
		case "$schema", "$defs", "title", "description":
		case "$ref":
			name := strings.TrimPrefix(arg.(string), "#/$defs/")
			inner = validate(root, root["$defs"].(map[string]any)[name].(map[string]any), v)
		case "type":
			_, isBool := v.(bool)
			ok = map[any]bool{"object": isObject, "array": isList, "string": isText, "integer": isNumber && notWhole == nil, "boolean": isBool}[arg]
		case "const":
			ok = v == arg
		case "enum":
			ok = slices.Contains(arg.([]any), v)
		case "anyOf":
			ok = slices.ContainsFunc(arg.([]any), func(s any) bool { return validate(root, s.(map[string]any), v) == nil })
		case "required":
			for _, key := range arg.([]any) {
				_, has := object[key.(string)]
				ok = ok && (has || !isObject)
			}
		case "properties", "additionalProperties":
			properties, _ := schema["properties"].(map[string]any)
			for key, item := range object {
				s, named := properties[key].(map[string]any)
				if !named {
					if s, named = schema["additionalProperties"].(map[string]any); !named {
						ok = false
						continue
					}
				}
				if err := validate(root, s, item); err != nil {
					inner = fmt.Errorf("%s: %w", key, err)
				}
			}
		case "propertyNames":
			for key := range object {
				if err := validate(root, arg.(map[string]any), key); err != nil {
					inner = err
				}
			}
		case "items":
			for i, item := range list {
				if err := validate(root, arg.(map[string]any), item); err != nil {
					inner = fmt.Errorf("[%d]: %w", i, err)
				}
			}
		case "minimum":
			least, _ := arg.(json.Number).Int64()
			ok = !isNumber || whole >= least
		case "minLength":
			least, _ := arg.(json.Number).Int64()
			ok = !isText || int64(utf8.RuneCountInString(text)) >= least
		case "maxLength":
			most, _ := arg.(json.Number).Int64()
			ok = !isText || int64(utf8.RuneCountInString(text)) <= most
		case "pattern":
			ok = !isText || regexp.MustCompile(arg.(string)).MatchString(text)
		case "format":
			_, err := time.Parse(time.RFC3339, text)
			ok = arg == "date-time" && err == nil
		default:
			return fmt.Errorf("the keyword %s is not known here", keyword)
		}
		if inner != nil {
			return inner
		}
		if !ok {
			return fmt.Errorf("%v is not %s %v", v, keyword, arg)
		}
	}
	return nil
}
