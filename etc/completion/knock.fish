# fish completion of knock, made by scripts/completion.pl of the program's own tables; don't edit it: make completion

# The words in front of the cursor that are neither options nor belong to one.
function __knock_words
    set -l last
    for word in (commandline -opc)[2..]
        if contains -- "$last" -d --delay -p --port -t --timeout --retries --for --ask-port --seconds --span --packet-port --bind --carrier -c --config -k --key --once --stun --interface
            set last
            continue
        end
        string match -q -- '-*' $word; or echo $word
        set last $word
    end
end

# The options that the answers of knock depend on.
function __knock_with
    set -l last
    for word in (commandline -opc)[2..]
        contains -- "$last" -c -s --config --socket; and printf '%s\n' $last $word
        string match -q -- '--config=*' $word; or string match -q -- '--socket=*' $word; and echo $word
        set last $word
    end
end

# Whether so many words stand there, of which these are the first.
function __knock_at
    set -l words (__knock_words)
    test (count $words) = $argv[1]; and __knock_in $argv[2..]
end

function __knock_in
    set -l words (__knock_words)
    test (count $argv) = 0; or test "$words[1..$(count $argv)]" = "$argv"
end

function __knock_profiles
    knock --list (__knock_with) 2>/dev/null | string replace -r '^([^\t]*)\t([^\t]*)\t.*' '$1\t$2'
end

complete -c knock -f
complete -c knock -n '__knock_at 0' -a '(__knock_profiles)'
complete -c knock -n '__knock_at 0' -a '(__fish_print_hostnames)'
complete -c knock -s u -l udp -d 'send UDP where PROTO isn'\''t said, not TCP'
complete -c knock -s d -l delay -x -d 'pause between packets; default 20, sealed 2'
complete -c knock -s 4 -l ipv4 -d 'use IPv4 only'
complete -c knock -s 6 -l ipv6 -d 'use IPv6 only'
complete -c knock -s v -l verbose -d 'print the address and each packet'
complete -c knock -l dry-run -d 'print the same, send nothing'
complete -c knock -s c -l config -r -F -d 'read profiles from FILE'
complete -c knock -s k -l key -r -F -d 'seal by the key in FILE, without a profile'
complete -c knock -s p -l port -x -d 'wait for TCP port PORT to answer'
complete -c knock -s t -l timeout -x -d 'wait so long, sending more meanwhile'
complete -c knock -l retries -x -d 'rounds of packets after the first'
complete -c knock -l always -d 'knock even if the port answers already'
complete -c knock -l carrier -x -a 'udp tcp packet' -d 'what carries a sealed knock'
complete -c knock -l bind -x -a 'auto any' -d 'knock from there; sealed: bound to that'
complete -c knock -l stun -x -a '(__fish_print_hostnames)' -d 'asked for the address to bind to'
complete -c knock -l interface -x -a '(ls /sys/class/net)' -d 'send by this network interface'
complete -c knock -l for -x -d 'open for ADDRESS, not for the sender'
complete -c knock -l ask-port -x -d 'ask for PORT, 0: the door'\''s own'
complete -c knock -l seconds -x -d 'ask for so long an opening'
complete -c knock -l span -x -d 'first port of the server'\''s span'
complete -c knock -l packet-port -x -d 'the server'\''s port for --carrier packet'
complete -c knock -l once -r -F -d 'send the next one-time sequence of FILE'
complete -c knock -l close -d 'close the door instead'
complete -c knock -l proxy -d 'pass standard input and output on'
complete -c knock -l list -d 'list the profiles: name, host, door, how'
complete -c knock -s V -l version -d 'print the version'
complete -c knock -s h -l help -d 'print this'
