package delay

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"flash.test/delay-server/kit/spelling"
)

var latencyColumn = regexp.MustCompile(
	`(?i)^(?:latency|duration|elapsed|time|delay|response_time)[ _]*\(?(ns|us|µs|ms|s)?\)?$`)

// columns are indexes of columns in a row; -1 for none.
type columns struct {
	latency int
	unit    time.Duration // of latency
	status  int           // rows without a response are skipped
	metric  int           // rows with another value than k6Metric are skipped
}

// export is the CSV format of a load generator. The columns latency and beside identify
// it.
type export struct {
	latency, beside string
	unit            time.Duration
	status          string
	metric          string
}

// exports have the names and units of JMeter (CSVSaveService), hey (csvTmpl in
// requester/print.go), oha (--output-format csv) and k6 (output/csv).
var exports = []export{
	{latency: "elapsed", beside: "timeStamp", unit: time.Millisecond, status: "responseCode"},
	{latency: "elapsed", beside: "Latency", unit: time.Millisecond, status: "responseCode"},
	{latency: "response-time", beside: "DNS+dialup", unit: time.Second, status: "status-code"},
	{latency: "request-duration", beside: "DNS+dialup", unit: time.Second, status: "status"},
	{latency: "metric_value", beside: "metric_name", unit: time.Millisecond, status: "status", metric: "metric_name"},
}

// k6Metric is the time of a request in k6, from sending it to the end of the reply.
const k6Metric = "http_req_duration"

// vegetaColumns are the columns of vegeta encode --to=csv, which writes no header: the
// time in nanoseconds since 1970, the status, the latency in nanoseconds, bytes out and
// in.
var vegetaColumns = columns{latency: 2, unit: time.Nanosecond, status: 1, metric: -1}

func isVegeta(row []string) bool {
	if len(row) < 6 || len(row[0]) != 19 {
		return false
	}
	isText := func(s string) bool { _, err := strconv.ParseUint(s, 10, 64); return err != nil }
	return !slices.ContainsFunc(row[:5], isText)
}

// readCSV reads a CSV file. The error begins with the line: "3: …".
func readCSV(text []byte) (measured, error) {
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("<")) {
		return measured{}, errors.New("1: it is XML: set jmeter.save.saveservice.output_format=csv in JMeter")
	}
	r := csv.NewReader(bytes.NewReader(text))
	r.TrimLeadingSpace = true
	var m measured
	at := columns{latency: 0, unit: time.Millisecond, status: -1, metric: -1}
	for first := true; ; first = false {
		row, err := r.Read()
		if err == io.EOF {
			break
		}
		var malformed *csv.ParseError
		if errors.As(err, &malformed) {
			return measured{}, fmt.Errorf("%d: %w", malformed.Line, malformed.Err)
		}
		line, _ := r.FieldPos(0)
		switch {
		case first && isVegeta(row):
			at = vegetaColumns
		case first && (len(row) > 1 || !isNumber(row[0])):
			if at, err = findColumns(row); err != nil {
				return measured{}, fmt.Errorf("%d: %w", line, err)
			}
			continue
		}
		if at.metric >= 0 && row[at.metric] != k6Metric {
			continue
		}
		if at.status >= 0 && unanswered(row[at.status]) {
			m.skipped++
			continue
		}
		d, err := latency(strings.TrimSpace(row[at.latency]), at.unit)
		if err != nil {
			return measured{}, fmt.Errorf("%d: %w", line, err)
		}
		m.times = append(m.times, d)
	}
	if at.metric >= 0 && len(m.times)+m.skipped == 0 {
		return measured{}, errors.New("1: no row of metric_name " + k6Metric)
	}
	return m, nil
}

// unanswered reports whether a load generator's status means that there was no response:
// 0, or in JMeter "Non HTTP response code: java.net.ConnectException".
func unanswered(status string) bool {
	return status == "0" || strings.HasPrefix(status, "Non HTTP response code")
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	return err == nil
}

// findColumns returns the columns of a load generator, or else the single column whose
// name means a latency.
func findColumns(names []string) (columns, error) {
	find := func(name string) int {
		return slices.IndexFunc(names, func(s string) bool {
			return name != "" && strings.EqualFold(strings.TrimSpace(s), name)
		})
	}
	for _, e := range exports {
		if at := (columns{find(e.latency), e.unit, find(e.status), find(e.metric)}); at.latency >= 0 &&
			find(e.beside) >= 0 {
			return at, nil
		}
	}
	at := columns{latency: -1, status: -1, metric: -1}
	for i, name := range names {
		m := latencyColumn.FindStringSubmatch(strings.TrimSpace(name))
		if m == nil {
			continue
		}
		if at.latency >= 0 {
			return columns{}, fmt.Errorf("columns %q and %q are both latencies: use one", names[at.latency], name)
		}
		at.latency, at.unit = i, map[string]time.Duration{"ns": 1, "us": time.Microsecond, "µs": time.Microsecond,
			"": time.Millisecond, "ms": time.Millisecond, "s": time.Second}[strings.ToLower(m[1])]
	}
	if at.latency >= 0 {
		return at, nil
	}
	if i := strings.IndexAny(names[0], ";\t|"); i >= 0 {
		return columns{}, fmt.Errorf("the columns of %s are separated by %q: use commas",
			spelling.Quote(strings.Join(names, ",")), names[0][i:i+1])
	}
	return columns{}, fmt.Errorf("no column of %s is a latency: use one number a line, or a column "+
		"latency, duration, elapsed, time, delay or response_time, with its unit (latency_us)",
		spelling.Quote(strings.Join(names, ",")))
}
