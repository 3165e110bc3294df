//go:build ignore

// Waits for the answer, however long it takes.
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
var run = fmt.Sprintf("%s.timeout.%d", name, time.Now().UnixMilli())

func main() {
	request, err := http.NewRequest("GET", server+"/delay/5000", nil)
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("X-Run-Id", run)
	client := &http.Client{} // Change this: give up after two seconds.
	response, err := client.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	fmt.Println("got", response.StatusCode)
}
