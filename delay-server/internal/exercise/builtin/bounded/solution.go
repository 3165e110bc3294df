//go:build ignore

// Makes a hundred calls, at most ten at once: a channel has ten places.
package main

import (
	"fmt"
	"log"
	"net/http"
	"sync"
	"time"
)

const (
	server = "http://localhost:3000"
	name   = "your-name"
)

// run is a new one for each try.
var run = fmt.Sprintf("%s.bounded.%d", name, time.Now().UnixMilli())

func call(number int) {
	url := server + "/delay/200"
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
	fmt.Println("call", number, "got", response.StatusCode)
}

func main() {
	var calls sync.WaitGroup
	places := make(chan struct{}, 10)
	for number := range 100 {
		calls.Add(1)
		places <- struct{}{} // waits while ten are taken
		go func() {
			defer calls.Done()
			call(number)
			<-places
		}()
	}
	calls.Wait()
}
