package config_test

import (
	"reflect"
	"strings"
	"testing"

	"flash.test/delay-server/internal/config"
	"flash.test/delay-server/server"
)

func TestLoadOfNothingIsTheDefault(t *testing.T) {
	got, err := config.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := server.DefaultConfig(); !reflect.DeepEqual(got, want) {
		t.Errorf("Load(nil) = %+v, want DefaultConfig() %+v", got, want)
	}
}

func TestLoadReportsEachBadSettingOnce(t *testing.T) {
	bad := map[string]string{
		"PORT": "70000", "MAX_DELAY": "0s", "MAX_IN_FLIGHT": "0", "READ_TIMEOUT": "-1s", "IDLE_TIMEOUT": "soon",
		"SHUTDOWN_TIMEOUT": "-1s", "LOG_FORMAT": "xml", "LOG_LEVEL": "loud", "CORS_ORIGINS": "example.com",
		"REDIRECT_HOSTS": "https://example.com", "FLASH_COMPAT": "perhaps", "PROXY_HOSTS": "http://example.com", "PROXY_TIMEOUT": "0s",
		"REDIRECT_HOST": "x", "PROXY_URL": "x", "MAX_INFLIGHT": "1", "CORS_ORIGIN": "x", "FLASH_MODE": "1", "LOG_FILE": "x",
	}
	var environ []string
	for name, value := range bad {
		environ = append(environ, name+"="+value)
	}
	_, err := config.Load(environ)
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
		t.Errorf("%d errors for %d bad settings:\n%v", len(lines), len(bad), err)
	}
}

func TestTableHasEverySettingWithHelp(t *testing.T) {
	var table strings.Builder
	if err := config.Table(&table); err != nil {
		t.Fatal(err)
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[server.Config]()) {
		name, help := f.Tag.Get("env"), f.Tag.Get("help")
		if name == "" || help == "" || !strings.Contains(table.String(), name) || !strings.Contains(table.String(), help) {
			t.Errorf("field %s: setting %q, help %q: want both, in the table", f.Name, name, help)
		}
	}
}

func TestHostListsRefuseWhatCanNeverMatch(t *testing.T) {
	for _, setting := range []string{"REDIRECT_HOSTS", "PROXY_HOSTS"} {
		for _, list := range []string{"localhost:3000", "[::1]", "none,example.com", "example.com,none", "https://example.com", "*.*.com", "256.1.1.1", ""} {
			_, err := config.Load([]string{setting + "=" + list})
			if (err == nil) != (list == "") {
				t.Errorf("%s=%s: got %v, want an error but for the empty one, which is the default", setting, list, err)
			}
		}
		for _, list := range []string{"*", "none", "example.com", "*.example.com,localhost", "::1,127.0.0.1", "10.0.0.0/8"} {
			if _, err := config.Load([]string{setting + "=" + list}); err != nil {
				t.Errorf("%s=%s: got %v, want nil", setting, list, err)
			}
		}
	}
}
