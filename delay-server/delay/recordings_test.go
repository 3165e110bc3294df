package delay_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"flash.test/delay-server/delay"
)

func TestReadRecordings(t *testing.T) {
	const har = `{"log": {"version": "1.2", "pages": [{"id": "p"}],
  "entries": [
    {"startedDateTime": "2026-01-01T00:00:00Z", "time": 12.5, "request": {"url": "x"}},
    {"time": 250}
  ]}}`
	const (
		us = time.Microsecond
		ms = time.Millisecond

		jmeter = "timeStamp,elapsed,label,responseCode,responseMessage,threadName,dataType,success," +
			"failureMessage,bytes,sentBytes,grpThreads,allThreads,URL,Latency,IdleTime,Connect\n" +
			"1509841690552,354,login,200,OK,login 1-1,text,true,,2781,133,1,1,http://x/,350,0,275\n" +
			"1509841690906,12,\"a, b\",500,x,login 1-1,text,false,\"no \"\"x\"\"\",1,1,1,1,http://x/,11,0,0\n"
		vegeta = "1767225600000000000,200,12500000,0,5,,aGVsbG8=,,0,GET,http://x/,SG9zdDogeA0KDQo=\n" +
			"1767225600010000000,503,250000000,0,0,\"503, gone\",,,1,GET,http://x/,\n"
		hey = "response-time,DNS+dialup,DNS,Request-write,Response-delay,Response-read,status-code,offset\n" +
			"0.2500,0.0010,0.0005,0.0000,0.2400,0.0001,200,0.0010\n" +
			"0.0125,0.0000,0.0000,0.0000,0.0120,0.0001,200,0.2510\n"
		oldHey = "response-time,DNS+dialup,DNS,Request-write,Response-delay,Response-read\n" +
			"0.0125,0.0010,0.0005,0.0000,0.0120,0.0001\n"
		oha = "request-start,DNS,DNS+dialup,Response-delay,request-duration,bytes,status\n" +
			"0.0022,0.0003,0.0011,0.0026,0.0125,11,200\n"
		k6 = "metric_name,timestamp,metric_value,check,error,error_code,expected_response,group,method,name," +
			"proto,scenario,service,status,subproto,tls_version,url,extra_tags,metadata\n" +
			"http_reqs,1641298536,1.000000,,,,true,,GET,http://x/,HTTP/1.1,default,,200,,,http://x/,,\n" +
			"http_req_duration,1641298536,12.500000,,,,true,,GET,http://x/,HTTP/1.1,default,,200,,,http://x/,,\n" +
			"http_req_waiting,1641298536,12.000000,,,,true,,GET,http://x/,HTTP/1.1,default,,200,,,http://x/,,\n" +
			"vus,1641298536,1.000000,,,,,,,,,,,,,,,,\n" +
			"http_req_duration,1641298537,250.000000,,,,true,,GET,http://x/,HTTP/1.1,default,,200,,,http://x/,,\n"
	)
	for _, tc := range []struct {
		name, file, text string
		min, max         time.Duration
		n                int
	}{
		{"a latency a line", "r.csv", "12.5\n250\n", 12500 * us, 250 * ms, 2},
		{"a named column", "r.csv", "at,latency,status\n1,12.5,200\n2,250,200\n", 12500 * us, 250 * ms, 2},
		{"name in capital letters", "r.CSV", "5\n", 5 * ms, 5 * ms, 1},
		{"HTTP archive in capital letters", "r.Har", har, 12500 * us, 250 * ms, 2},
		{"JMeter's log", "r.jtl", jmeter, 12 * ms, 354 * ms, 2},
		{"JMeter's columns without the time of day", "r.csv", "elapsed,Latency\n3,2\n", 3 * ms, 3 * ms, 1},
		{"vegeta's", "r.csv", vegeta, 12500 * us, 250 * ms, 2},
		{"hey's", "r.csv", hey, 12500 * us, 250 * ms, 2},
		{"older hey's", "r.csv", oldHey, 12500 * us, 12500 * us, 1},
		{"oha's", "r.csv", oha, 12500 * us, 12500 * us, 1},
		{"k6's", "r.csv", k6, 12500 * us, 250 * ms, 2},
		{"JMeter's column", "r.csv", "timeStamp,elapsed,label\n1,3,a\n", 3 * ms, 3 * ms, 1},
		{"unit after an underscore", "r.csv", "latency_us\n12\n", 12 * us, 12 * us, 1},
		{"unit in brackets", "r.csv", "\"Elapsed (s)\"\n0.25\n", 250 * ms, 250 * ms, 1},
		{"unit in nanoseconds", "r.csv", "time_ns\n7\n", 7, 7, 1},
		{"byte order mark, blank lines and CRLF", "r.csv", "\ufeffdelay\r\n5\r\n\r\n6\r\n", 5 * ms, 6 * ms, 2},
		{"HTTP archive with a byte order mark", "r.har", "\ufeff" + har, 12500 * us, 250 * ms, 2},
		{"HTTP archive", "r.har", har, 12500 * us, 250 * ms, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, warnings, err := delay.ReadRecordings(fstest.MapFS{tc.file: {Data: []byte(tc.text)}})
			if err != nil || len(warnings) > 0 {
				t.Fatalf("got warnings %q, error %v, want neither", warnings, err)
			}
			r := got["r"]
			if len(got) != 1 || r.Len() != tc.n {
				t.Fatalf("got %d recordings, r of %d times, want 1 of %d", len(got), r.Len(), tc.n)
			}
			d, err := delay.Parse("recorded:r")
			if err != nil {
				t.Fatal(err)
			}
			if d, err = d.With(got); err != nil {
				t.Fatal(err)
			}
			if low, high := d.Quantile(0.001), d.Quantile(0.999); low != tc.min || high != tc.max {
				t.Errorf("got %v to %v, want %v to %v", low, high, tc.min, tc.max)
			}
		})
	}
}

