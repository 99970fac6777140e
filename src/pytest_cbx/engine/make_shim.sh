# Stands before make in the PATH of what cbx runs. A -j asks for jobs; they come from cbx's jobserver, which all commands
# share, and not from a jobserver that this make would make for itself.
here=${0%/*} name=${0##*/} real=
IFS=: read -r -d '' -a folders < <(printf '%s\0' "$PATH")
for folder in "${folders[@]}"; do
    if [[ $folder != "$here" && -f ${folder:-.}/$name && -x ${folder:-.}/$name ]]; then
        real=${folder:-.}/$name
        break
    fi
done
if [[ -z $real ]]; then
    printf '%s: command not found\n' "$name" >&2
    exit 127
fi

# -j, -j4, -kj4, -j 4, --jobs, --jobs=4. Any other number than 1 asks for as many as are free.
rest=() parallel= after=
for word in "$@"; do
    if [[ $after && $word =~ ^[0-9]+$ ]]; then
        parallel=$word after=
        continue
    fi
    after=
    if [[ $word =~ ^(-[bBdeikmnpqrRsStw]*)j([0-9]*)$ || $word =~ ^()--jobs=?([0-9]*)$ ]]; then
        parallel=${BASH_REMATCH[2]:-many}
        [[ ${BASH_REMATCH[2]} ]] || after=yes
        [[ ${BASH_REMATCH[1]} == "" || ${BASH_REMATCH[1]} == - ]] || rest+=("${BASH_REMATCH[1]}")
    else
        rest+=("$word")
    fi
done
[[ $parallel || ! " ${MAKEFLAGS-} " =~ \ -j([0-9]*)\  || $MAKEFLAGS == *--jobserver* ]] || parallel=${BASH_REMATCH[1]:-many}

if [[ -z $parallel ]]; then
    exec -a "$name" "$real" "$@"
elif [[ $parallel == 1 ]]; then
    exec -a "$name" "$real" "${rest[@]}" -j1
elif [[ ${MAKEFLAGS-} != *--jobserver* ]]; then
    # As numbers of descriptors: make before 4.4 knows no named pipe.
    exec 8<>"$CBX_JOBSERVER" 9<>"$CBX_JOBSERVER" || exec -a "$name" "$real" "${rest[@]}" -j1
    export MAKEFLAGS="${MAKEFLAGS-} -j$CBX_JOBS --jobserver-auth=8,9"
fi
exec -a "$name" "$real" "${rest[@]}"
