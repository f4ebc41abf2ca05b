# fish completion of knockctl, made by scripts/completion.pl of the program's own tables; don't edit it: make completion

# The words in front of the cursor that are neither options nor belong to one.
function __knockctl_words
    set -l last
    for word in (commandline -opc)[2..]
        if contains -- "$last" -n --lines --accept --try --expires --door -c --config -s --socket --defaults --stun
            set last
            continue
        end
        string match -q -- '-*' $word; or echo $word
        set last $word
    end
end

# The options that the answers of knockctl depend on.
function __knockctl_with
    set -l last
    for word in (commandline -opc)[2..]
        contains -- "$last" -c -s --config --socket; and printf '%s\n' $last $word
        string match -q -- '--config=*' $word; or string match -q -- '--socket=*' $word; and echo $word
        set last $word
    end
end

# Whether so many words stand there, of which these are the first.
function __knockctl_at
    set -l words (__knockctl_words)
    test (count $words) = $argv[1]; and __knockctl_in $argv[2..]
end

function __knockctl_in
    set -l words (__knockctl_words)
    test (count $argv) = 0; or test "$words[1..$(count $argv)]" = "$argv"
end

# The doors: those that are open where one is to be closed, else all.
function __knockctl_doors
    __knockctl_in close; or __knockctl_in forget; or set -l all --all
    knockctl doors $all (__knockctl_with) 2>/dev/null | awk 'NR > 1 { print $1 }' | sort -u
end

function __knockctl_addresses
    set -l words (__knockctl_words)
    __knockctl_in close; or __knockctl_in forget; or return
    knockctl doors (__knockctl_with) 2>/dev/null | awk -v door="$words[2]" 'NR > 1 && $1 == door { print $2 }'
end

function __knockctl_keys
    knockctl key list (__knockctl_with) 2>/dev/null | awk 'NR > 1 { print $1 }'
end

complete -c knockctl -f
complete -c knockctl -n '__knockctl_at 0' -a help -d 'how a command is used'
complete -c knockctl -n '__knockctl_at 0' -a key -d 'keys of sealed knocks'

complete -c knockctl -n '__knockctl_at 0' -a status -d 'how knockd is'
complete -c knockctl -n '__knockctl_in status' -s c -l config -r -F -d 'the configuration, not /etc/knockd.conf'
complete -c knockctl -n '__knockctl_in status' -s s -l socket -r -F -d 'the control socket, not the configuration'\''s'
complete -c knockctl -n '__knockctl_in status' -l json -d 'print JSON'
complete -c knockctl -n '__knockctl_in status' -l prometheus -d 'print metrics as Prometheus reads them'
complete -c knockctl -n '__knockctl_in status' -s h -l help -d 'print this'

complete -c knockctl -n '__knockctl_at 0' -a doors -d 'what is open, and until when'
complete -c knockctl -n '__knockctl_in doors' -s c -l config -r -F -d 'the configuration, not /etc/knockd.conf'
complete -c knockctl -n '__knockctl_in doors' -s s -l socket -r -F -d 'the control socket, not the configuration'\''s'
complete -c knockctl -n '__knockctl_in doors' -l json -d 'print JSON'
complete -c knockctl -n '__knockctl_in doors' -l all -d 'doors that are shut, too'
complete -c knockctl -n '__knockctl_in doors' -s h -l help -d 'print this'

complete -c knockctl -n '__knockctl_at 0' -a open -d 'open a door as a knock would'
complete -c knockctl -n '__knockctl_at 1 open' -a '(__knockctl_doors)'
complete -c knockctl -n '__knockctl_at 2 open' -a '(__knockctl_addresses)'
complete -c knockctl -n '__knockctl_in open' -s c -l config -r -F -d 'the configuration, not /etc/knockd.conf'
complete -c knockctl -n '__knockctl_in open' -s s -l socket -r -F -d 'the control socket, not the configuration'\''s'
complete -c knockctl -n '__knockctl_in open' -l json -d 'print JSON'
complete -c knockctl -n '__knockctl_in open' -s h -l help -d 'print this'

complete -c knockctl -n '__knockctl_at 0' -a close -d 'close what is open'
complete -c knockctl -n '__knockctl_at 1 close' -a '(__knockctl_doors)'
complete -c knockctl -n '__knockctl_at 2 close' -a '(__knockctl_addresses)'
complete -c knockctl -n '__knockctl_in close' -s c -l config -r -F -d 'the configuration, not /etc/knockd.conf'
complete -c knockctl -n '__knockctl_in close' -s s -l socket -r -F -d 'the control socket, not the configuration'\''s'
complete -c knockctl -n '__knockctl_in close' -l json -d 'print JSON'
complete -c knockctl -n '__knockctl_in close' -l all -d 'all that is open'
complete -c knockctl -n '__knockctl_in close' -l stray -d 'rules of doors that no opening owns'
complete -c knockctl -n '__knockctl_in close' -s h -l help -d 'print this'

