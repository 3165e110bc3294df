package delay

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// ReadRecordings reads all NAME.csv and NAME.har of a folder, not of those
// within. The error names the file and the line.
//
// A CSV file has one latency a line, or a line of column names of which one is
// latency, duration, elapsed, time, delay or response_time; its unit may stand
// behind it (latency_us, "elapsed (s)") and is milliseconds otherwise. Of a HAR
// file it is the time of each entry, in milliseconds.
func ReadRecordings(dir fs.FS) (map[string]Recording, error) {
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		return nil, err
	}
	recordings := map[string]Recording{}
	for _, e := range entries {
		ext := path.Ext(e.Name())
		read := map[string]func([]byte) ([]time.Duration, error){".csv": readCSV, ".har": readHAR}[ext]
		if e.IsDir() || read == nil {
			continue
		}
		name := strings.TrimSuffix(e.Name(), ext)
		if _, err := parseRecorded(name); err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name(), err)
		}
		if _, twice := recordings[name]; twice {
			return nil, fmt.Errorf("%s: recording %q is there twice, as CSV and as HAR", e.Name(), name)
		}
		text, err := fs.ReadFile(dir, e.Name())
		if err != nil {
			return nil, err
		}
		times, err := read(text)
		if err != nil {
			return nil, fmt.Errorf("%s:%w", e.Name(), err)
		}
		if recordings[name], err = NewRecording(times); err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name(), err)
		}
	}
	return recordings, nil
}

// byteOrderMark begins what some programs of Windows write.
var byteOrderMark = []byte("\ufeff")

var latencyColumn = regexp.MustCompile(`(?i)^(?:latency|duration|elapsed|time|delay|response_time)[ _]*\(?(ns|us|µs|ms|s)?\)?$`)

// readCSV reads a CSV file. The error begins with the line: "3: …".
func readCSV(text []byte) ([]time.Duration, error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(text, byteOrderMark)))
	r.TrimLeadingSpace = true
	var times []time.Duration
	column, unit := 0, time.Millisecond
	for first := true; ; first = false {
		fields, err := r.Read()
		if err == io.EOF {
			return times, nil
		}
		var malformed *csv.ParseError
		if errors.As(err, &malformed) {
			return nil, fmt.Errorf("%d: %w", malformed.Line, malformed.Err)
		}
		line, _ := r.FieldPos(0)
		if first && !isNumber(fields[0]) || first && len(fields) > 1 {
			if column, unit, err = findColumn(fields); err != nil {
				return nil, fmt.Errorf("%d: %w", line, err)
			}
			continue
		}
		d, err := latency(strings.TrimSpace(fields[column]), unit)
		if err != nil {
			return nil, fmt.Errorf("%d: %w", line, err)
		}
		times = append(times, d)
	}
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	return err == nil
}

// findColumn returns the one column whose name says that it is a latency.
func findColumn(names []string) (column int, unit time.Duration, err error) {
	column = -1
	for i, name := range names {
		m := latencyColumn.FindStringSubmatch(strings.TrimSpace(name))
		if m == nil {
			continue
		}
		if column >= 0 {
			return 0, 0, fmt.Errorf("columns %q and %q are both latencies: want one", names[column], name)
		}
		column = i
		unit = map[string]time.Duration{"ns": 1, "us": time.Microsecond, "µs": time.Microsecond, "": time.Millisecond, "ms": time.Millisecond, "s": time.Second}[strings.ToLower(m[1])]
	}
	if column < 0 {
		return 0, 0, fmt.Errorf("no column of %q is a latency: want one called latency, duration, elapsed, time, delay or response_time, with its unit behind it (latency_us)", names)
	}
	return column, unit, nil
}

func latency(text string, unit time.Duration) (time.Duration, error) {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(n) || n < 0 || n*float64(unit) > math.MaxInt64/2 {
		return 0, fmt.Errorf("%s is no latency: want a number, 0 or more", quote(text))
	}
	return time.Duration(math.Round(n * float64(unit))), nil
}

// readHAR reads log.entries[].time of an HTTP archive, in milliseconds. The
// error begins with the line: "3: …".
func readHAR(text []byte) ([]time.Duration, error) {
	text = bytes.TrimPrefix(text, byteOrderMark)
	d := json.NewDecoder(bytes.NewReader(text))
	at := func(err error) error {
		offset := min(d.InputOffset(), int64(len(text)))
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			offset = min(syntax.Offset, int64(len(text)))
		}
		return fmt.Errorf("%d: %w", 1+bytes.Count(text[:offset], []byte("\n")), err)
	}
	if err := json.Unmarshal(text, new(json.RawMessage)); err != nil {
		return nil, at(err) // what stands behind the entries counts too
	}
	for _, name := range []string{"log", "entries"} {
		if err := enter(d, name); err != nil {
			return nil, at(err)
		}
	}
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return nil, at(errors.New("log.entries is no list"))
	}
	var times []time.Duration
	for d.More() {
		var entry struct {
			Time *float64 `json:"time"`
		}
		if err := d.Decode(&entry); err != nil {
			return nil, at(err)
		}
		if entry.Time == nil {
			return nil, at(fmt.Errorf("entry %d has no time", len(times)+1))
		}
		wait, err := latency(strconv.FormatFloat(*entry.Time, 'g', -1, 64), time.Millisecond)
		if err != nil {
			return nil, at(err)
		}
		times = append(times, wait)
	}
	if _, err := d.Token(); err != nil {
		return nil, at(err)
	}
	return times, nil
}

// enter reads on to the value of the object's member name.
func enter(d *json.Decoder, name string) error {
	if t, err := d.Token(); err != nil {
		return err
	} else if t != json.Delim('{') {
		return fmt.Errorf("want an object that has %q", name)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		if key == name {
			return nil
		}
		var skipped json.RawMessage
		if err := d.Decode(&skipped); err != nil {
			return err
		}
	}
	return fmt.Errorf("there is no %q", name)
}
