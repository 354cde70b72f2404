// What a good engineer writes in an afternoon with Go's own net/http: the same conversations as
// moot's, an oracle's call and then a judge's, so many at once. No limiter, journal, retries, spans
// or resume.
//
//	conversations [-stream] [-ca FILE] URL AT_ONCE COUNT
//
// Prints {"conversations":N,"events":N}; any failure ends it with 1.
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	question = "Compose an engaging travel blog post about a recent trip to Hawaii, highlighting " +
		"cultural experiences and must-see attractions."
	oracle = "You are a knowledgeable source of information that excels."
	judge  = "You are an evaluator of answers provided by others."
	again  = "Can you make the answer better?"
)

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

type request struct {
	Messages    []message `json:"messages"`
	Temperature float64   `json:"temperature"`
	MaxTokens   int       `json:"max_tokens"`
	Stream      bool      `json:"stream,omitempty"`
}

type choice struct {
	Message      message `json:"message"`
	Delta        message `json:"delta"`
	FinishReason *string `json:"finish_reason"`
}

type reply struct {
	Choices []choice `json:"choices"`
	Usage   *struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
	} `json:"usage"`
}

type client struct {
	http   *http.Client
	url    string
	stream bool
	events atomic.Int64
}

func (c *client) whole(body io.Reader) (string, error) {
	var came reply
	if err := json.NewDecoder(body).Decode(&came); err != nil {
		return "", err
	}
	io.Copy(io.Discard, body)
	if len(came.Choices) == 0 || came.Usage == nil {
		return "", errors.New("no choice or no usage")
	}
	return came.Choices[0].Message.Content, nil
}

func (c *client) streamed(body io.Reader) (string, error) {
	var text strings.Builder
	lines := bufio.NewScanner(body)
	ended := false
	for lines.Scan() {
		data, is := bytes.CutPrefix(lines.Bytes(), []byte("data:"))
		if !is {
			continue
		}
		data = bytes.TrimSpace(data)
		if bytes.Equal(data, []byte("[DONE]")) {
			ended = true
			continue
		}
		var came reply
		if err := json.Unmarshal(data, &came); err != nil {
			return "", err
		}
		c.events.Add(1)
		if len(came.Choices) > 0 {
			text.WriteString(came.Choices[0].Delta.Content)
		}
	}
	if err := lines.Err(); err != nil {
		return "", err
	}
	if !ended {
		return "", errors.New("the stream was cut")
	}
	return text.String(), nil
}

func (c *client) call(endpoint string, asked request) (string, error) {
	asked.Stream = c.stream
	body, err := json.Marshal(asked)
	if err != nil {
		return "", err
	}
	sent, err := http.NewRequest("POST", c.url+"/serving-endpoints/"+endpoint+"/invocations",
		bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	sent.Header.Set("Content-Type", "application/json")
	sent.Header.Set("Authorization", "Bearer a-key-of-no-value")
	got, err := c.http.Do(sent)
	if err != nil {
		return "", err
	}
	defer got.Body.Close()
	if got.StatusCode != http.StatusOK {
		return "", fmt.Errorf("status %d", got.StatusCode)
	}
	if c.stream {
		return c.streamed(got.Body)
	}
	return c.whole(got.Body)
}

func (c *client) converse() error {
	asked := message{"user", question}
	answer, err := c.call("oracle",
		request{Messages: []message{{"system", oracle}, asked}, Temperature: 0.9, MaxTokens: 5000})
	if err != nil {
		return err
	}
	_, err = c.call("judge", request{
		Messages:    []message{{"system", judge}, asked, {"assistant", answer}, {"user", again}},
		Temperature: 0.5, MaxTokens: 2000})
	return err
}

func trusting(file string) (*tls.Config, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New(file + ": no certificate")
	}
	return &tls.Config{RootCAs: roots}, nil
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func main() {
	stream := flag.Bool("stream", false, "ask for streams")
	ca := flag.String("ca", "", "trust this file's certificates")
	flag.Parse()
	atOnce, err := strconv.Atoi(flag.Arg(1))
	if err != nil {
		fail(err)
	}
	count, err := strconv.Atoi(flag.Arg(2))
	if err != nil {
		fail(err)
	}
	config, err := trusting(*ca)
	if err != nil {
		fail(err)
	}
	c := &client{url: flag.Arg(0), stream: *stream, http: &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: atOnce, MaxIdleConns: atOnce, TLSClientConfig: config,
		DisableCompression: true}}}
	var begun atomic.Int64
	var group sync.WaitGroup
	for i := 0; i < atOnce; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for begun.Add(1) <= int64(count) {
				if err := c.converse(); err != nil {
					fail(err)
				}
			}
		}()
	}
	group.Wait()
	fmt.Printf("{\"conversations\":%d,\"events\":%d}\n", count, c.events.Load())
}
