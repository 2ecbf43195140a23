// SPDX-License-Identifier: Apache-2.0

package report

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestContrast reckons the contrast of text and ground as WCAG 2.2 defines it.
func TestContrast(t *testing.T) {
	t.Parallel()
	light, dark, ok := strings.Cut(style, "@media (prefers-color-scheme: dark)")
	if !ok {
		t.Fatal("there is no dark scheme")
	}
	for scheme, css := range map[string]string{"light": light, "dark": dark} {
		colours := map[string]string{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6});`).FindAllStringSubmatch(css, -1) {
			colours[m[1]] = m[2]
		}
		pairs := [][2]string{
			{"text", "ground"}, {"quiet", "ground"}, {"link", "ground"}, {"good", "ground"}, {"text", "raised"}, {"quiet", "raised"},
			{"good", "good-ground"}, {"bad", "bad-ground"}, {"warn", "warn-ground"}, {"plain", "plain-ground"},
			{"text", "good-ground"}, {"text", "bad-ground"}, {"text", "warn-ground"},
		}
		for _, p := range pairs {
			a, b := luminance(t, colours[p[0]]), luminance(t, colours[p[1]])
			if ratio := (max(a, b) + 0.05) / (min(a, b) + 0.05); ratio < 4.5 {
				t.Errorf("%s: %s on %s has a contrast of %.2f", scheme, p[0], p[1], ratio)
			}
		}
	}
}

func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	if len(colour) != 7 {
		t.Fatalf("the colour %q", colour)
	}
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(colour[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

// TestPageLoadsNothing looks for what makes a browser fetch or run something.
func TestPageLoadsNothing(t *testing.T) {
	t.Parallel()
	m := Merge([]Report{*hostile(), *mixed()})
	for name, text := range map[string]string{"report": write(t, hostile(), "html"), "matrix": write(t, &m, "html")} {
		for _, tag := range regexp.MustCompile(`<[^>]*>`).FindAllString(text, -1) {
			if regexp.MustCompile(`(?i)^<(script|img|link|iframe|object|embed|form|base|svg|video|audio)|\s(on[a-z]+|src|style)=`).MatchString(tag) ||
				strings.Contains(tag, "href") && !strings.HasPrefix(tag, `<a href="#`) {
				t.Errorf("%s: %s", name, tag)
			}
		}
		if !strings.Contains(text, `content="default-src 'none'; style-src 'sha256-`) || strings.Contains(style, "url(") || strings.Contains(style, "@import") {
			t.Errorf("%s: the page is not closed", name)
		}
	}
}
