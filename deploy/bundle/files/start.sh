#!/bin/sh
# start.sh [URL] [--docker | --room] [ARGUMENT...]: starts demo-api, which brings its own
# delay-server, from this folder. ARGUMENTS are for the program: sh start.sh --help
# shows its settings.
#
#   URL        of a bundle, such as http://192.168.1.5:3000/get: what is needed is
#              downloaded from there to the folder flash
#   --docker   start both programs as containers
#   --room     start delay-server for everybody in the room, who find this bundle at /get;
#              it needs the whole bundle, so no URL. HOST is set to 0.0.0.0, because some
#              shells set it to something else
#
# All files are compared with SHA256SUMS before they are used.
set -eu

fail() {
	echo "start.sh: $*" >&2
	exit 1
}

url='' mode=program
case ${1-} in
http://* | https://*) url=${1%/} && shift ;;
esac
case ${1-} in
--docker | --room) mode=${1#--} && shift ;;
esac

if [ -n "$url" ]; then
	[ "$mode" != room ] ||
		fail "--room needs the whole bundle: open $url in a browser, and download the archive"
	mkdir -p flash && cd flash
else
	cd "$(dirname "$0")"
fi

# download FILE: downloads a file of the bundle.
download() {
	mkdir -p "$(dirname "$1")"
	echo "downloading $url/$1" >&2
	if command -v curl >/dev/null; then
		curl -fsS --noproxy '*' -o "$1.part" "$url/$1" || fail "download of $url/$1 failed: is the server still there?"
	elif command -v wget >/dev/null; then
		wget -q --no-proxy -O "$1.part" "$url/$1" || fail "download of $url/$1 failed: is the server still there?"
	else
		fail "neither curl nor wget is installed: open $url in a browser, and download $1"
	fi
	mv "$1.part" "$1"
}

if command -v sha256sum >/dev/null; then
	sha256() { sha256sum "$1" | cut -c 1-64; }
elif command -v shasum >/dev/null; then
	sha256() { shasum -a 256 "$1" | cut -c 1-64; }
elif command -v openssl >/dev/null; then
	sha256() { openssl dgst -sha256 -r "$1" | cut -c 1-64; }
else
	fail "no program for checksums: install sha256sum, shasum or openssl"
fi

# need FILE: ends the script unless FILE is as SHA256SUMS says. With a URL, it is
# downloaded if it is not.
need() {
	want=$(sed -n "s|^\([0-9a-f]\{64\}\)  $1\$|\1|p" SHA256SUMS)
	[ -n "$want" ] || fail "SHA256SUMS has no $1: this bundle is not complete, or was made without it; copy it again"
	if [ -n "$url" ] && { [ ! -f "$1" ] || [ "$(sha256 "$1")" != "$want" ]; }; then
		download "$1"
	fi
	[ -f "$1" ] || fail "$1 is missing: only a part of the bundle was copied; copy it again"
	[ "$(sha256 "$1")" = "$want" ] || fail "$1 is damaged, its checksum is not in SHA256SUMS: copy the bundle again"
}

[ -z "$url" ] || download SHA256SUMS
[ -f SHA256SUMS ] || fail "SHA256SUMS is missing: start.sh needs the bundle's other files beside it, or the URL of one"

start_docker() {
	command -v docker >/dev/null || fail "docker is not installed: leave out --docker, which needs nothing"
	arch=$(docker version --format '{{.Server.Arch}}') ||
		fail "the Docker engine does not answer: start it and try again"
	case $arch in
	amd64 | arm64) ;;
	*) fail "no image for the engine's processor, $arch: there are amd64 and arm64" ;;
	esac
	if docker compose version >/dev/null 2>&1; then
		compose='docker compose'
	elif command -v docker-compose >/dev/null; then
		compose=docker-compose
	else
		fail "Docker Compose is not installed: install it, or leave out --docker"
	fi
	need docker-compose.yml
	need images.tar
	docker load --quiet --input images.tar >/dev/null || fail "docker load of images.tar failed"
	docker tag "flash-delay-server:$arch" "${DELAY_SERVER_IMAGE:-flash-delay-server}" ||
		fail "images.tar has no images for $arch"
	docker tag "flash-demo-api:$arch" "${DEMO_API_IMAGE:-flash-demo-api}" || fail "images.tar has no images for $arch"
	for image in flash-delay-server flash-demo-api; do # the archive's names, and images that cannot run here
		docker rmi "$image:amd64" >/dev/null 2>&1 || :
		docker rmi "$image:arm64" >/dev/null 2>&1 || :
	done
	$compose up --detach --no-build "$@" ||
		fail "$compose up failed; if a port is taken: DEMO_API_PORT=5001 DELAY_SERVER_PORT=3001 sh start.sh --docker"
	tries=0
	until $compose exec -T demo-api /demo-api healthcheck >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ "$tries" -lt 30 ] || fail "demo-api does not answer: see $compose logs demo-api"
		sleep 1
	done
	echo "demo-api is at http://localhost:${DEMO_API_PORT:-5000}/, delay-server at" \
		"http://localhost:${DELAY_SERVER_PORT:-3000}/; this ends them: $compose down"
	exit
}

[ "$mode" != docker ] || start_docker "$@"

suffix=''
case $(uname -s) in
Linux) os=linux ;;
Darwin) os=darwin ;;
MINGW* | MSYS* | CYGWIN*) os=windows suffix=.exe ;;
*) fail "no binary for $(uname -s): there are Linux, macOS and Windows" ;;
esac
case $(uname -m) in
x86_64 | amd64) arch=amd64 ;;
aarch64 | arm64) arch=arm64 ;;
*) fail "no binary for the processor $(uname -m): there are amd64 (x86_64) and arm64 (aarch64)" ;;
esac

program=demo-api
if [ "$mode" = room ]; then
	program=delay-server
	HOST=0.0.0.0 BUNDLE_DIR=$PWD # and as in deploy/compose/room.yml:
	BOARD=${BOARD:-true} MAX_IN_FLIGHT_PER_CLIENT=${MAX_IN_FLIGHT_PER_CLIENT:-1000} JOURNAL_SIZE=${JOURNAL_SIZE:-100000}
	export HOST BUNDLE_DIR BOARD MAX_IN_FLIGHT_PER_CLIENT JOURNAL_SIZE
fi
file=bin/$program-$os-$arch$suffix
need "$file"

# A USB stick may have no permissions to execute; macOS may have put the file in quarantine.
chmod +x "$file" 2>/dev/null || :
[ "$os" != darwin ] || xattr -d com.apple.quarantine "$file" 2>/dev/null || :
if ! "./$file" --version >/dev/null 2>&1; then
	folder=${TMPDIR:-/tmp}/flash-$(id -u)
	mkdir -m 700 "$folder" 2>/dev/null || :
	{ [ -O "$folder" ] && [ ! -L "$folder" ]; } || fail "$folder is not yours: set TMPDIR to another folder"
	copy=$folder/$program$suffix
	if [ ! -f "$copy" ] || [ "$(sha256 "$copy")" != "$want" ]; then
		cp "$file" "$copy.part" && mv "$copy.part" "$copy" # never into a program that runs
	fi
	chmod +x "$copy"
	"$copy" --version >/dev/null || fail "$file does not start here: INSTRUCTIONS.html says what may prevent it"
	exec "$copy" "$@"
fi
exec "./$file" "$@"