func TestReadRecordingsRefuses(t *testing.T) {
	for _, tc := range []struct{ name, file, text, want string }{
		{"a word", "r.csv", "1\n2\nslow\n", `r.csv:3: "slow" is not a latency`},
		{"negative", "r.csv", "1\n-2\n", `r.csv:2: "-2" is not a latency`},
		{"not a number", "r.csv", "latency\nNaN\n", `r.csv:2: "NaN" is not a latency`},
		{"empty field", "r.csv", "at,latency\n1,\n", `r.csv:2: "" is not a latency`},
		{"no column", "r.csv", "at,status\n1,200\n", "r.csv:1: no column"},
		{"columns without names", "r.csv", "1,200\n", "r.csv:1: no column"},
		{"two columns", "r.csv", "latency_ms,elapsed\n1,2\n",
			`r.csv:1: columns "latency_ms" and "elapsed" are both latencies`},
		{"rows of different length", "r.csv", "at,latency\n1,2\n3\n", "r.csv:3: wrong number of fields"},
		{"bare quote", "r.csv", "1\n2\"\n", "r.csv:2: bare"},
		{"empty", "r.csv", "", "r.csv: no times"},
		{"only names", "r.csv", "latency\n", "r.csv: no times"},
		{"name with a blank", "my r.csv", "1\n", "my r.csv: \"my r\" is not 1 to 100"},
		{"no JSON", "r.har", "hello", "r.har:1: "},
		{"broken JSON", "r.har", "{\"log\":\n{\"entries\":\n[{\"time\":1},\n{\"time\":oops}]}}", "r.har:4: "},
		{"no log", "r.har", `{"a": 1}`, `r.har:1: there is no "log"`},
		{"no entries", "r.har", "{\"log\":\n{\"version\":\"1.2\"}}", `r.har:2: there is no "entries"`},
		{"entries not a list", "r.har", `{"log":{"entries":7}}`, "r.har:1: log.entries is not a list"},
		{"entry without a time", "r.har", "{\"log\":{\"entries\":[\n{\"time\":1},\n{\"x\":1}]}}",
			"r.har:3: entry 2: it has no time"},
		{"negative time", "r.har", "{\"log\":{\"entries\":[\n{\"time\":-1}]}}",
			`r.har:2: entry 1: "-1" is not a latency`},
		{"negative time inside an entry", "r.har",
			"{\"log\":\n{\"entries\":[\n{\"time\":1},\n{\"request\":{\"url\":\"x\"},\n\"time\":\n-1,\n" +
				"\"response\":{\"status\":200}\n}\n]}}", `r.har:6: entry 2: "-1" is not a latency`},
		{"entry not an object", "r.har", "{\"log\":{\"entries\":[\n7]}}", "r.har:2: entry 1: it is not an object"},
		{"no entry with an answer", "r.har", `{"log":{"entries":[{"time":null}]}}`,
			"r.har: no times: skipped 1 of 1 entries"},
		{"JMeter's XML", "r.jtl", "<?xml version=\"1.0\"?>\n<testResults/>", "r.jtl:1: it is XML: set jmeter"},
		{"semicolons", "r.csv", "at;latency\n1;2\n",
			`r.csv:1: the columns of "at;latency" are separated by ";": use commas`},
		{"tabs", "r.csv", "at\tlatency\n1\t2\n",
			`r.csv:1: the columns of "at\tlatency" are separated by "\t": use commas`},
		{"semicolons and decimal commas", "r.csv", "1,5;200\n", "r.csv:1: no column"},
		{"decimal commas", "r.csv", "12,5\n13,5\n", "r.csv:1: no column"},
		{"UTF-16", "r.csv", "\xff\xfe1\x00\n\x00", "r.csv:1: it is not UTF-8"},
		{"k6's without a request", "r.csv", "metric_name,timestamp,metric_value,status\nvus,1641298536,1.000000,\n",
			"r.csv:1: no row of metric_name http_req_duration"},
		{"nanoseconds since 1970, as milliseconds", "r.csv", "latency\n1767225600000000000\n",
			`r.csv:2: "1767225600000000000" is too long: it is over a century in milliseconds`},
		{"broken after the entries", "r.har", "{\"log\":{\"entries\":[\n{\"time\":1}],\nbroken", "r.har:3: "},
		{"more after the end", "r.har", "{\"log\":{\"entries\":[{\"time\":1}]}}\ntrailing", "r.har:2: "},
		{"time as a string", "r.har", "{\"log\":{\"entries\":[\n{\"time\":\"1\"}]}}", "r.har:2: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, _, err := delay.ReadRecordings(fstest.MapFS{tc.file: {Data: []byte(tc.text)}})
			if err == nil || !strings.HasPrefix(err.Error(), tc.want) {
				t.Errorf("got %v, %v, want an error that begins with %s", got, err, tc.want)
			}
		})
	}
	twice := fstest.MapFS{"r.csv": {Data: []byte("1")}, "r.har": {Data: []byte(`{"log":{"entries":[{"time":1}]}}`)}}
	if got, _, err := delay.ReadRecordings(twice); err == nil || !strings.Contains(err.Error(), "is also in") {
		t.Errorf("r.csv and r.har: got %v, %v, want an error", got, err)
	}
}

