# knockd: make, make demo, make check, make install; make knock: the client alone. V=1 shows the commands, BUILD=
# another folder, SANITIZE=address,undefined what it says, STATIC=1 links the client statically.

VERSION  = 0.1
PREFIX   ?= /usr/local
SBINDIR  ?= $(PREFIX)/sbin
BINDIR   ?= $(PREFIX)/bin
MANDIR   ?= $(PREFIX)/share/man
SYSCONFDIR ?= /etc
DOCDIR   ?= $(PREFIX)/share/doc/knockd
UNITDIR  ?= /lib/systemd/system
BUILD    ?= build
CC       ?= cc
INSTALL  ?= install
PKGCONF  ?= pkg-config

OPTIMISE ?= -O2 -g
WARN     = -std=c11 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
           -Wpointer-arith -Wcast-qual -Wformat=2 -Wno-format-nonliteral $(WERROR)
HARDEN   = -fPIE -fstack-protector-strong -fstack-clash-protection
ifndef SANITIZE
HARDEN  += -D_FORTIFY_SOURCE=2
endif
LINKHARD = -pie -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed
ifdef SANITIZE
WARN    += -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
endif

PARTS    = libconfuse libsodium libseccomp sqlite3
# What is built without where it isn't installed, or left out by name (make JANSSON= NFLOG= PCAP=): knockctl's reading
# of nft's JSON, the daemon's sources of type nflog and pcap. Another source file stands in for each.
where_installed = $(if $(shell $(PKGCONF) --exists $(1) 2>/dev/null && echo 1),$(1))
JANSSON  := $(call where_installed,jansson)
NFLOG    := $(call where_installed,libnetfilter_log libmnl)
PCAP     := $(call where_installed,libpcap)
OPTIONAL := $(if $(JANSSON),jansson) $(if $(NFLOG),nflog) $(if $(PCAP),pcap)
# Each by itself: who builds the client alone hasn't got them all.
PART_FLAGS := $(foreach part,$(PARTS) $(JANSSON) $(NFLOG) $(PCAP),$(shell $(PKGCONF) --cflags $(part) 2>/dev/null))
override CPPFLAGS += -Iinclude -Isrc -D_GNU_SOURCE -DKNOCKD_VERSION='"$(VERSION)"' \
            -DKNOCKD_SYSCONFDIR='"$(SYSCONFDIR)"' -MMD -MP $(PART_FLAGS)
override CFLAGS   += $(OPTIMISE) $(WARN) $(HARDEN)
override LDFLAGS  += $(LINKHARD)
LIBS     = $(shell $(PKGCONF) --libs $(PARTS) $(NFLOG) $(PCAP) 2>/dev/null) -lev
JSONLIBS = $(if $(JANSSON),$(shell $(PKGCONF) --libs $(JANSSON)))
ABSENT   = src/knockctl/$(if $(JANSSON),firewall_no_nft.c,firewall_nft.c) \
           src/lib/$(if $(NFLOG),nflog_absent.c,nflog.c) \
           src/lib/$(if $(PCAP),capture_absent.c,capture.c)

Q = $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2))