complete -c knockctl -n '__knockctl_at 0' -a forget -d 'give up what can'\''t be closed'
complete -c knockctl -n '__knockctl_at 1 forget' -a '(__knockctl_doors)'
complete -c knockctl -n '__knockctl_at 2 forget' -a '(__knockctl_addresses)'
complete -c knockctl -n '__knockctl_in forget' -s c -l config -r -F -d 'the configuration, not /etc/knockd.conf'
complete -c knockctl -n '__knockctl_in forget' -s s -l socket -r -F -d 'the control socket, not the configuration'\''s'
complete -c knockctl -n '__knockctl_in forget' -l json -d 'print JSON'
complete -c knockctl -n '__knockctl_in forget' -s h -l help -d 'print this'

complete -c knockctl -n '__knockctl_at 0' -a history -d 'what was opened, by whom, and how it ended'
complete -c knockctl -n '__knockctl_in history' -s c -l config -r -F -d 'the configuration, not /etc/knockd.conf'
complete -c knockctl -n '__knockctl_in history' -s s -l socket -r -F -d 'the control socket, not the configuration'\''s'
complete -c knockctl -n '__knockctl_in history' -l json -d 'print JSON'
complete -c knockctl -n '__knockctl_in history' -s n -l lines -x -d 'how many, the newest; else 100'
complete -c knockctl -n '__knockctl_in history' -s h -l help -d 'print this'

complete -c knockctl -n '__knockctl_at 0' -a sources -d 'what each log brought so far'
complete -c knockctl -n '__knockctl_in sources' -s c -l config -r -F -d 'the configuration, not /etc/knockd.conf'
complete -c knockctl -n '__knockctl_in sources' -s s -l socket -r -F -d 'the control socket, not the configuration'\''s'
complete -c knockctl -n '__knockctl_in sources' -l json -d 'print JSON'
complete -c knockctl -n '__knockctl_in sources' -s h -l help -d 'print this'

complete -c knockctl -n '__knockctl_at 0' -a why -d 'what the last packets of an address did'
complete -c knockctl -n '__knockctl_at 1 why' -a '(__knockctl_addresses)'
complete -c knockctl -n '__knockctl_in why' -s c -l config -r -F -d 'the configuration, not /etc/knockd.conf'
complete -c knockctl -n '__knockctl_in why' -s s -l socket -r -F -d 'the control socket, not the configuration'\''s'
complete -c knockctl -n '__knockctl_in why' -l json -d 'print JSON'
complete -c knockctl -n '__knockctl_in why' -s h -l help -d 'print this'

complete -c knockctl -n '__knockctl_at 0' -a watch -d 'what happens, as it happens'
complete -c knockctl -n '__knockctl_in watch' -s c -l config -r -F -d 'the configuration, not /etc/knockd.conf'
complete -c knockctl -n '__knockctl_in watch' -s s -l socket -r -F -d 'the control socket, not the configuration'\''s'
complete -c knockctl -n '__knockctl_in watch' -l json -d 'print JSON'
complete -c knockctl -n '__knockctl_in watch' -s h -l help -d 'print this'

complete -c knockctl -n '__knockctl_at 0' -a reload -d 'read the configuration once more'
complete -c knockctl -n '__knockctl_in reload' -s c -l config -r -F -d 'the configuration, not /etc/knockd.conf'
complete -c knockctl -n '__knockctl_in reload' -s s -l socket -r -F -d 'the control socket, not the configuration'\''s'
complete -c knockctl -n '__knockctl_in reload' -l json -d 'print JSON'
complete -c knockctl -n '__knockctl_in reload' -s h -l help -d 'print this'

complete -c knockctl -n '__knockctl_at 0' -a rules -d 'firewall rules made from the configuration'
complete -c knockctl -n '__knockctl_in rules' -s c -l config -r -F -d 'the configuration, not /etc/knockd.conf'
complete -c knockctl -n '__knockctl_in rules' -l json -d 'with --check: print JSON'
complete -c knockctl -n '__knockctl_in rules' -s 4 -l ipv4 -d 'iptables for IPv4, as iptables-restore reads it'
complete -c knockctl -n '__knockctl_in rules' -s 6 -l ipv6 -d 'iptables for IPv6, as ip6tables-restore reads it'
complete -c knockctl -n '__knockctl_in rules' -l nft -d 'nft for both families, as nft -f reads it'
complete -c knockctl -n '__knockctl_in rules' -l nflog -d 'log to groups of NFLOG alone'
complete -c knockctl -n '__knockctl_in rules' -l accept -x -d 'leave this port open for everyone'
complete -c knockctl -n '__knockctl_in rules' -l again -d 'replace such rules, which are in place'
complete -c knockctl -n '__knockctl_in rules' -l try -x -d 'apply, and take back unless confirmed'
complete -c knockctl -n '__knockctl_in rules' -l check -d 'tell what the firewall in force lacks'
complete -c knockctl -n '__knockctl_in rules' -s h -l help -d 'print this'

