package server_test

import (
	"testing"
	"time"

	"flash.test/delay-server/delaytest"
)

// Neither demo-api, its HTTP client nor delay-server makes a call wait for another.
func TestThousandCallsTakeAboutOneDelay(t *testing.T) {
	const wait = 3 * time.Second
	d := start(t, options(), delaytest.NewServer(t).URL, time.Minute)
	d.get(t, "/async_get_data?calls=1000&delay=1s") // opens the connections
	one := d.get(t, "/async_get_data?calls=1&delay=3s")
	thousand := d.get(t, "/async_get_data?calls=1000&delay=3s")
	if one.StatusCode != 200 || thousand.StatusCode != 200 {
		t.Fatalf("got %d and %d %s", one.StatusCode, thousand.StatusCode, thousand.body)
	}
	ratio := float64(thousand.took) / float64(one.took)
	t.Logf("one call %v, a thousand %v, ratio %.3f", one.took, thousand.took, ratio)
	if ratio >= 2 {
		t.Errorf("1000 calls of %v took %v, one %v: ratio %.2f, want about 1, and less than 2",
			wait, thousand.took, one.took, ratio)
	}
	all := durations(t, thousand.Header.Get("Server-Timing"))
	if len(all) != 1001 {
		t.Fatalf("Server-Timing: %d entries, want total and 1000 calls", len(all))
	}
	for i, took := range all {
		if took < wait {
			t.Errorf("Server-Timing, entry %d: %v, want %v or more", i, took, wait)
		}
	}
}
