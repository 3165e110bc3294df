// The tutorial's app: the same slow calls, one after another and all at once.
//
//	go run main.go    serves /get_data and /async_get_data at http://localhost:5001
//
// It needs Go 1.25 or later, and no module. DELAY_SERVER_URL sets the slow service, HOST
// and PORT the address.
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

var slow = strings.TrimSuffix(cmp.Or(os.Getenv("DELAY_SERVER_URL"), "http://localhost:3000"), "/")

// Step 1: two endpoints, which differ in how they make their calls. Without calls, they answer ok.
func main() {
	http.HandleFunc("GET /get_data", endpoint(sequential))
	http.HandleFunc("GET /async_get_data", endpoint(concurrent))
	listener, err := net.Listen("tcp", net.JoinHostPort(
		cmp.Or(os.Getenv("HOST"), "localhost"), cmp.Or(os.Getenv("PORT"), "5001")))
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("listening at http://localhost:%d", listener.Addr().(*net.TCPAddr).Port)
	log.Fatal(http.Serve(listener, nil))
}

// Step 2, one after another: each call returns before the next. The waits add up.
func sequential(ctx context.Context, calls []call) ([]int, error) {
	statuses := make([]int, len(calls))
	for i, call := range calls {
		status, err := call(ctx)
		if err != nil {
			return nil, err
		}
		statuses[i] = status
	}
	return statuses, nil
}

// Step 2, all at once: each call runs in a goroutine, and Wait waits for all. The waits overlap.
func concurrent(ctx context.Context, calls []call) ([]int, error) {
	ctx, cancel := context.WithCancelCause(ctx) // the first error ends the other calls
	defer cancel(nil)
	statuses := make([]int, len(calls))
	var all sync.WaitGroup
	for i, call := range calls {
		all.Go(func() {
			status, err := call(ctx)
			if err != nil {
				cancel(err)
			}
			statuses[i] = status
		})
	}
	all.Wait()
	return statuses, context.Cause(ctx)
}

// Step 3: any number of calls, r1, r2 and so on.
func readCalls(query url.Values, run string) ([]call, error) {
	for name := range query {
		if name != "calls" && name != "delay" && name != "db" {
			return nil, rejected{http.StatusBadRequest, "unknown parameter " + name + ": use calls and delay"}
		}
	}
	if query.Has("db") {
		return nil, errDatabase
	}
	count, err := number(query, "calls", 2, 1000)
	if err != nil {
		return nil, err
	}
	wait, err := number(query, "delay", 1000, 60_000)
	if err != nil {
		return nil, err
	}
	calls := make([]call, count)
	for i := range calls {
		calls[i] = func(ctx context.Context) (int, error) { return get(ctx, wait, run) }
	}
	return calls, nil
}

// Step 4: a query needs a driver, which is a module. demo-api has one, and is in Go too.
var errDatabase = rejected{http.StatusNotImplemented, "db needs a database driver, and this app uses no module: " +
	"try the Python app or demo-api"}

type call func(context.Context) (status int, err error)

func get(ctx context.Context, wait int, run string) (int, error) {
	request, err := http.NewRequestWithContext(ctx, "GET", fmt.Sprintf("%s/delay/%d", slow, wait), nil)
	if err != nil {
		return 0, err
	}
	request.Header.Set("X-Run-Id", run)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}

func endpoint(way func(context.Context, []call) ([]int, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		run := cmp.Or(r.Header.Get("X-Run-Id"), "generated."+rand.Text()) // delay-server shows it as a waterfall
		w.Header().Set("X-Run-Id", run)
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		calls, err := readCalls(query, run)
		if err == nil {
			var statuses []int
			if statuses, err = way(r.Context(), calls); err == nil {
				answer(w, statuses)
				return
			}
		}
		if e, ok := err.(rejected); ok {
			http.Error(w, e.sentence, e.status)
			return
		}
		http.Error(w, "a call to "+slow+" failed: "+err.Error(), http.StatusBadGateway)
	}
}

func answer(w http.ResponseWriter, statuses []int) {
	if len(statuses) == 0 {
		fmt.Fprintln(w, "ok")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	body := "{"
	for i, status := range statuses {
		body += fmt.Sprintf(`"r%d":%d,`, i+1, status)
	}
	fmt.Fprintln(w, body[:len(body)-1]+"}")
}

type rejected struct {
	status   int
	sentence string
}

func (r rejected) Error() string { return r.sentence }

func number(query url.Values, name string, initial, limit int) (int, error) {
	values := query[name]
	if len(values) == 0 {
		return initial, nil
	}
	n, err := strconv.Atoi(values[0])
	if len(values) > 1 || err != nil || !regexp.MustCompile(`^[0-9]{1,5}$`).MatchString(values[0]) || n > limit {
		return 0, rejected{http.StatusBadRequest,
			fmt.Sprintf("%s is invalid: use one whole number from 0 to %d", name, limit)}
	}
	return n, nil
}
