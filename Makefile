# Every door of the project. Each target does its own set-up; `make help` lists them.
.DEFAULT_GOAL := help
# The targets follow each other: setup, stage, relay, baton.
.NOTPARALLEL:
.PHONY: deb install uninstall manual help setup setup-all setup-matrix setup-testing file-kernels run bench matrix matrix-cpus test dist stage relay baton checks lab format lint clean

SWIFT := swift
say = @echo "==> $(1)"

# One scratch path per role: .build is the host's.
BARE_METAL := BATON_ROLE=bare-metal $(SWIFT) build --quiet --build-system native \
  --triple aarch64-none-none-elf --toolset Toolsets/bare-metal.json -c release \
  --scratch-path .build-bare-metal

LINUX := $(SWIFT) build --quiet --build-system native --triple aarch64-none-none-elf \
  --toolset Toolsets/linux.json -c release --scratch-path .build-linux
UNICODE_TABLES = $(shell dirname "$$(dirname "$$(readlink -f "$$(command -v swiftc)")")")/lib/swift/embedded/aarch64-none-none-elf/libswiftUnicodeDataTables.a

help: ## This list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1	/p' $(MAKEFILE_LIST) | expand -t 13

setup: ## Host packages and the arm64 pieces that the machine lacks
	@Scripts/setup

setup-all:
	@Scripts/setup --all

setup-matrix:
	@Scripts/setup --matrix

setup-testing:
	@Scripts/setup --testing

file-kernels: ## Kernels with kexec_file_load(2) for make matrix, built from Debian's source: minutes
	@Scripts/setup --file-kernels

run: setup dist lab ## Boot a kernel and hand over to the next: KERNEL=… INITRD=… for your own
	$(call say,handing over)
	@.build/debug/lab run $(if $(KERNEL),--kernel '$(KERNEL)') $(if $(INITRD),--initrd '$(INITRD)')

bench: setup dist lab ## Baton beside kexec-tools, in guest instructions
	$(call say,handing over by Baton and by kexec-tools)
	@.build/debug/lab bench

matrix: setup-matrix dist deb checks lab ## Every kernel on every machine, with a table at the end: minutes
	$(call say,handing over on every machine)
	@.build/debug/lab matrix
	$(call say,relocating by every system)
	@.build/debug/lab relay matrix
	$(call say,testing in guests what takes long)
	@$(SWIFT) build --quiet --build-tests
	@BATON_MATRIX=1 $(SWIFT) test --quiet --skip-build --disable-xctest --filter GuestTests

matrix-cpus: setup dist lab ## 50 handoffs in a row on 4 CPUs, then on 8: minutes
	$(call say,handing over 50 times on 4 CPUs)
	@.build/debug/lab chain --length 50 --cpus 4 --gic 2
	$(call say,handing over 50 times on 8 CPUs)
	@.build/debug/lab chain --length 50 --cpus 8

test: setup-all dist manual checks lab ## Everything: libraries, binaries, guests
	$(call say,building the tests)
	@$(SWIFT) build --quiet --build-tests
	$(call say,testing)
	@$(SWIFT) test --quiet --skip-build --disable-xctest

dist: setup stage relay baton ## dist/baton, dist/stage.bin and dist/relay

# What is made is put into dist only where it differs: what embeds it is then not built anew.
stage:
	$(call say,building the stage)
	@$(BARE_METAL) --product stage -Xlinker -T -Xlinker $(CURDIR)/Sources/Stage/stage.ld
	@mkdir -p dist
	@cp .build-bare-metal/release/stage dist/stage.elf
	@llvm-objcopy -O binary -j .text -j .rodata dist/stage.elf .build-bare-metal/stage.bin
	@cmp -s .build-bare-metal/stage.bin dist/stage.bin || cp .build-bare-metal/stage.bin dist/stage.bin

