package delay

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"
	"time"

	"flash.test/delay-server/kit/spelling"
)

// recordingTypes are the endings of the files that ReadRecordings reads.
var recordingTypes = map[string]func(text []byte) (measured, error){".csv": readCSV, ".jtl": readCSV, ".har": readHAR}

// IsRecording reports whether ReadRecordings reads a file of that name: NAME.csv,
// NAME.jtl or NAME.har, in any case.
func IsRecording(filename string) bool {
	_, ok := recordingTypes[strings.ToLower(path.Ext(filename))]
	return ok && !strings.HasPrefix(filename, ".")
}

// ReadRecordings reads all NAME.csv, NAME.jtl and NAME.har of a folder, without its
// subfolders. The warnings name other files, unless they begin with a dot, and count
// the entries that were skipped since they have no response. The error names the file
// and the line.
//
// A CSV file has one latency a line, or a column latency, duration, elapsed, time, delay
// or response_time. Its unit may follow (latency_us, "elapsed (s)"); the default is
// milliseconds. ReadRecordings knows the CSV of JMeter, vegeta, hey, oha and k6. In a
// HAR file it reads the time of each entry, in milliseconds.
func ReadRecordings(dir fs.FS) (recordings map[string]Recording, warnings []string, err error) {
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		return nil, nil, err
	}
	recordings = map[string]Recording{}
	files := map[string]string{} // by the name of the recording
	for _, e := range entries {
		switch {
		case strings.HasPrefix(e.Name(), "."):
			continue
		case e.IsDir() || !IsRecording(e.Name()):
			warnings = append(warnings, fmt.Sprintf("%s is ignored: use files NAME.csv, NAME.jtl or NAME.har",
				e.Name()))
			continue
		}
		name := strings.TrimSuffix(e.Name(), path.Ext(e.Name()))
		if _, err := parseRecorded(name); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", e.Name(), err)
		}
		if other, twice := files[name]; twice {
			return nil, nil, fmt.Errorf("%s: recording %q is also in %s", e.Name(), name, other)
		}
		files[name] = e.Name()
		m, err := readRecording(dir, e.Name())
		if err != nil {
			return nil, nil, err
		}
		if recordings[name], err = NewRecording(m.times); err != nil {
			return nil, nil, fmt.Errorf("%s: %w%s", e.Name(), err, m.remark())
		}
		if m.skipped > 0 {
			warnings = append(warnings, e.Name()+m.remark())
		}
	}
	return recordings, warnings, nil
}

// measured has the latencies of a file.
type measured struct {
	times   []time.Duration
	skipped int // entries without a response
}

// remark returns the number of skipped entries as text, or "" for none.
func (m measured) remark() string {
	if m.skipped == 0 {
		return ""
	}
	return fmt.Sprintf(": skipped %d of %d entries without a response", m.skipped, m.skipped+len(m.times))
}

func readRecording(dir fs.FS, file string) (measured, error) {
	text, err := fs.ReadFile(dir, file)
	if err != nil {
		return measured{}, err
	}
	if bytes.IndexByte(text, 0) >= 0 {
		return measured{}, fmt.Errorf("%s:1: it is not UTF-8", file)
	}
	m, err := recordingTypes[strings.ToLower(path.Ext(file))](bytes.TrimPrefix(text, byteOrderMark))
	if err != nil {
		return measured{}, fmt.Errorf("%s:%w", file, err)
	}
	return m, nil
}

// byteOrderMark is at the beginning of files from some Windows programs.
var byteOrderMark = []byte("\ufeff")

func latency(text string, unit time.Duration) (time.Duration, error) {
	n, err := strconv.ParseFloat(text, 64)
	switch {
	case errors.Is(err, strconv.ErrRange) || n*float64(unit) > math.MaxInt64/2:
		return 0, fmt.Errorf("%s is too long: it is over a century in %s", spelling.Quote(text),
			unitNames[unit])
	case err != nil || math.IsNaN(n) || n < 0:
		return 0, fmt.Errorf("%s is not a latency: use a number, 0 or more", spelling.Quote(text))
	}
	return time.Duration(math.Round(n * float64(unit))), nil
}

var unitNames = map[time.Duration]string{time.Nanosecond: "nanoseconds", time.Microsecond: "microseconds",
	time.Millisecond: "milliseconds", time.Second: "seconds"}
