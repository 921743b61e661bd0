# What people and CI call. Recipes live in tools/; what they install goes into .tools/ and node_modules/, never elsewhere,
# but for Debian's packages.

PORT ?= 8787
STATE ?= .wrangler/state

# npm brings the Node that wrangler needs; cargo's tools are the project's own.
export PATH := $(CURDIR)/node_modules/node/bin:$(CURDIR)/node_modules/.bin:$(CURDIR)/.tools/bin:$(PATH)
# Nothing is told to anybody, and nothing is looked up.
export WRANGLER_SEND_METRICS := false
export WRANGLER_SEND_ERROR_REPORTS := false
export WRANGLER_HIDE_BANNER := true
export CLOUDFLARE_CF_FETCH_ENABLED := false

WORKER_CRATES := crates/hls-lexer crates/hmac-lanes
WORKER_SOURCES := entry.mjs tools/worker.sh Cargo.toml Cargo.lock .cargo/config.toml $(addsuffix /Cargo.toml,$(WORKER_CRATES)) $(shell find src $(WORKER_CRATES) -name '*.rs' -o -name '*.js')
WEB_SOURCES := $(shell find web -path web/dist -prune -o -type f -print)

# What `make` alone prints.
define HELP
make demo         package, publish and play a lecture: INPUT=lecture.mov, PORT=8787
make serve        a local edge: PORT=8787, STATE=.wrangler/state
make course-app   the example school beside a local edge: APP_PORT=3000, PORT=8787
make build        the Worker, the pages and the command target/debug/lectern
make dist         archives of lectern for Linux, with completions and manual pages
make deploy-check report what a deploy lacks; make deploy deploys: ENV=staging, ANY_ORIGIN=yes
make test         every check and test
make fmt          format the code
make clean        remove what was built

CONTRIBUTING.md describes bench, soak, fuzz and audit.
endef
export HELP

.DEFAULT_GOAL := help
.PHONY: help dist demo course-app test build worker cli cli-release web serve bench bench-package bench-stream bench-bus soak deploy deploy-check fuzz fmt audit clean

help:
	@printf '%s\n' "$$HELP"

demo: build
	@tools/demo.sh

course-app: build .tools/course.ok
	@tools/course-app.sh

test: build .tools/browser.ok .tools/interop.ok .tools/sdk.ok .tools/course.ok .tools/deny.ok
	@tools/test.sh

build: worker cli web

worker: build/index.js
build/index.js: $(WORKER_SOURCES) .tools/build.ok node_modules/.ok
	@echo '==> building the Worker'
	@LECTERN_BUILD=$$(git describe --always --dirty 2>/dev/null || echo unknown) tools/worker.sh
	@touch $@

# Shares its build with the tests. ffmpeg does the heavy work, so an optimised build gains little.
cli: .tools/media.ok
	@echo '==> building the CLI'
	@cargo build $$([ -t 2 ] || echo --quiet) --locked -p lectern-packager

# As it is installed and distributed, for benchmarks.
cli-release: .tools/media.ok
	@echo '==> building the optimised CLI'
	@cargo build $$([ -t 2 ] || echo --quiet) --release --locked -p lectern-packager

# Static binaries for Linux; on macOS, one for this machine. TARGETS names others.
dist: cli .tools/dist.ok
	@tools/dist.sh $(TARGETS)

web: web/dist/.ok
web/dist/.ok: $(WEB_SOURCES) node_modules/.ok
	@echo '==> building the pages'
	@node web/build.mjs
	@touch $@

# A school's own settings, which git ignores; without them, the template.
CONFIG := $(firstword $(wildcard wrangler.local.toml) wrangler.toml)

serve: build
	@PORT='$(PORT)' STATE='$(STATE)' CONFIG='$(CONFIG)' tools/serve.sh

# Another environment of CONFIG than its first: ENV=staging. ANY_ORIGIN=yes confirms ALLOWED_ORIGINS = "*".
deploy-check: build
	@node tools/deploy/check.mjs --config '$(CONFIG)' $(if $(ENV),--env $(ENV)) $(if $(filter yes,$(ANY_ORIGIN)),--any-origin)

deploy: deploy-check
	@node node_modules/wrangler/bin/wrangler.js deploy --config '$(CONFIG)' --env '$(ENV)'

bench: build
	@tools/bench.sh $(if $(QUICK),--quick)

bench-stream: build
	@node bench/stream.mjs $(if $(QUICK),--quick)

# A film over slow lines: as one MP4, in hls.js and in the player page. FILM names the film.
bench-bus: build .tools/browser.ok
	@node bench/bus/run.mjs --output docs $(if $(QUICK),--quick)

# A local edge under load for SECONDS seconds, 600 where that is not said.
soak: build
	@tools/soak.sh $(if $(filter file,$(origin SECONDS)),600,$(SECONDS))

bench-package: cli-release .tools/vmaf.ok
	@tools/bench-package.sh $(if $(QUICK),--quick)

# Each fuzz target for SECONDS seconds; takes a nightly Rust where there is one.
SECONDS ?= 60
fuzz:
	@tools/fuzz.sh $(SECONDS)

# Known vulnerabilities: fetches RustSec's database, which no package registry carries.
audit: .tools/deny.ok
	@cargo-deny --locked check advisories

fmt:
	@cargo fmt --all

clean:
	rm -rf build web/dist target dist .demo

# One stamp a set of tools: changed lists are installed again.
.tools/%.ok: tools/install.sh
	@tools/install.sh $*
	@touch $@

# Not `npm ci`: the lock holds the packages of the platform it was made on, and `npm ci` refuses to add another's.
node_modules/.ok: package.json package-lock.json .tools/node.ok
	@echo '==> installing Node packages'
	@npm install --no-save --no-progress --loglevel=error
	@touch $@