# The first kernel without Linux: an arm64 Image with the stage inside.
relay: stage
	$(call say,building relay)
	@$(BARE_METAL) --product relay -Xlinker -T -Xlinker $(CURDIR)/Sources/Relay/relay.ld \
	  -Xlinker -z -Xlinker norelro -Xlinker $(UNICODE_TABLES)
	@cp .build-bare-metal/release/relay dist/relay.elf
	@llvm-objcopy -O binary dist/relay.elf dist/relay

# A static program: musl, zlib and libgcc from the sysroot, Swift's Unicode tables from the toolchain.
CACHE := $(or $(BATON_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/baton)
MUSL := $(CACHE)/sysroot-arm64/usr/lib/aarch64-linux-musl
baton: stage
	$(call say,building baton)
	@$(LINUX) --product baton -Xcc -isystem -Xcc $(CACHE)/sysroot-arm64/usr/include/aarch64-linux-musl \
	  -Xcc -isystem -Xcc $(CACHE)/sysroot-arm64/usr/include \
	  -Xlinker -L$(CACHE)/sysroot-arm64/usr/lib/aarch64-linux-gnu \
	  $(addprefix -Xlinker ,$(MUSL)/crt1.o $(MUSL)/crti.o --start-group $(MUSL)/libc.a \
	    $(wildcard $(CACHE)/sysroot-arm64/usr/lib/gcc/aarch64-linux-gnu/*/libgcc.a) \
	    $(UNICODE_TABLES) --end-group $(MUSL)/crtn.o)
	@llvm-objcopy --strip-all .build-linux/release/baton .build-linux/baton.stripped
	@cmp -s .build-linux/baton.stripped dist/baton || cp .build-linux/baton.stripped dist/baton

# What is written from the option table: the man page and bash's completion.
manual: stage
	@$(SWIFT) build --quiet --product manual
	@mkdir -p dist
	@.build/debug/manual page >dist/baton.8
	@.build/debug/manual completion >dist/baton.bash-completion

PREFIX ?= /usr/local
UNITS := baton-load.service baton-last.service
install: dist manual ## dist/baton, its man page, completion and units under DESTDIR and PREFIX
	@install -D -m 755 dist/baton $(DESTDIR)$(PREFIX)/sbin/baton
	@install -D -m 644 dist/baton.8 $(DESTDIR)$(PREFIX)/share/man/man8/baton.8
	@install -D -m 644 dist/baton.bash-completion $(DESTDIR)$(PREFIX)/share/bash-completion/completions/baton
	@mkdir -p $(DESTDIR)$(PREFIX)/lib/systemd/system
	@for unit in $(UNITS); do \
	  sed 's|/usr/sbin/|$(PREFIX)/sbin/|g' Packaging/systemd/$$unit \
	    >$(DESTDIR)$(PREFIX)/lib/systemd/system/$$unit; \
	done

uninstall: ## Remove what install has put there
	@rm -f $(DESTDIR)$(PREFIX)/sbin/baton $(DESTDIR)$(PREFIX)/share/man/man8/baton.8 \
	  $(DESTDIR)$(PREFIX)/share/bash-completion/completions/baton \
	  $(addprefix $(DESTDIR)$(PREFIX)/lib/systemd/system/,$(UNITS))

deb: dist manual ## dist/baton_VERSION_arm64.deb
	@Packaging/build-deb

# Programs for arm64 that tests run in an emulator.
checks:
	$(call say,building the arm64 checks)
	@$(BARE_METAL) --product Arm64DigestCheck
	@$(BARE_METAL) --product KillAtLoad

# The lab, and the plugins that it has QEMU load.
lab:
	$(call say,building the lab)
	@$(SWIFT) build --quiet --product labplugin
	@$(SWIFT) build --quiet --product cacheplugin
	@$(SWIFT) build --quiet --product lab

format: ## Format the sources in place
	@$(SWIFT) format -i -r Package.swift Sources Tests

lint: ## Complain about what is not formatted
	@$(SWIFT) format lint --strict -r Package.swift Sources Tests

clean: ## Remove what was built; the cache of downloads stays
	@rm -rf .build .build-bare-metal .build-linux dist
