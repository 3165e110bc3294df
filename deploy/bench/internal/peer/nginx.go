//go:build linux

package peer

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// nginxConf makes nginx wait for the milliseconds in the path and answer like delay-server.
// return sends the body, since the echo module sends no Content-Length. A wait of 0 has no
// timer, as in delay-server. HTTP/2 without TLS needs a second port.
const nginxConf = `load_module %[1]s;
daemon off;
pcre_jit on;
worker_processes auto;
worker_rlimit_nofile %[2]d;
pid nginx.pid;
events { worker_connections %[2]d; multi_accept on; }
http {
	access_log off;
	keepalive_timeout 1h;
	keepalive_requests 1000000000;
	http2_max_concurrent_streams 1000;
	default_type application/json;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	map $uri $seconds {
		"~^/delay/(?<ones>\d)$" 0.00$ones;
		"~^/delay/(?<tens>\d\d)$" 0.0$tens;
		"~^/delay/(?<whole>\d*)(?<rest>\d\d\d)$" 0$whole.$rest;
	}
	server {
		listen 127.0.0.1:%[3]d backlog=4096;
		listen 127.0.0.1:%[4]d backlog=4096 http2;
		location = /delay/0 { return 200 '{"status":200,"message":"Mock response from Flash","delay":"0 ms"}'; }
		location ~ "^/delay/(?<ms>\d+)$" { echo_sleep $seconds; echo_exec @answer; }
		location @answer { return 200 '{"status":200,"message":"Mock response from Flash","delay":"$ms ms"}'; }
	}
}
`

// echoModules are the paths where distributions install nginx's echo module.
var echoModules = []string{"/usr/lib/nginx/modules/ngx_http_echo_module.so",
	"/usr/lib64/nginx/modules/ngx_http_echo_module.so"}

func nginx() Server {
	server := Server{Name: Nginx, About: "nginx with its echo module", Path: milliseconds, HTTP2: true}
	binary, err := exec.LookPath("nginx")
	if err != nil {
		binary, err = exec.LookPath("/usr/sbin/nginx")
	}
	module := ""
	for _, path := range echoModules {
		if _, err := os.Stat(path); err == nil {
			module = path
		}
	}
	if err != nil || module == "" {
		server.Missing = "nginx and its echo module are not both installed (on Debian: nginx-light, " +
			"libnginx-mod-http-echo)"
		return server
	}
	version, _ := exec.Command(binary, "-v").CombinedOutput() // "" if it fails
	if _, number, ok := strings.Cut(string(bytes.TrimSpace(version)), "nginx/"); ok {
		server.About = "nginx " + number + " with its echo module"
	}
	server.command = func(dir string, p ports) (*exec.Cmd, error) {
		var files syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
			return nil, os.NewSyscallError("getrlimit", err)
		}
		conf := filepath.Join(dir, "nginx.conf")
		// nginx allocates its table of connections at the start, at this size.
		text := fmt.Sprintf(nginxConf, module, min(files.Max, 1<<16), p.http1, p.http2)
		if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
			return nil, err
		}
		return exec.Command(binary, "-p", dir, "-c", conf, "-e", "stderr"), nil
	}
	return server
}
