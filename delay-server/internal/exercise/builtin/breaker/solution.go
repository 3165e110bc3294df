//go:build ignore

// Calls ten times a second, but not for a second after three failures in a row.
package main

import (
	"fmt"
	"log"
	"net/http"
	"time"
)

const (
	server = "http://localhost:3000"
	name   = "your-name"
)

// run is a new one for each try.
var run = fmt.Sprintf("%s.breaker.%d", name, time.Now().UnixMilli())

func call() int {
	url := server + "/delay/20?attempts=503,503,503,503,200"
	request, err := http.NewRequest("GET", url, nil)
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("X-Run-Id", run)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}

func main() {
	failures := 0 // in a row
	var openUntil time.Time
	for range 30 {
		if time.Now().Before(openUntil) {
			fmt.Println("not called: the breaker is open")
		} else if status := call(); status < 500 {
			fmt.Println("got", status)
			failures = 0
		} else if failures++; failures >= 3 {
			fmt.Println("got", status)
			openUntil = time.Now().Add(time.Second)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