objects = $(patsubst src/%.c,$(BUILD)/%.o,$(filter-out $(ABSENT),$(sort $(wildcard $(addsuffix /*.c,$(addprefix src/,$(1)))))))

# main() alone stays out of the archives, so that everything else links into tests.
NAMES    = $(foreach name,knockd knock knockctl,$(if $(wildcard src/$(name)/main.c),$(name)))
MAINS    = $(NAMES:%=$(BUILD)/%/main.o)
PROGRAMS = $(foreach name,$(NAMES),$(BUILD)/$(name)/$(name))
ARCHIVES = $(addprefix $(BUILD)/,knockd.a control.a listener.a keeper.a lib.a)
UNIT_SRC = $(sort $(wildcard tests/unit/test_*.c))
UNIT     = $(UNIT_SRC:tests/unit/%.c=$(BUILD)/tests/%)
# Unit tests that are run once more under the listener's filter: all of the listener's, but those of the keeper's that
# include its headers, those that open sockets, and that of the sandbox itself; and those of what it uses of lib.
CONFINED = $(patsubst tests/unit/%.c,$(BUILD)/confined/%,$(filter-out $(addprefix tests/unit/test_, \
               captured.c hostile.c packet_loss.c sandbox.c), $(shell grep -lE '"(listener/|reassembly_help|log_stream_help)' $(UNIT_SRC)) \
               $(wildcard $(addprefix tests/unit/test_,addr.c carrier.c limit.c parity.c message.c sequence.c sort.c timers.c))))
BENCH    = $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(sort $(wildcard tests/bench/*.c)))
TOOLS    = $(patsubst tests/tools/%.c,$(BUILD)/tools/%,$(sort $(wildcard tests/tools/*.c))) \
           $(BUILD)/tools/knockctl-no-nft
# The kernel's log holds some 500 lines of packets. Those that fill it, or want to find theirs in it later, run alone;
# of the others, those that take long begin first.
ALONE    = $(wildcard $(addprefix tests/system/,follow.t guide.t sealed-loss.t sealed-nat.t))
SLOW     = $(wildcard $(addprefix tests/system/,rules.t torture.t faults.t portable.t left-out.t))
SYSTEM   = $(SLOW) $(filter-out $(ALONE) $(SLOW),$(sort $(wildcard tests/system/*.t)))
FUZZERS  = $(patsubst tests/fuzz/%.c,$(BUILD)/targets/%,$(filter-out $(if $(JANSSON),,%/fuzz_nft.c), \
               $(sort $(wildcard tests/fuzz/fuzz_*.c))))

all: $(PROGRAMS)

$(BUILD)/knockd/knockd: $(BUILD)/knockd/main.o $(ARCHIVES)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

# The client is the one program that people install by itself: it needs libconfuse, libsodium, and no more. Of lib it
# takes what needs neither libev nor Linux nor another library.
CLIENT_LIB  = $(filter-out $(addprefix $(BUILD)/lib/,loop.o netfilter.o nflog.o nflog_absent.o capture.o capture_absent.o), \
                  $(call objects,lib))
CLIENT_LIBS = $(shell $(PKGCONF) $(if $(STATIC),--static) --libs libconfuse libsodium)

knock: $(BUILD)/knock/knock

$(BUILD)/knock/knock: $(BUILD)/knock/main.o $(BUILD)/knock.a $(BUILD)/client.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(if $(STATIC),-static -no-pie) -o $@ $^ $(CLIENT_LIBS)

$(BUILD)/knockctl/knockctl: $(BUILD)/knockctl/main.o $(BUILD)/knockctl.a $(BUILD)/lib.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS) $(JSONLIBS)

# What is built where libjansson isn't: for its test.
$(BUILD)/tools/knockctl-no-nft: $(addprefix $(BUILD)/,knockctl/main.o knockctl/firewall_no_nft.o knockctl.a lib.a)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

# The archives have other members when a library comes or goes.
$(BUILD)/knockctl.a $(BUILD)/lib.a $(BUILD)/client.a: $(BUILD)/built-with-$(subst $() ,-,$(or $(strip $(OPTIONAL)),nothing))
$(BUILD)/built-with-%:
	$(Q)mkdir -p $(@D) && rm -f $(BUILD)/built-with-* && touch $@

$(BUILD)/client.a: $(CLIENT_LIB)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

.SECONDEXPANSION:
$(BUILD)/%.a: $$(filter-out $(MAINS),$$(call objects,$$*))
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)

$(BUILD)/%.o: src/%.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/tests/%.o: tests/unit/%.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -DTEST_DATA='"tests/data"' -c -o $@ $<

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(BUILD)/knock.a $(BUILD)/knockctl.a $(ARCHIVES)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS) $(JSONLIBS) -lcmocka

# The same test with the filter in it.
$(BUILD)/confined/%: $(BUILD)/tests/%.o $(BUILD)/tests/confined.o $(ARCHIVES)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS) -lcmocka

$(BUILD)/bench/%.o: tests/bench/%.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/bench/%: $(BUILD)/bench/%.o $(ARCHIVES)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

# What the system tests need besides the programs.
$(BUILD)/tools/%.o: tests/tools/%.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/tools/%: $(BUILD)/tools/%.o $(ARCHIVES)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/targets/%.o: tests/fuzz/%.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/targets/%: $(BUILD)/targets/%.o $(BUILD)/knock.a $(BUILD)/knockctl.a $(ARCHIVES)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ $(LIBS) $(JSONLIBS)

tests: $(PROGRAMS) $(UNIT) $(CONFINED) $(TOOLS)

targets: $(FUZZERS)

# Needs no privilege.
unit: $(UNIT) $(CONFINED)
	$(Q)CMOCKA_MESSAGE_OUTPUT=tap prove --exec '' $(UNIT) $(CONFINED)

# The listener's unit tests under its filter.
confined: $(CONFINED)
	$(Q)CMOCKA_MESSAGE_OUTPUT=tap prove --exec '' $(CONFINED)

# For root: the same and more with the C libraries of other releases of Debian; SUITES=trixie: with that alone.
libcs:
	$(Q)scripts/libcs.sh $(SUITES)

# For root: installs what is missing, builds as the tree's owner, runs everything, or TESTS=... Most tests wait for
# something most of the time, so JOBS of them run at once. CHECK=-v prints each test.
JOBS     ?= 2

# For root, or, where user namespaces allow it, for anyone.
demo:
	$(Q)scripts/deps.sh build demo
	$(Q)scripts/as-owner.sh $(MAKE) --no-print-directory all
	$(Q)scripts/demo.sh

check:
	$(Q)scripts/deps.sh build check
	$(Q)scripts/as-owner.sh $(MAKE) --no-print-directory tests
	$(Q)CMOCKA_MESSAGE_OUTPUT=tap scripts/check.pl $(CHECK) -j $(JOBS) \
	    $(or $(TESTS),$(ALONE:%=-a %) $(SYSTEM) $(UNIT) $(CONFINED))

# No file calls back into one that calls it.
circles: $(PROGRAMS)
	$(Q)scripts/circles.pl $(BUILD)

# For root: the way of a packet through the files, traced; README's map names no other.
way:
	$(Q)scripts/way.sh -c README.md

# For root: doors, kill -9, and what is left. `make check` does the same with 200 rounds.
torture:
	$(Q)scripts/deps.sh build check
	$(Q)scripts/as-owner.sh $(MAKE) --no-print-directory all
	$(Q)ROUNDS=$(or $(ROUNDS),1000) prove --exec '' -v tests/system/torture.t

# FUZZ_SECONDS= for each target, TARGETS="logline lines": those alone. Everything is built once more, with
# clang, since what isn't instrumented is fuzzed blindly.
fuzz:
	$(Q)scripts/deps.sh build fuzz
	$(Q)scripts/as-owner.sh $(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz CC=clang \
	    SANITIZE=address,undefined,fuzzer-no-link targets
	$(Q)BUILD=$(BUILD)/fuzz scripts/as-owner.sh scripts/fuzz.sh $(TARGETS)

# PART=doors, log, sealed, junk or spoil: that one alone.
bench: $(PROGRAMS) $(BENCH) $(TOOLS)
	$(Q)BUILD=$(BUILD) scripts/bench.sh $(PART)

lint:
	$(Q)scripts/lint.sh

# /etc/knockd.conf may be an administrator's, or that of a distribution's package: only a missing one
# is made.
install: all
	$(Q)$(INSTALL) -d -m 755 $(addprefix $(DESTDIR),$(SBINDIR) $(BINDIR) $(DOCDIR)/examples $(UNITDIR) $(SYSCONFDIR))
	$(Q)for page in man/*.[1-8]; do section=$(DESTDIR)$(MANDIR)/man$${page##*.}; \
	    $(INSTALL) -d -m 755 $$section && $(INSTALL) -m 644 $$page $$section || exit 1; done
	$(Q)$(INSTALL) -m 755 $(filter-out %/knock,$(PROGRAMS)) $(DESTDIR)$(SBINDIR)
	$(Q)$(INSTALL) -m 755 $(BUILD)/knock/knock $(DESTDIR)$(BINDIR)
	$(Q)sed 's|@SBINDIR@|$(SBINDIR)|' etc/knockd.service | \
	    $(INSTALL) -m 644 /dev/stdin $(DESTDIR)$(UNITDIR)/knockd.service
	$(Q)$(INSTALL) -m 644 etc/knockd.conf $(DESTDIR)$(DOCDIR)/knockd.conf
	$(Q)$(INSTALL) -m 644 etc/examples/* $(DESTDIR)$(DOCDIR)/examples
	$(Q)conf=$(DESTDIR)$(SYSCONFDIR)/knockd.conf; [ -e $$conf ] || [ -L $$conf ] || \
	    $(INSTALL) -m 600 etc/knockd.conf $$conf
	$(Q)[ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || scripts/install-user.sh

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

export FUZZ_SECONDS

.PHONY: all knock tests targets unit confined libcs demo check circles way torture fuzz bench lint install clean
.PRECIOUS: $(BUILD)/%.o $(BUILD)/tests/%.o $(BUILD)/bench/%.o $(BUILD)/targets/%.o $(BUILD)/tools/%.o
.DELETE_ON_ERROR:
