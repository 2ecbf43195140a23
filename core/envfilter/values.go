// SPDX-License-Identifier: Apache-2.0

package envfilter

import (
	"encoding/base64"
	"net/url"
	"strings"
)

// shape is what a known token looks like: a prefix, then at least min letters,
// digits, "-", "_" or ".". A prefix that is common text asks for the mix of a
// generated token after it.
type shape struct {
	prefix string
	min    int
	mixed  bool
}

// shapes are the token forms that their issuers made recognisable.
var shapes = [...]shape{
	// GitHub, GitLab
	{"ghp_", 30, false}, {"gho_", 30, false}, {"ghu_", 30, false}, {"ghs_", 30, false}, {"ghr_", 30, false}, {"github_pat_", 30, false},
	{"glpat-", 16, false}, {"gldt-", 16, false}, {"glrt-", 16, false}, {"glcbt-", 16, false}, {"glptt-", 16, false}, {"GR1348941", 16, false},
	// model providers, Stripe
	{"sk-", 20, true}, {"gsk_", 30, false}, {"r8_", 30, false}, {"pplx-", 30, false}, {"xai-", 30, true}, {"hf_", 30, false},
	{"sk_live_", 16, false}, {"sk_test_", 16, false}, {"rk_live_", 16, false}, {"rk_test_", 16, false}, {"whsec_", 16, false},
	// Slack
	{"xoxb-", 10, false}, {"xoxp-", 10, false}, {"xoxa-", 10, false}, {"xoxr-", 10, false}, {"xoxs-", 10, false}, {"xoxe-", 10, false},
	{"xoxe.", 10, false}, {"xoxc-", 10, false}, {"xoxd-", 10, false}, {"xapp-", 10, false},
	// clouds
	{"AKIA", 16, false}, {"ASIA", 16, false}, {"AIza", 30, false}, {"ya29.", 20, false}, {"GOCSPX-", 20, false},
	{"dop_v1_", 40, false}, {"doo_v1_", 40, false}, {"fm1_", 30, false}, {"fm2_", 30, false}, {"fo1_", 30, false}, {"hvs.", 20, false}, {"hvb.", 20, false},
	{"tskey-", 20, false}, {"dapi", 32, true}, {"AGE-SECRET-KEY-", 40, false},
	// registries
	{"npm_", 30, true}, {"pypi-", 40, true}, {"rubygems_", 30, true}, {"cio", 32, true}, {"dckr_pat_", 20, false},
	// services
	{"SG.", 40, true}, {"key-", 32, true}, {"shpat_", 30, false}, {"shpss_", 30, false}, {"lin_api_", 30, false}, {"secret_", 40, true},
	{"ntn_", 40, true}, {"PMAK-", 40, true}, {"sntrys_", 30, false}, {"glsa_", 30, false}, {"NRAK-", 20, false},
}

// webhooks are addresses that are a secret in themselves.
var webhooks = [...]string{"hooks.slack.com/services/", "discord.com/api/webhooks/", "discordapp.com/api/webhooks/"}

// valueReason says why a variable with that value is dropped, or "". The whole
// value is searched: tokens also stand in headers, URLs and command lines.
func valueReason(value string) string {
	pem := strings.Contains(value, "-----BEGIN ") && strings.Contains(value, "PRIVATE KEY")
	if pem || strings.HasPrefix(value, "LS0tLS1CRUdJTi") { // the same in base64
		return "its value holds a private key"
	}
	if hasPassword(value) {
		return "its value is a URL with a password"
	}
	if isConnection(value) {
		return "its value is a connection string with a password"
	}
	for _, hook := range webhooks {
		if _, rest, ok := strings.Cut(value, hook); ok && rest != "" {
			return "its value is a URL that lets everybody post who has it"
		}
	}
	for start := 0; start < len(value); {
		end := start
		for end < len(value) && tokenByte(value[end]) {
			end++
		}
		if isToken(value[start:end]) || isJWT(value[start:end]) {
			return "its value looks like a token"
		}
		start = end + 1
	}
	return ""
}

func tokenByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.'
}

func isToken(word string) bool {
	for _, s := range shapes {
		if rest, ok := strings.CutPrefix(word, s.prefix); ok && len(rest) >= s.min && (!s.mixed || random(rest)) {
			return true
		}
	}
	return false
}

// random reports whether text has the mix of a generated token, which tells
// "sk-learn-contrib-examples" from a key: a digit, and few separators.
func random(text string) bool {
	digits, letters := 0, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c != '-' && c != '_' && c != '.':
			letters++
		}
	}
	return digits > 0 && digits+letters >= len(text)*3/4
}

// isJWT reports whether a word is a JSON web token: three parts in base64url,
// the first of which is a JSON object.
func isJWT(word string) bool {
	parts := strings.Split(word, ".")
	if len(parts) < 3 || !strings.HasPrefix(parts[0], "eyJ") {
		return false
	}
	head, err := base64.RawURLEncoding.DecodeString(parts[0])
	return err == nil && strings.Contains(string(head), `"alg"`)
}

// hasPassword looks for "scheme://user:password@" anywhere in a value.
func hasPassword(value string) bool {
	for rest := value; ; {
		i := strings.Index(rest, "://")
		if i < 0 {
			return false
		}
		rest = rest[i+3:]
		authority := rest
		if j := strings.IndexAny(authority, "/ \t\n"); j >= 0 {
			authority = authority[:j]
		}
		user, _, ok := cutLast(authority, "@")
		if !ok {
			continue
		}
		if _, password, ok := strings.Cut(user, ":"); ok && password != "" {
			return true
		}
		if name, err := url.PathUnescape(user); err == nil && (isToken(name) || len(name) >= 32 && random(name)) {
			return true
		}
	}
}

// isConnection looks for a password among the settings of a database or a
// store: "Server=h;Password=p" of ADO.NET and Azure, "host=h password=p" of
// libpq.
func isConnection(value string) bool {
	for _, separator := range []string{";", " "} {
		settings, password := 0, false
		for part := range strings.SplitSeq(value, separator) {
			key, text, ok := strings.Cut(part, "=")
			if !ok || text == "" {
				continue
			}
			settings++
			switch strings.ToLower(strings.TrimSpace(key)) {
			case "password", "pwd", "accountkey", "sharedaccesskey":
				password = true
			}
		}
		if password && settings > 1 {
			return true
		}
	}
	return false
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
