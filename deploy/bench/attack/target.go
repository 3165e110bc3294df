//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"flash.test/deploy/bench/internal/peer"
)

// target is a server to attack.
type target string

const (
	delayServer target = "delay-server"
	netHTTP     target = peer.NetHTTP
	demoAPI     target = "demo-api"
	nginx       target = peer.Nginx
)

// wait is the delay of the well-behaved clients' requests.
const wait = 10 * time.Millisecond

const shutdownTimeout = 2 * time.Second

// path returns the path that the well-behaved clients ask for.
func (t target) path(wait time.Duration) string {
	if t == demoAPI {
		return fmt.Sprintf("/get_data?calls=1&delay=%d", wait.Milliseconds())
	}
	return fmt.Sprintf("/delay/%d", wait.Milliseconds())
}

// server returns the target with an attack's settings. It writes its log to log, or to
// stderr if that is nil.
func (t target) server(o options, a attack, log *os.File) peer.Server {
	return peer.New(string(t), t.path, func(dir string, http1, http2 int) (*exec.Cmd, error) {
		if t == nginx {
			return nginxCommand(dir, http1, http2, o.scale)
		}
		binary, eventLoop := o.binaries["delay-server"], t != netHTTP
		if t == demoAPI {
			binary = o.binaries["demo-api"]
		}
		cmd := exec.Command(binary)
		cmd.Env = append([]string{
			"HOST=127.0.0.1", fmt.Sprintf("PORT=%d", http1),
			"SHUTDOWN_TIMEOUT=" + shutdownTimeout.String(), "LOG_LEVEL=warn",
			"READ_TIMEOUT=" + o.scale.timeout.String(), "WRITE_TIMEOUT=" + o.scale.timeout.String(),
			"IDLE_TIMEOUT=" + (o.scale.timeout * 3 / 2).String(),
		}, a.env...)
		if t != demoAPI {
			cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%t", peer.EventLoopSetting, eventLoop))
		}
		if log != nil {
			cmd.Stdout, cmd.Stderr = log, log
		}
		return cmd, nil
	})
}

// nginxConf makes nginx answer the attacked paths with as many bytes, with the same
// timeouts as the other targets.
const nginxConf = `load_module /usr/lib/nginx/modules/ngx_http_echo_module.so;
daemon off;
worker_processes auto;
worker_rlimit_nofile 16000;
pid nginx.pid;
events { worker_connections 12000; }
http {
	access_log off;
	client_header_timeout %[3]dms;
	client_body_timeout %[3]dms;
	send_timeout %[3]dms;
	keepalive_timeout %[4]dms;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	default_type text/plain;
	server {
		listen 127.0.0.1:%[1]d backlog=4096;
		listen 127.0.0.1:%[2]d backlog=4096 http2;
		root %[5]s;
		location = /delay/0 { return 200 '{"status":200,"message":"Mock response from Flash","delay":"0 ms"}'; }
		location = /delay/10 { echo_sleep 0.010; echo_exec @answer; }
		location /delay/ { echo_sleep 600; echo_exec @answer; }
		location @answer { return 200 '{"status":200,"message":"Mock response from Flash","delay":"10 ms"}'; }
		location = /readyz { return 200 'ready\n'; }
		location = /doc { try_files /doc.html =404; }
		location = /bytes/10000000 { try_files /bytes.bin =404; }
	}
}
`

func nginxCommand(dir string, http1, http2 int, s scale) (*exec.Cmd, error) {
	files := map[string]string{
		"nginx.conf": fmt.Sprintf(nginxConf, http1, http2, s.timeout.Milliseconds(), s.timeout.Milliseconds()*3/2, dir),
		"doc.html":   strings.Repeat("a page of text\n", 39_000/15),
		"bytes.bin":  strings.Repeat("\x00", 10_000_000),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil { // its workers run as another user
		return nil, err
	}
	binary, err := exec.LookPath("nginx")
	if err != nil {
		if binary, err = exec.LookPath("/usr/sbin/nginx"); err != nil {
			return nil, fmt.Errorf("nginx is not installed (on Debian: nginx-light, libnginx-mod-http-echo): %w", err)
		}
	}
	return exec.Command(binary, "-p", dir, "-c", filepath.Join(dir, "nginx.conf"), "-e", "stderr"), nil
}