complete -c knockctl -n '__knockctl_at 0' -a import -d 'another knockd'\''s file as a configuration'
complete -c knockctl -n '__knockctl_at 1 import' -F
complete -c knockctl -n '__knockctl_in import' -l defaults -r -F -d 'what OLD was started with, as /etc/default/knockd'
complete -c knockctl -n '__knockctl_in import' -s h -l help -d 'print this'

complete -c knockctl -n '__knockctl_at 1 key' -a new -d 'make a key of sealed knocks'
complete -c knockctl -n '__knockctl_in key new' -s c -l config -r -F -d 'the configuration, not /etc/knockd.conf'
complete -c knockctl -n '__knockctl_in key new' -l door -x -a '(__knockctl_doors)' -d 'let the key open this door alone'
complete -c knockctl -n '__knockctl_in key new' -l expires -x -d 'the last day of the key, in UTC'
complete -c knockctl -n '__knockctl_in key new' -l roaming -d 'bind its knocks to no address'
complete -c knockctl -n '__knockctl_in key new' -l stun -x -a '(__fish_print_hostnames)' -d 'who tells its clients their address'
complete -c knockctl -n '__knockctl_in key new' -s h -l help -d 'print this'

complete -c knockctl -n '__knockctl_at 1 key' -a list -d 'the keys, and who may open what'
complete -c knockctl -n '__knockctl_in key list' -s c -l config -r -F -d 'the configuration, not /etc/knockd.conf'
complete -c knockctl -n '__knockctl_in key list' -l json -d 'print JSON'
complete -c knockctl -n '__knockctl_in key list' -s h -l help -d 'print this'

complete -c knockctl -n '__knockctl_at 1 key' -a remove -d 'remove a key'
complete -c knockctl -n '__knockctl_at 2 key remove' -a '(__knockctl_keys)'
complete -c knockctl -n '__knockctl_in key remove' -s c -l config -r -F -d 'the configuration, not /etc/knockd.conf'
complete -c knockctl -n '__knockctl_in key remove' -s h -l help -d 'print this'

complete -c knockctl -n '__knockctl_at 0' -a sequence -d 'a good random sequence of N knocks'
complete -c knockctl -n '__knockctl_in sequence' -s h -l help -d 'print this'

complete -c knockctl -n '__knockctl_at 1 help' -a status -d 'how knockd is'
complete -c knockctl -n '__knockctl_in help status' -s V -l version -d 'print the version'
complete -c knockctl -n '__knockctl_in help status' -s h -l help -d 'print this'

complete -c knockctl -n '__knockctl_at 1 help' -a doors -d 'what is open, and until when'
complete -c knockctl -n '__knockctl_in help doors' -s V -l version -d 'print the version'
complete -c knockctl -n '__knockctl_in help doors' -s h -l help -d 'print this'

complete -c knockctl -n '__knockctl_at 1 help' -a open -d 'open a door as a knock would'
complete -c knockctl -n '__knockctl_in help open' -s V -l version -d 'print the version'
complete -c knockctl -n '__knockctl_in help open' -s h -l help -d 'print this'

complete -c knockctl -n '__knockctl_at 1 help' -a close -d 'close what is open'
complete -c knockctl -n '__knockctl_in help close' -s V -l version -d 'print the version'
complete -c knockctl -n '__knockctl_in help close' -s h -l help -d 'print this'

complete -c knockctl -n '__knockctl_at 1 help' -a forget -d 'give up what can'\''t be closed'
complete -c knockctl -n '__knockctl_in help forget' -s V -l version -d 'print the version'
complete -c knockctl -n '__knockctl_in help forget' -s h -l help -d 'print this'

complete -c knockctl -n '__knockctl_at 1 help' -a history -d 'what was opened, by whom, and how it ended'
complete -c knockctl -n '__knockctl_in help history' -s V -l version -d 'print the version'
complete -c knockctl -n '__knockctl_in help history' -s h -l help -d 'print this'

complete -c knockctl -n '__knockctl_at 1 help' -a sources -d 'what each log brought so far'
complete -c knockctl -n '__knockctl_in help sources' -s V -l version -d 'print the version'
complete -c knockctl -n '__knockctl_in help sources' -s h -l help -d 'print this'

