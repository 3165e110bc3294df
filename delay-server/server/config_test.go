package server_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"flash.test/delay-server/server"
)

func TestLoadOfNothingIsTheDefault(t *testing.T) {
	got, _, err := server.LoadConfig(nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := server.DefaultConfig(); !reflect.DeepEqual(got, want) {
		t.Errorf("Load(nil) = %+v, want DefaultConfig() %+v", got, want)
	}
}

func TestLoadReportsEachBadSettingOnce(t *testing.T) {
	bad := map[string]string{
		"PORT": "70000", "MAX_DELAY": "0s", "MAX_IN_FLIGHT": "-1", "READ_TIMEOUT": "-1s", "IDLE_TIMEOUT": "soon",
		"SHUTDOWN_TIMEOUT": "-1s", "LOG_FORMAT": "xml", "LOG_LEVEL": "loud", "CORS_ORIGINS": "example.com",
		"REDIRECT_HOSTS": "https://example.com", "FLASH_COMPAT": "perhaps",
		"PROXY_HOSTS": "http://example.com", "PROXY_TIMEOUT": "0s",
		"TLS_HOSTS": "flash.siwalik.in:443", "TLS_DIR": "", "TLS_PORT": "-1",
		"DEMO_API_URL": "localhost:5000",
		"TIME_SCALE":   "0", "JOURNAL_SIZE": "-1", "JOURNAL_HEADERS": "Cookie",
		"ADMIN": "maybe", "ADMIN_TOKEN": "two words",
		"ADMIN_HOSTS": "https://example.com",
		"TIME_SCAL":   "1", "ADMIN_TOKENS": "x", "JOURNAL_SISE": "1",
		"REDIRECT_HOST": "x", "MAX_INFLIGHT": "1", "CORS_ORIGIN": "x",
	}
	var environ []string
	for name, value := range bad {
		environ = append(environ, name+"="+value)
	}
	_, _, err := server.LoadConfig(environ)
	if err == nil {
		t.Fatal("Load = nil")
	}
	lines := strings.Split(err.Error(), "\n")
	for name := range bad {
		n := 0
		for _, line := range lines {
			if strings.HasPrefix(line, name+": ") {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s=%s is reported %d times, want once, in:\n%v", name, bad[name], n, err)
		}
	}
	if len(lines) != len(bad) {
		t.Errorf("%d errors for %d invalid settings:\n%v", len(lines), len(bad), err)
	}
}

func TestBadSettingsOfTheAdminAPI(t *testing.T) {
	const scale = "use a number from 0.000001 to 1000000"
	for _, tc := range []struct {
		name    string
		environ []string
		want    string
	}{
		{"no time at all", []string{"TIME_SCALE=0"}, "TIME_SCALE: scale 0 is invalid: " + scale},
		{"back in time", []string{"TIME_SCALE=-1"}, "TIME_SCALE: scale -1 is invalid: " + scale},
		{"not a number", []string{"TIME_SCALE=NaN"}, "TIME_SCALE: scale NaN is invalid: " + scale},
		{"infinite", []string{"TIME_SCALE=Inf"}, "TIME_SCALE: scale +Inf is invalid: " + scale},
		{"too slow", []string{"TIME_SCALE=1000001"}, "TIME_SCALE: scale 1.000001e+06 is invalid: " + scale},
		{"too fast", []string{"TIME_SCALE=1e-7"}, "TIME_SCALE: scale 1e-07 is invalid: " + scale},
		{"a word for a scale", []string{"TIME_SCALE=abc"}, `TIME_SCALE: `},
		{"nothing remembered", []string{"JOURNAL_SIZE=0"}, "JOURNAL_SIZE: 0 is invalid: use 1 or more"},
		{"half a request remembered", []string{"JOURNAL_SIZE=1.5"}, "JOURNAL_SIZE: "},
		{"credentials", []string{"JOURNAL_HEADERS=X-A,authorization"},
			`JOURNAL_HEADERS: "Authorization" is invalid (it may carry credentials): use names of header fields, such`},
		{"no name of a header field", []string{"JOURNAL_HEADERS=a b"}, `JOURNAL_HEADERS: "a b" is invalid: use names`},
		{"no name at all", []string{"JOURNAL_HEADERS=X-A,"}, `JOURNAL_HEADERS: "" is invalid: use names`},
		{"a name twice", []string{"JOURNAL_HEADERS=X-A,x-a"}, `JOURNAL_HEADERS: "X-A" is invalid (it is there twice)`},
		{"the host", []string{"JOURNAL_HEADERS=host"}, `JOURNAL_HEADERS: "Host" is invalid (net/http removes it)`},
		{"21 names", []string{"JOURNAL_HEADERS=" + manyHeaders + "X-A"},
			"JOURNAL_HEADERS: 21 names are invalid: use up to 20"},
		{"perhaps", []string{"ADMIN=maybe"}, "ADMIN: "},
		{"a token that no header carries", []string{"ADMIN_TOKEN=a b"},
			"ADMIN_TOKEN: value is invalid: use visible ASCII characters"},
		{"a token with a line break", []string{"ADMIN_TOKEN=s3cret\n"}, "ADMIN_TOKEN: value is invalid: use visible"},
		{"a token in another script", []string{"ADMIN_TOKEN=é"}, "ADMIN_TOKEN: value is invalid: use visible"},
		{"none in capitals", []string{"ADMIN_TOKEN=NONE"}, `ADMIN_TOKEN: "NONE" is invalid: use a secret`},
		{"none with its quotes", []string{`ADMIN_TOKEN="none"`}, `ADMIN_TOKEN: "\"none\"" is invalid: use a secret`},
		{"another word for none", []string{"ADMIN_TOKEN=false"}, `ADMIN_TOKEN: "false" is invalid: use a secret`},
		{"a word for some", []string{"ADMIN_TOKEN=True"}, `ADMIN_TOKEN: "True" is invalid: use a secret`},
		{"none for nothing", []string{"ADMIN=false", "ADMIN_TOKEN=none"}, "ADMIN_TOKEN and ADMIN=false conflict"},
		{"a board without runs", []string{"ADMIN=false", "BOARD=true"}, "BOARD and ADMIN=false conflict"},
		{"exercises without runs", []string{"ADMIN=false", "EXERCISES=a.yaml"}, "EXERCISES: it has no effect"},
		{"exercises without a board", []string{"BOARD=false", "EXERCISES=a.yaml"}, "EXERCISES: it has no effect with"},
		{"a board, perhaps", []string{"BOARD=maybe"}, "BOARD: "},
		{"hosts for nothing", []string{"ADMIN=false", "ADMIN_HOSTS=a.example"}, "ADMIN_HOSTS and ADMIN=false conflict"},
		{"any host for nothing", []string{"ADMIN=false", "ADMIN_HOSTS=*"}, "ADMIN_HOSTS and ADMIN=false conflict"},
		{"a host with a port", []string{"ADMIN_HOSTS=a.example:3000"}, `ADMIN_HOSTS: "a.example:3000" is invalid`},
		{"a token for nothing", []string{"ADMIN=false", "ADMIN_TOKEN=s3cret"}, "ADMIN_TOKEN and ADMIN=false conflict"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, _, err := server.LoadConfig(tc.environ)
			if err == nil || !strings.HasPrefix(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("Load(%q): got %v, want one error that begins with %s", tc.environ, err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "s3cret") {
				t.Errorf("Load(%q): the error tells the token: %v", tc.environ, err)
			}
		})
	}
	for _, good := range []string{"DEMO_API_URL=http://localhost:0", "DEMO_API_URL=https://[::1]:5000/",
		"TIME_SCALE=0.001", "TIME_SCALE=1e6", "JOURNAL_SIZE=1", "ADMIN=false", "BOARD=true",
		"BOARD=false", "BOARD=", "ADMIN_TOKEN=s3cret!", "ADMIN_TOKEN=none", "ADMIN_TOKEN=nonesuch",
		"ADMIN_TOKEN=", "ADMIN_HOSTS=", "JOURNAL_HEADERS=none", "JOURNAL_HEADERS=",
		"JOURNAL_HEADERS=Idempotency-Key, x-request-id",
		"JOURNAL_HEADERS=" + strings.TrimSuffix(manyHeaders, ",")} {
		if _, _, err := server.LoadConfig([]string{good}); err != nil {
			t.Errorf("Load(%s): %v", good, err)
		}
	}
}

// manyHeaders are 20 names of header fields, each with a comma.
var manyHeaders = func() (names string) {
	for i := range 20 {
		names += fmt.Sprintf("X-%d,", i)
	}
	return names
}()

func TestJournalHeadersRefuseCredentials(t *testing.T) {
	for name, refused := range map[string]bool{
		"Authorization": true, "Proxy-Authorization": true, "Cookie": true, "Set-Cookie": true, "Cookie2": true,
		"X-Api-Key": true, "Apikey": true, "X-Auth-Token": true, "X-Csrf-Token": true, "X-Amz-Security-Token": true,
		"X-Auth": true, "Authentication-Info": true, "X-Client-Secret": true,
		"Idempotency-Key": false, "User-Agent": false, "Traceparent": false, "Author": false, "X-Authority": false,
	} {
		if _, _, err := server.LoadConfig([]string{"JOURNAL_HEADERS=" + name}); (err != nil) != refused {
			t.Errorf("JOURNAL_HEADERS=%s: error %v, want one: %v", name, err, refused)
		}
	}
}

func TestTableHasEverySettingWithHelp(t *testing.T) {
	var table strings.Builder
	if err := server.WriteConfigTable(&table); err != nil {
		t.Fatal(err)
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[server.Config]()) {
		if f.Anonymous {
			continue
		}
		name, help := f.Tag.Get("env"), f.Tag.Get("help")
		if name == "" || help == "" || !strings.Contains(table.String(), name) ||
			!strings.Contains(table.String(), help) {
			t.Errorf("field %s: setting %q, help %q: want both, in the table", f.Name, name, help)
		}
	}
}

func TestHostListsRefuseWhatCanNeverMatch(t *testing.T) {
	for _, setting := range []string{"REDIRECT_HOSTS", "PROXY_HOSTS", "ADMIN_HOSTS"} {
		for _, list := range []string{"localhost:3000", "[::1]", "none,example.com", "example.com,none",
			"https://example.com", "*.*.com", "256.1.1.1", ""} {
			_, _, err := server.LoadConfig([]string{setting + "=" + list})
			if (err == nil) != (list == "") {
				t.Errorf("%s=%s: got %v, want an error unless it is empty", setting, list, err)
			}
		}
		for _, list := range []string{"*", "none", "example.com", "*.example.com,localhost",
			"::1,127.0.0.1", "10.0.0.0/8"} {
			if _, _, err := server.LoadConfig([]string{setting + "=" + list}); err != nil {
				t.Errorf("%s=%s: got %v, want nil", setting, list, err)
			}
		}
	}
}

func TestTLSSettings(t *testing.T) {
	for _, tc := range []struct {
		name    string
		environ []string
		want    string // of the error; "" for none
		on      bool
	}{
		{"none", []string{"TLS_HOSTS=none"}, "", false},
		{"empty is the default", []string{"TLS_HOSTS="}, "", false},
		{"a name", []string{"TLS_HOSTS=flash.siwalik.in", "TLS_DIR=tls"}, "", true},
		{"names and addresses",
			[]string{"TLS_HOSTS=flash.siwalik.in,delay_server,127.0.0.1,::1", "TLS_DIR=tls", "TLS_PORT=443"}, "", true},
		{"hosts without a folder", []string{"TLS_HOSTS=a.test"}, "TLS_DIR: it is missing", true},
		{"a folder without hosts", []string{"TLS_DIR=tls"}, "TLS_DIR: it has no effect without TLS_HOSTS", false},
		{"a port without hosts", []string{"TLS_PORT=443"}, "TLS_PORT: it has no effect without TLS_HOSTS", false},
		{"one port for both", []string{"TLS_HOSTS=a.test", "TLS_DIR=tls", "PORT=3443"},
			"TLS_PORT and PORT conflict", true},
		{"any free ports", []string{"TLS_HOSTS=a.test", "TLS_DIR=tls", "PORT=0", "TLS_PORT=0"}, "", true},
		{"none among others", []string{"TLS_HOSTS=a.test,none", "TLS_DIR=tls"}, `TLS_HOSTS: "none" is invalid`, true},
		{"any", []string{"TLS_HOSTS=*", "TLS_DIR=tls"}, `TLS_HOSTS: "*" is invalid`, true},
		{"any below a name", []string{"TLS_HOSTS=*.a.test", "TLS_DIR=tls"}, `TLS_HOSTS: "*.a.test" is invalid`, true},
		{"a URL", []string{"TLS_HOSTS=https://a.test", "TLS_DIR=tls"}, `TLS_HOSTS: "https://a.test" is invalid`, true},
		{"a range", []string{"TLS_HOSTS=10.0.0.0/8", "TLS_DIR=tls"}, `TLS_HOSTS: "10.0.0.0/8" is invalid`, true},
		{"a comma too many", []string{"TLS_HOSTS=a.test,", "TLS_DIR=tls"}, `TLS_HOSTS: "" is invalid`, true},
		{"an address with a zone", []string{"TLS_HOSTS=fe80::1%eth0", "TLS_DIR=tls"},
			`TLS_HOSTS: "fe80::1%eth0" is invalid`, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, _, err := server.LoadConfig(tc.environ)
			if (err == nil) != (tc.want == "") ||
				err != nil && (!strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n")) {
				t.Errorf("Load(%v): got error %v, want one that says %q", tc.environ, err, tc.want)
			}
			if got := c.TLS(); got != tc.on {
				t.Errorf("Load(%v).TLS(): got %v, want %v", tc.environ, got, tc.on)
			}
		})
	}
}

func TestLoadWarnsOfWhatOnlyResemblesASetting(t *testing.T) {
	for _, environ := range []string{"TIME_STYLE=long-iso", "LOG_FILE=x", "TLS_CERT=x", "PROXY_URL=x", "FLASH_MODE=1",
		"READ_ONLY=1", "ADMIN_TOKEN_FILE=/run/secrets/token", "EXERCISES_FILE=own.yaml", "BOARD_PUBLIC=true",
		"EXERCISES_FOLDER=own"} {
		name, _, _ := strings.Cut(environ, "=")
		_, warnings, err := server.LoadConfig([]string{environ})
		if err != nil || len(warnings) != 1 || !strings.HasPrefix(warnings[0], name+": unknown setting") {
			t.Errorf("Load(%s): got warnings %q, error %v, want one warning", environ, warnings, err)
		}
	}
}

func TestLoadOfKubernetesServicesIsTheDefault(t *testing.T) {
	for _, service := range []string{"TLS", "ADMIN", "PROXY", "TIME", "LOG", "HOST", "PORT", "SEED",
		"DELAY_SERVER", "MAX", "TL"} {
		environ := []string{
			service + "_SERVICE_HOST=10.0.0.1", service + "_SERVICE_PORT=443", service + "_SERVICE_PORT_HTTPS=443",
			service + "_PORT=tcp://10.0.0.1:443",
			service + "_PORT_443_TCP=tcp://10.0.0.1:443", service + "_PORT_443_TCP_PROTO=tcp",
			service + "_PORT_443_TCP_PORT=443", service + "_PORT_443_TCP_ADDR=10.0.0.1",
		}
		got, warnings, err := server.LoadConfig(environ)
		if err != nil || len(warnings) > 0 || !reflect.DeepEqual(got, server.DefaultConfig()) {
			t.Errorf("service %s: got %+v, warnings %q, error %v, want the defaults", service, got, warnings, err)
		}
	}
}
