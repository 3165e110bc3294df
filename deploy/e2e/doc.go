// Package e2e tests the images, docker-compose.yml, deploy/offline and the Dockerfile with
// real containers, the pages in a browser, and rules for the source of both programs.
//
// The tests need a Docker engine and its command line, but no image registry:
// deploy/offline/build builds the images. Without an engine they are skipped, or fail with
// REQUIRE_DOCKER=1. Run them with -count=1: Go's test cache does not see the files that
// Docker reads.
package e2e
