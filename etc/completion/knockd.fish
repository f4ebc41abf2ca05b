# fish completion of knockd, made by scripts/completion.pl of the program's own tables; don't edit it: make completion

# The words in front of the cursor that are neither options nor belong to one.
function __knockd_words
    set -l last
    for word in (commandline -opc)[2..]
        if contains -- "$last" -c --config -r --replay --state-dir
            set last
            continue
        end
        string match -q -- '-*' $word; or echo $word
        set last $word
    end
end

# The options that the answers of knockd depend on.
function __knockd_with
    set -l last
    for word in (commandline -opc)[2..]
        contains -- "$last" -c -s --config --socket; and printf '%s\n' $last $word
        string match -q -- '--config=*' $word; or string match -q -- '--socket=*' $word; and echo $word
        set last $word
    end
end

# Whether so many words stand there, of which these are the first.
function __knockd_at
    set -l words (__knockd_words)
    test (count $words) = $argv[1]; and __knockd_in $argv[2..]
end

function __knockd_in
    set -l words (__knockd_words)
    test (count $argv) = 0; or test "$words[1..$(count $argv)]" = "$argv"
end

complete -c knockd -f
complete -c knockd -s c -l config -r -F -d 'read FILE instead of /etc/knockd.conf'
complete -c knockd -s d -l daemon -d 'go into the background once all is ready'
complete -c knockd -s f -l foreground -d 'stay in the foreground (the default)'
complete -c knockd -s t -l test -d 'check the configuration and exit'
complete -c knockd -s r -l replay -r -F -d 'tell what a log or capture (-: stdin) would open'
complete -c knockd -l packets -d 'with -r: list its packets instead'
complete -c knockd -l close-all -d 'close what an earlier run left open, and exit'
complete -c knockd -l state-dir -x -a '(__fish_complete_directories)' -d 'with --close-all: where that is on record'
complete -c knockd -s v -l verbose -d 'also log each step of a knock and each command'
complete -c knockd -s D -l debug -d 'the same'
complete -c knockd -s V -l version -d 'print the version and exit'
complete -c knockd -s h -l help -d 'print this and exit'
