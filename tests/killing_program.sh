#!/bin/sh
# killing_program.sh DIRECTORY [NAME]: takes letters, for tests that kill the master meanwhile.
#
# While the file `victim` in the directory has a line `PID STEP MILLISECONDS`, the process is killed
# so long after that step, once. Each letter that was taken, and each kill, is a line of the file
# `log`: `NAME KEY` or `kill STEP`. The name, with which the steps begin, is `command` unless
# another one is given.
dir=$1
name=${2:-command}

is_due() {
    [ -f "$dir/victim" ] && read -r pid wanted milliseconds < "$dir/victim" && [ "$wanted" = "$1" ]
}

end() {
    rm -f "$dir/victim"
    sleep "0.00$milliseconds"
    echo "kill $wanted" >> "$dir/log"
    kill -9 "$pid"
}

reached() {
    if is_due "$1"; then end; fi
}

reached "$name-started"
cat > /dev/null
reached "$name-read"
echo "$name $BUILDMASTER_LETTER" >> "$dir/log"
reached "$name-kept"
if is_due "$name-taken"; then
    # The master hears that this program has ended before it is killed.
    export pid wanted milliseconds dir
    setsid sh -c 'while kill -0 '$$' 2> /dev/null; do :; done
        rm -f "$dir/victim"; sleep "0.00$milliseconds"; echo "kill $wanted" >> "$dir/log"
        kill -9 "$pid"' < /dev/null > /dev/null 2>&1 &
fi
exit 0
