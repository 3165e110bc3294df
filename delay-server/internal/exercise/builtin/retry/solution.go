//go:build ignore

// Waits before each retry, twice as long each time, with jitter.
package main

import (
	"fmt"
	"log"
	"math/rand"
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
	wait := 200 * time.Millisecond
	for attempt := range 5 {
		status := call()
		fmt.Println("attempt", attempt, "got", status)
		if status < 500 {
			break
		}
		time.Sleep(time.Duration(float64(wait) * (0.5 + rand.Float64())))
		wait *= 2
	}
}
