# knockd: make help says what there is to make, and by which variables.

VERSION  = 1.0
# Where things go. The names that GNU's standards give them will do as well: make install prefix=/usr sysconfdir=/etc.
PREFIX   ?= $(or $(prefix),/usr/local)
SBINDIR  ?= $(or $(sbindir),$(PREFIX)/sbin)
BINDIR   ?= $(or $(bindir),$(PREFIX)/bin)
MANDIR   ?= $(or $(mandir),$(PREFIX)/share/man)
DOCDIR   ?= $(or $(docdir),$(PREFIX)/share/doc/knockd)
SYSCONFDIR ?= $(or $(sysconfdir),$(if $(filter /usr /usr/local,$(PREFIX)),/etc,$(PREFIX)/etc))
# /usr/lib/systemd/system and /lib/systemd/system belong to packages.
UNITDIR  ?= $(PREFIX)/lib/systemd/system
BASHDIR  ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR   ?= $(PREFIX)/share/zsh/site-functions
FISHDIR  ?= $(PREFIX)/share/fish/vendor_completions.d
# Relative to what? Installed files name these places, and are used from other folders.
PLACES   = DESTDIR PREFIX SBINDIR BINDIR MANDIR DOCDIR SYSCONFDIR UNITDIR BASHDIR ZSHDIR FISHDIR
$(foreach place,$(PLACES),$(if $(filter-out /%,$(firstword $($(place)))), \
    $(error $(place)=$($(place)) is no absolute path: say one that begins with /)))
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
               captured.c copies_random.c hostile.c sandbox.c), $(shell grep -lE '"(listener/|reassembly_help|log_stream_help)' $(UNIT_SRC)) \
               $(wildcard $(addprefix tests/unit/test_,addr.c carrier.c limit.c parity.c message.c sequence.c sort.c timers.c))))
BENCH    = $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(sort $(wildcard tests/bench/*.c)))
TOOLS    = $(patsubst tests/tools/%.c,$(BUILD)/tools/%,$(sort $(wildcard tests/tools/*.c))) \
           $(BUILD)/tools/knockctl-no-nft
# The kernel's log holds some 500 lines of packets. Those that fill it, or want to find theirs in it later, run alone;
# as those do that measure how soon a busy knockd acts, and torture.t, whose many knockds leave nothing of the machine to
# others; of the others, those that take long begin first.
ALONE    = $(wildcard $(addprefix tests/system/,flood.t follow.t guide.t hostile-listener.t sealed-loss.t sealed-nat.t \
               torture.t))
SLOW     = $(wildcard $(addprefix tests/system/,rotate.t rules.t packet-carrier.t faults.t portable.t left-out.t))
# Those build programs of their own without sanitizers, try scripts more than programs, measure, or wait for other
# people's engines: once is enough. What is ours in a fleet, fleet-hub.t and fleet-forged.t try.
UNSANITIZED = $(if $(SANITIZE),$(addprefix tests/system/,portable.t left-out.t maintainer-scripts.t install.t \
                  install-host.t harness.t picture.t bench.t fleet-mesh.t fleet-nats.t fleet-redis.t fleet-rsyslog.t \
                  fleet-thousand.t))
SYSTEM   = $(filter-out $(UNSANITIZED),$(SLOW) $(filter-out $(ALONE) $(SLOW),$(sort $(wildcard tests/system/*.t))))
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

# The version and the places of the configuration and its keys are compiled in: what names them is built once more when they change.
DEFINING := $(patsubst src/%.c,$(BUILD)/%.o,$(shell grep -rlE --include=*.c 'KNOCKD_VERSION|KNOCKD_SYSCONFDIR|DEFAULT_CONFIG|DEFAULT_KEY_DIR' src))
$(DEFINING): $(BUILD)/defined
$(BUILD)/defined: FORCE
	$(Q)mkdir -p $(@D) && echo '$(VERSION) $(SYSCONFDIR)' | cmp -s - $@ || echo '$(VERSION) $(SYSCONFDIR)' >$@
FORCE:

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

$(BUILD)/tools/%: $(BUILD)/tools/%.o $(BUILD)/knock.a $(BUILD)/knockctl.a $(ARCHIVES)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS) $(JSONLIBS)

$(BUILD)/targets/%.o: tests/fuzz/%.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/targets/%: $(BUILD)/targets/%.o $(BUILD)/knock.a $(BUILD)/knockctl.a $(ARCHIVES)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ $(LIBS) $(JSONLIBS)

# The files that shells complete command lines by, made of the programs' own tables of commands and options.
completion: $(BUILD)/tools/list_options
	$(Q)$< | scripts/completion.pl etc/completion

tests: $(PROGRAMS) $(UNIT) $(CONFINED) $(TOOLS) $(BENCH)

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

# For root, or, where user namespaces allow it, for anyone; PART=fleet: three gateways, for root.
demo:
	$(Q)scripts/deps.sh build demo $(PART)
	$(Q)scripts/as-owner.sh $(MAKE) --no-print-directory all
	$(Q)scripts/demo$(if $(PART),-$(PART)).sh

# The picture of README.md, out of a demo of now.
picture: demo_output = $(BUILD)/demo-output
picture:
	$(Q)scripts/deps.sh build demo
	$(Q)scripts/as-owner.sh $(MAKE) --no-print-directory all
	$(Q)scripts/demo.sh >$(demo_output) || { cat $(demo_output); exit 1; }
	$(Q)scripts/picture.pl $(demo_output) >etc/pictures/demo.svg

check:
	$(Q)scripts/deps.sh build check
	$(Q)scripts/as-owner.sh $(MAKE) --no-print-directory tests
	$(Q)CMOCKA_MESSAGE_OUTPUT=tap scripts/check.pl $(CHECK) -j $(JOBS) \
	    $(or $(TESTS),$(ALONE:%=-a %) $(SYSTEM) $(UNIT) $(CONFINED))

# For root: packages for two releases of Debian, built, booted, used, upgraded and purged; SUITES=trixie: that alone. The
# releases' roots are made by debootstrap once, some minutes, and kept in /var/tmp/knockd-roots or KNOCKD_ROOTS.
check-install:
	$(Q)scripts/deps.sh install
	$(Q)scripts/check-install.sh $(SUITES)

# No file calls back into one that calls it.
circles: $(PROGRAMS)
	$(Q)scripts/circles.pl $(BUILD)

# For root: the way of a packet through the files, traced; README's map names no other.
way:
	$(Q)scripts/way.sh -c README.md

# For root: doors, kill -9, and what is left. `make check` does the same with 60 rounds.
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

# PART=doors, or other parts that scripts/bench.sh has: those alone; QUICK=1: whether it runs. For root most of them.
bench:
	$(Q)scripts/deps.sh build bench
	$(Q)scripts/as-owner.sh $(MAKE) --no-print-directory benchmarks
	$(Q)BUILD=$(BUILD) VERSION=$(VERSION) QUICK=$(QUICK) RESULTS=$(RESULTS) scripts/bench.sh $(PART)

benchmarks: $(PROGRAMS) $(TOOLS) $(BENCH)

# README.md's tables of speed and its pictures of them, of what was measured last, RESULTS; of parts that are not in it
# they stay.
RESULTS  ?= $(BUILD)/bench/results.tsv
figures:
	$(Q)scripts/deps.sh bench
	$(Q)scripts/as-owner.sh scripts/bench-figures.pl take $(RESULTS) tests/bench/results.tsv
	$(Q)scripts/as-owner.sh scripts/bench-figures.pl set tests/bench/results.tsv README.md
	$(Q)scripts/as-owner.sh scripts/bench-figures.pl set tests/bench/results.tsv man/knockd-fleet.7

lint:
	$(Q)scripts/lint.sh

# What goes where is listed in scripts/install.sh, for install and uninstall alike.
install_sh = $(foreach name,$(PLACES) BUILD INSTALL MAKE_USER,$(name)='$($(name))') scripts/install.sh

install: all
	$(Q)$(install_sh) install daemon client

install-daemon: all
	$(Q)$(install_sh) install daemon

install-client: knock
	$(Q)$(install_sh) install client

uninstall:
	$(Q)$(install_sh) uninstall daemon client

uninstall-client:
	$(Q)$(install_sh) uninstall client

# The tree as of the last commit; the same commit gives the same bytes.
dist:
	$(Q)scripts/as-owner.sh scripts/dist.sh $(VERSION) $(BUILD)

# Packages for the Debian that this runs on, in $(BUILD)/deb: the programs are linked with its libraries.
deb:
	$(Q)scripts/deps.sh build deb
	$(Q)scripts/as-owner.sh scripts/deb.sh $(VERSION) $(BUILD)

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

export FUZZ_SECONDS

define HELP
make                 the programs, in BUILD=build; make knock: the client alone
make demo            a host, a door and a knock; PART=fleet: three gateways
make install         below PREFIX=/usr/local, or DESTDIR=/folder for a package;
                     as root, MAKE_USER=yes: with knockd's user for any PREFIX
make install-client  knock alone; make install-daemon: knockd and knockctl
make uninstall       removes what install put there; make uninstall-client
make deb             packages for this Debian; make dist: the tree as an archive
make clean           removes what was built

make check           all tests, as root; TESTS=tests/system/door.t: that alone
make unit            the unit tests; make confined: those under the filter
make tests           for check; make targets: for fuzz; make benchmarks
make check-install   packages in booted Debians, as root; SUITES=trixie
make libcs           tests with the C libraries of other releases, as root
make torture         doors and kill -9, as root; ROUNDS=1000
make fuzz            FUZZ_SECONDS= for each target; TARGETS="logline lines"
make bench           what it costs; PART="doors latency": that alone; QUICK=1
make figures         README.md's tables and plots of what bench measured
make lint            style and layers; make circles, make way: calls of files
make completion      etc/completion, of the tables of options
make picture         etc/pictures/demo.svg, of a demo

V=1 shows the commands, STATIC=1 links knock statically,
SANITIZE=address,undefined with CC=clang checks at run time.
endef

help:
	$(info $(HELP))@:

.PHONY: all help knock completion tests targets unit confined libcs demo picture check check-install circles way torture fuzz bench benchmarks figures \
        lint clean install install-daemon install-client uninstall uninstall-client dist deb
.PRECIOUS: $(BUILD)/%.o $(BUILD)/tests/%.o $(BUILD)/bench/%.o $(BUILD)/targets/%.o $(BUILD)/tools/%.o
.DELETE_ON_ERROR:
