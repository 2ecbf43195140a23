// SPDX-License-Identifier: Apache-2.0

package realwork

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// fetcher fetches an address with both clients of the JVM, which know of a proxy
// by properties alone.
const fetcher = `
import java.net.*;
import java.net.http.*;
public class Fetch {
  public static void main(String[] args) throws Exception {
    HttpURLConnection old = (HttpURLConnection) new URL(args[0]).openConnection();
    System.out.println("old " + new String(old.getInputStream().readAllBytes()));
    HttpClient client = HttpClient.newBuilder().followRedirects(HttpClient.Redirect.NORMAL).build();
    HttpResponse<String> r = client.send(HttpRequest.newBuilder(URI.create(args[0])).build(), HttpResponse.BodyHandlers.ofString());
    if (r.statusCode() != 200) System.exit(1);
    System.out.println("new " + r.body());
  }
}
`

const trustStore = "-Djavax.net.ssl.trustStore=trust.p12 -Djavax.net.ssl.trustStorePassword=changeit"

// listedLanguages is work as listedWorks has it, of programs that tests do not
// install, as they are large.
func listedLanguages() []listedWork {
	java := "java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC " + trustStore + " Fetch https://"
	cargo := func(host, crate string) string {
		return "rm -rf crate && mkdir -p crate/src && cd crate && touch src/lib.rs && printf '[package]\\nname = \"x\"\\nversion = \"1.0.0\"\\n[dependencies]\\n" + crate +
			" = { version = \"1\", registry = \"test\" }\\n' > Cargo.toml && CARGO_HOME=$PWD/home CARGO_NET_RETRY=0 CARGO_REGISTRIES_TEST_INDEX=sparse+https://" + host +
			"/crates/ cargo fetch && ls home/registry/cache/*/" + crate + "-1.0.0.crate"
	}
	return []listedWork{
		{"java", []string{java + "allowed.example/file | tr '\\n' ' ' | grep 'old content .*new content'", java + "allowed.example/to/also.example/file"}, map[string]string{
			"another host": java + "other.example/file", "led elsewhere": java + "allowed.example/to/other.example/file",
			"no proxy": "JAVA_TOOL_OPTIONS= timeout 20 " + java + "allowed.example/file",
		}},
		{"cargo", []string{cargo("allowed.example", "allowed")}, map[string]string{
			"another registry": cargo("other.example", "allowed"), "a crate elsewhere": cargo("allowed.example", "other"),
		}},
	}
}

// addLanguages puts what listedLanguages fetches on the server, and what it needs
// into the workspace. Missing are the programs that cannot be tried, with why.
func (n *internet) addLanguages(t *testing.T, work string) (missing map[string]string) {
	t.Helper()
	n.addCrates(t)
	missing = map[string]string{}
	if err := os.WriteFile(filepath.Join(work, "Fetch.java"), []byte(fetcher), 0o644); err != nil {
		t.Fatal(err)
	}
	run := func(program string, args ...string) {
		if missing[program] != "" {
			return
		}
		cmd := shared.command(args[0], args[1:]...)
		cmd.Dir = work
		if out, err := cmd.CombinedOutput(); err != nil {
			missing[program] = fmt.Sprintf("%v: %s", err, out)
		}
	}
	run("java", "javac", "-nowarn", "-d", ".", "Fetch.java")
	run("java", "keytool", "-importcert", "-noprompt", "-alias", "test", "-file", n.ca, "-keystore", "trust.p12", "-storetype", "PKCS12", "-storepass", "changeit")
	run("cargo", "sh", "-c", "v=$(cargo --version) && case $v in 'cargo 1.'[0-5]?.*|'cargo 1.6'[0-7].*|'cargo 0.'*) echo $v asks registries by git alone; exit 1;; esac")
	return missing
}

// addCrates makes a registry of cargo's, in which one crate lies elsewhere.
func (n *internet) addCrates(t *testing.T) {
	t.Helper()
	n.files["/crates/config.json"] = []byte(`{"dl":"https://{crate}.example/crates/dl/{crate}"}`)
	for at, name := range map[string]string{"al/lo/allowed": "allowed", "ot/he/other": "other"} {
		crate := packed(t, map[string]string{
			name + "-1.0.0/Cargo.toml": "[package]\nname = \"" + name + "\"\nversion = \"1.0.0\"\n",
			name + "-1.0.0/src/lib.rs": "pub const ANSWER: i32 = 42;\n",
		})
		sum := sha256.Sum256(crate)
		n.files["/crates/"+at] = fmt.Appendf(nil, `{"name":"%s","vers":"1.0.0","deps":[],"cksum":"%s","features":{},"yanked":false}`+"\n", name, hex.EncodeToString(sum[:]))
		n.files["/crates/dl/"+name] = crate
	}
}

// skipMissing skips, and says why, where a program cannot be tried.
func skipMissing(t *testing.T, program string, missing map[string]string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skip(err)
	}
	if why := missing[program]; why != "" {
		t.Skipf("%s cannot be tried here: %s", program, strings.TrimSpace(why))
	}
}
