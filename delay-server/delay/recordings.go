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

// IsRecording reports whether ReadRecordings reads a file of that name: it is
// NAME.csv, NAME.jtl or NAME.har, in small or capital letters.
func IsRecording(filename string) bool {
	_, ok := recordingTypes[strings.ToLower(path.Ext(filename))]
	return ok && !strings.HasPrefix(filename, ".")
}

// ReadRecordings reads all NAME.csv, NAME.jtl and NAME.har of a folder, not of
// those within; the endings may be in capital letters. The warnings say which
// other files were passed over, those that begin with a dot excepted, and of
// which files how many entries were skipped because no answer came. The error
// names the file and the line.
//
// A CSV file has one latency a line, or a line of column names of which one is
// latency, duration, elapsed, time, delay or response_time; its unit may stand
// behind it (latency_us, "elapsed (s)") and is milliseconds otherwise. The CSV of
// JMeter, vegeta, hey, oha and k6 is read as each writes it. Of a HAR file it is
// the time of each entry, in milliseconds.
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
			warnings = append(warnings, fmt.Sprintf("%s is passed over: want files NAME.csv, NAME.jtl or NAME.har", e.Name()))
			continue
		}
		name := strings.TrimSuffix(e.Name(), path.Ext(e.Name()))
		if _, err := parseRecorded(name); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", e.Name(), err)
		}
		if other, twice := files[name]; twice {
			return nil, nil, fmt.Errorf("%s: recording %q is there twice: %s has it too", e.Name(), name, other)
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

// measured is what a file has: latencies, and how many entries without one.
type measured struct {
	times   []time.Duration
	skipped int
}

// remark says how many entries were skipped; nothing for none.
func (m measured) remark() string {
	if m.skipped == 0 {
		return ""
	}
	return fmt.Sprintf(": skipped %d of %d entries: no answer came", m.skipped, m.skipped+len(m.times))
}

func readRecording(dir fs.FS, file string) (measured, error) {
	text, err := fs.ReadFile(dir, file)
	if err != nil {
		return measured{}, err
	}
	if bytes.IndexByte(text, 0) >= 0 {
		return measured{}, fmt.Errorf("%s:1: it is no text in UTF-8", file)
	}
	m, err := recordingTypes[strings.ToLower(path.Ext(file))](bytes.TrimPrefix(text, byteOrderMark))
	if err != nil {
		return measured{}, fmt.Errorf("%s:%w", file, err)
	}
	return m, nil
}

// byteOrderMark begins what some programs of Windows write.
var byteOrderMark = []byte("\ufeff")

func latency(text string, unit time.Duration) (time.Duration, error) {
	n, err := strconv.ParseFloat(text, 64)
	switch {
	case errors.Is(err, strconv.ErrRange) || n*float64(unit) > math.MaxInt64/2:
		return 0, fmt.Errorf("%s is too long for a latency: in %s, it is over a century", spelling.Quote(text), unitNames[unit])
	case err != nil || math.IsNaN(n) || n < 0:
		return 0, fmt.Errorf("%s is no latency: want a number, 0 or more", spelling.Quote(text))
	}
	return time.Duration(math.Round(n * float64(unit))), nil
}

var unitNames = map[time.Duration]string{time.Nanosecond: "nanoseconds", time.Microsecond: "microseconds", time.Millisecond: "milliseconds", time.Second: "seconds"}