complete -c knockctl -n '__knockctl_at 1 help' -a why -d 'what the last packets of an address did'
complete -c knockctl -n '__knockctl_in help why' -s V -l version -d 'print the version'
complete -c knockctl -n '__knockctl_in help why' -s h -l help -d 'print this'

complete -c knockctl -n '__knockctl_at 1 help' -a watch -d 'what happens, as it happens'
complete -c knockctl -n '__knockctl_in help watch' -s V -l version -d 'print the version'
complete -c knockctl -n '__knockctl_in help watch' -s h -l help -d 'print this'

complete -c knockctl -n '__knockctl_at 1 help' -a reload -d 'read the configuration once more'
complete -c knockctl -n '__knockctl_in help reload' -s V -l version -d 'print the version'
complete -c knockctl -n '__knockctl_in help reload' -s h -l help -d 'print this'

complete -c knockctl -n '__knockctl_at 1 help' -a rules -d 'firewall rules made from the configuration'
complete -c knockctl -n '__knockctl_in help rules' -s V -l version -d 'print the version'
complete -c knockctl -n '__knockctl_in help rules' -s h -l help -d 'print this'

complete -c knockctl -n '__knockctl_at 1 help' -a import -d 'another knockd'\''s file as a configuration'
complete -c knockctl -n '__knockctl_in help import' -s V -l version -d 'print the version'
complete -c knockctl -n '__knockctl_in help import' -s h -l help -d 'print this'

complete -c knockctl -n '__knockctl_at 1 help' -a key -d 'keys of sealed knocks'
complete -c knockctl -n '__knockctl_in help key' -s V -l version -d 'print the version'
complete -c knockctl -n '__knockctl_in help key' -s h -l help -d 'print this'

complete -c knockctl -n '__knockctl_at 1 help' -a sequence -d 'a good random sequence of N knocks'
complete -c knockctl -n '__knockctl_in help sequence' -s V -l version -d 'print the version'
complete -c knockctl -n '__knockctl_in help sequence' -s h -l help -d 'print this'

complete -c knockctl -n '__knockctl_at 0' -s V -l version -d 'print the version'
complete -c knockctl -n '__knockctl_at 0' -s h -l help -d 'print this'
complete -c knockctl -n '__knockctl_at 0' -s c -l config -r -F -d 'the configuration, not /etc/knockd.conf'
complete -c knockctl -n '__knockctl_at 0' -s s -l socket -r -F -d 'the control socket, not the configuration'\''s'
complete -c knockctl -n '__knockctl_at 0' -l json -d 'print JSON'
complete -c knockctl -n '__knockctl_at 0' -l prometheus -d 'print metrics as Prometheus reads them'
complete -c knockctl -n '__knockctl_at 0' -l all -d 'doors that are shut, too'
complete -c knockctl -n '__knockctl_at 0' -l stray -d 'rules of doors that no opening owns'
complete -c knockctl -n '__knockctl_at 0' -s n -l lines -x -d 'how many, the newest; else 100'
complete -c knockctl -n '__knockctl_at 0' -s 4 -l ipv4 -d 'iptables for IPv4, as iptables-restore reads it'
complete -c knockctl -n '__knockctl_at 0' -s 6 -l ipv6 -d 'iptables for IPv6, as ip6tables-restore reads it'
complete -c knockctl -n '__knockctl_at 0' -l nft -d 'nft for both families, as nft -f reads it'
complete -c knockctl -n '__knockctl_at 0' -l nflog -d 'log to groups of NFLOG alone'
complete -c knockctl -n '__knockctl_at 0' -l accept -x -d 'leave this port open for everyone'
complete -c knockctl -n '__knockctl_at 0' -l again -d 'replace such rules, which are in place'
complete -c knockctl -n '__knockctl_at 0' -l try -x -d 'apply, and take back unless confirmed'
complete -c knockctl -n '__knockctl_at 0' -l check -d 'tell what the firewall in force lacks'
complete -c knockctl -n '__knockctl_at 0' -l defaults -r -F -d 'what OLD was started with, as /etc/default/knockd'
complete -c knockctl -n '__knockctl_at 0' -l door -x -a '(__knockctl_doors)' -d 'let the key open this door alone'
complete -c knockctl -n '__knockctl_at 0' -l expires -x -d 'the last day of the key, in UTC'
complete -c knockctl -n '__knockctl_at 0' -l roaming -d 'bind its knocks to no address'
complete -c knockctl -n '__knockctl_at 0' -l stun -x -a '(__fish_print_hostnames)' -d 'who tells its clients their address'
