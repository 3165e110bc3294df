//go:build ignore

// Retries a failed call at once.
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
var run = fmt.Sprintf("%s.retry.%d", name, time.Now().UnixMilli())

func call() int {
	url := server + "/delay/20?attempts=503,503,503,200"
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
	for attempt := range 5 {
		status := call()
		fmt.Println("attempt", attempt, "got", status)
		if status < 500 {
			break
		}
		// Change this: wait about 200 ms, then twice as long each time, and
		// multiply each wait by a random number from 0.5 to 1.5.
	}
}