func TestReadRecordingsSaysWhatItLeavesOut(t *testing.T) {
	files := fstest.MapFS{}
	for name, text := range map[string]string{
		"checkout.CSV": "5\n",
		"browser.har": `{"log":{"entries":[{"time":-1,"response":{"status":0}},{"time":null},` +
			`{"time":0,"response":{"status":0}},{"time":5,"response":{"status":200}}]}}`,
		"vegeta.csv": "1767225600000000000,0,30000000000,0,0,\"Get: dial, refused\",,,0,GET,http://x/,\n" +
			"1767225600010000000,200,5000000,0,0,,,,1,GET,http://x/,\n",
		"k6.csv": "metric_name,timestamp,metric_value,status\nhttp_req_duration,1,0.000000,0\n" +
			"http_req_duration,1,5.000000,200\n",
		"jmeter.jtl": "timeStamp,elapsed,responseCode,Latency\n" +
			"1,9,Non HTTP response code: java.net.ConnectException,0\n1,5,200,5\n",
		"notes.txt":      "hello",
		"results.csv.gz": "hello",
		"old/r.csv":      "1\n",
		".hidden.csv":    "no number",
		"._checkout.csv": "\x00\x05\x16\x07",
	} {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	got, warnings, err := delay.ReadRecordings(files)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"checkout", "browser", "vegeta", "k6", "jmeter"} {
		if r, ok := got[name]; !ok || r.Len() != 1 || r.Min() != 5*time.Millisecond {
			t.Errorf("recording %s: got %+v, want 5ms alone", name, r)
		}
	}
	want := []string{
		"browser.har: skipped 3 of 4 entries without a response",
		"jmeter.jtl: skipped 1 of 2 entries without a response",
		"k6.csv: skipped 1 of 2 entries without a response",
		"notes.txt is ignored: use files NAME.csv, NAME.jtl or NAME.har",
		"old is ignored: use files NAME.csv, NAME.jtl or NAME.har",
		"results.csv.gz is ignored: use files NAME.csv, NAME.jtl or NAME.har",
		"vegeta.csv: skipped 1 of 2 entries without a response",
	}
	if len(got) != 5 || !slices.Equal(warnings, want) {
		t.Errorf("got %d recordings, want 5; warnings:\n%s\nwant:\n%s", len(got), strings.Join(warnings, "\n"),
			strings.Join(want, "\n"))
	}
}
