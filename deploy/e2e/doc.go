// Package e2e holds tests of what is delivered, seen from outside: the images,
// docker-compose.yml, deploy/offline and the Dockerfile, over real containers,
// and the rules that the source of both programs keeps.
//
// The tests need a Docker engine and its command line, but no image registry:
// deploy/offline/build makes the images. Without an engine they are skipped,
// unless REQUIRE_DOCKER=1, which makes that a failure. Run them with -count=1: Go's
// test cache does not see the files that Docker reads.
package e2e
