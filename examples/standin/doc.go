// Command standin is an app that has the names of Cloudflare's service written into it, as most do. It publishes one audio track, and pulls
// it once directly and once through every TURN URL of the documentation, all of it unchanged against callsemu:
//
//	docker compose -f docker-compose.yml -f examples/standin/docker-compose.yml run --rm standin
//
// There it trusts the emulator's CA and nothing else. Its last line is what came over each way, and its status 0 if everything did.
package main
