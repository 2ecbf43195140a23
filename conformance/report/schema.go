// SPDX-License-Identifier: Apache-2.0

package report

// JSONSchema returns the JSON Schema (draft 2020-12) of a report. Decode asks for
// more: ids once only, and counts and outcome that follow from the results.
func JSONSchema() []byte { return []byte(jsonSchema) }

const jsonSchema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "Report of the caisson conformance suite",
  "description": "What one run of the suite found. Text fields may hold what the judged target said and must be escaped before they are shown.",
  "type": "object",
  "additionalProperties": false,
  "required": ["schema", "date", "target", "host", "binary", "seed", "claims", "conformant", "complete", "counts", "elapsed_ms", "results"],
  "properties": {
    "schema": {"description": "The version of this form.", "const": 1},
    "date": {"description": "When the run began.", "type": "string", "format": "date-time"},
    "target": {
      "description": "What was judged.",
      "type": "object",
      "additionalProperties": false,
      "required": ["name", "kind"],
      "properties": {
        "name": {"type": "string", "minLength": 1},
        "version": {"type": "string"},
        "kind": {"description": "A backend of caisson, or a foreign command that runs commands.", "enum": ["backend", "wrap"]},
        "notes": {"description": "Limits of the comparison.", "type": "string"}
      }
    },
    "host": {
      "description": "Where it was judged.",
      "type": "object",
      "additionalProperties": false,
      "required": ["os", "arch", "user", "cpus"],
      "properties": {
        "os": {"description": "As Go names operating systems.", "type": "string", "minLength": 1},
        "arch": {"description": "As Go names architectures.", "type": "string", "minLength": 1},
        "kernel": {"description": "Name and release of the kernel.", "type": "string"},
        "system": {"description": "The name of the distribution.", "type": "string"},
        "user": {"description": "Whether the suite ran as root.", "enum": ["root", "user"]},
        "cpus": {"type": "integer", "minimum": 1}
      }
    },
    "binary": {"description": "SHA-256 of the executable that judged, in hexadecimal; empty if it could not be read.", "type": "string"},
    "seed": {"description": "Seed of the random cases.", "type": "integer", "minimum": 0},
    "claims": {
      "description": "What the target promised for a plain sandbox, by guarantee.",
      "type": "object",
      "propertyNames": {"$ref": "#/$defs/id"},
      "additionalProperties": {
        "type": "object",
        "additionalProperties": false,
        "required": ["by"],
        "properties": {
          "by": {"description": "Who upholds it, such as kernel, account, launch, vm; empty if the target does not say.", "type": "string"},
          "note": {"description": "A limit of the claim.", "type": "string"}
        }
      }
    },
    "conformant": {"description": "No case that must hold failed, none ended in an error, nothing that applies was left out, and the whole table was asked for.", "type": "boolean"},
    "complete": {"description": "The whole table was asked for.", "type": "boolean"},
    "counts": {
      "description": "How many cases ended how.",
      "type": "object",
      "additionalProperties": false,
      "required": ["pass", "fail", "held", "not-held", "not-applicable", "error", "not-run"],
      "properties": {
        "pass": {"$ref": "#/$defs/count"},
        "fail": {"$ref": "#/$defs/count"},
        "held": {"$ref": "#/$defs/count"},
        "not-held": {"$ref": "#/$defs/count"},
        "not-applicable": {"$ref": "#/$defs/count"},
        "error": {"$ref": "#/$defs/count"},
        "not-run": {"$ref": "#/$defs/count"}
      }
    },
    "elapsed_ms": {"description": "How long the run took, in milliseconds.", "$ref": "#/$defs/count"},
    "results": {
      "description": "What came of each case, in the order of the table.",
      "type": "array",
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": ["id", "title", "guarantee", "requirement", "clause", "verdict", "why", "ms", "meaning"],
        "properties": {
          "id": {"description": "Of the case; never reused.", "$ref": "#/$defs/id"},
          "title": {"type": "string"},
          "guarantee": {
            "description": "What a failure breaks; empty for a positive duty.",
            "anyOf": [{"const": ""}, {"$ref": "#/$defs/id"}]
          },
          "requirement": {"enum": ["must", "should", "may"]},
          "clause": {"description": "An anchor in docs/contract.md.", "type": "string"},
          "verdict": {
            "description": "pass: claimed, or a duty, and it held. fail: claimed, or a duty, and it was broken. held, not-held: not claimed, and what came of it. not-applicable: this host or target has no such thing. error: it could not be judged. not-run: it applies, and was not tried.",
            "enum": ["pass", "fail", "held", "not-held", "not-applicable", "error", "not-run"]
          },
          "why": {"description": "What was seen, or why not; empty for a pass.", "type": "string"},
          "ms": {"description": "How long the case took, in milliseconds.", "$ref": "#/$defs/count"},
          "meaning": {"description": "What a failure means for a user.", "type": "string"}
        }
      }
    }
  },
  "$defs": {
    "id": {"type": "string", "maxLength": 64, "pattern": "^[a-z0-9][a-z0-9.-]*$"},
    "count": {"type": "integer", "minimum": 0}
  }
}
`
