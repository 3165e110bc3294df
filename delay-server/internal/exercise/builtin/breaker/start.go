//go:build ignore

// Calls ten times a second, also while the service is down.
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
	// Change this: after three failures in a row, call nothing for a second,
	// then let one call through.
	for range 30 {
		fmt.Println("got", call())
		time.Sleep(100 * time.Millisecond)
	}
}
