#!/bin/sh
# Archives of the player to give away, in dist/: called by `make dist`, which sets the variables.
# Linux always; Windows where the cross compiler is installed (Debian: g++-mingw-w64-x86-64-posix), and checked there
# with wine where that is installed (Debian: wine64).
set -eu

version=$(sed -n 's/.*"fdnlearn-player\/\(.*\)"/\1/p' core/version.hpp)
rm -rf dist
mkdir -p dist

read_me() { # SYSTEM FOLDERS
    cat <<TEXT
fdnlearn player $version for $1

Copy the three plugins into the folders where hosts look for them:
$2
Fits come as presets: fdnlearn export fdn.json --to vst3,lv2,clap -o room

The player is MIT-licensed and built with DPF (ISC), whose CLAP headers are MIT; see LICENSE and DPF-LICENSE.
TEXT
}

pack() { # NAME FOLDER
    cp "$DPF/LICENSE" "$2/DPF-LICENSE"
    for licence in LICENSE ../../LICENSE; do
        if [ -f "$licence" ]; then cp "$licence" "$2/LICENSE"; fi
    done
    (cd "$2" && zip -q -r -X "$OLDPWD/dist/$1.zip" .)
    echo "dist/$1.zip"
}

linux=$BUILD/dist-linux
rm -rf "$linux"
mkdir -p "$linux"
cp -r "$BIN/$NAME.vst3" "$BIN/$NAME.clap" "$BIN/$NAME.lv2" "$linux"
read_me Linux "  $NAME.vst3 into ~/.vst3, $NAME.clap into ~/.clap, $NAME.lv2 into ~/.lv2" >"$linux/README.txt"
pack "$NAME-$version-linux-$(uname -m)" "$linux"

cross=x86_64-w64-mingw32
if ! command -v $cross-g++-posix >/dev/null; then
    echo "no Windows archive: $cross-g++-posix is not installed"
    exit 0
fi
windows=$BUILD/dist-windows
rm -rf "$windows"
# The text of an LV2 bundle does not depend on the system but for the name of the binary.
$MAKE -f plugin.mk NAME="$NAME" DPF_PATH="$DPF" LOOP="$LOOP" DPF_TARGET_DIR="$windows" \
    DPF_BUILD_DIR="$BUILD/objects-windows" CC=$cross-gcc-posix CXX=$cross-g++-posix AR=$cross-ar WINDOWS=true \
    LDFLAGS="-static" vst3 clap lv2_dsp
for text in "$BIN/$NAME.lv2"/*.ttl; do
    sed "s/_dsp\.so/_dsp.dll/" "$text" >"$windows/$NAME.lv2/$(basename "$text")"
done
read_me Windows "  $NAME.vst3 into C:\\Program Files\\Common Files\\VST3, $NAME.clap into ...\\CLAP, $NAME.lv2 into ...\\LV2" \
    >"$windows/README.txt"
pack "$NAME-$version-windows-x86_64" "$windows"

# What both binaries make of a small fit, its state read in pieces of 17 bytes, must be the same sample for sample.
wine=$(command -v wine64 || ls /usr/lib/wine/wine64 2>/dev/null || true)
if [ -z "$wine" ]; then
    echo "the Windows archive was not checked: wine64 is not installed"
    exit 0
fi
check=$BUILD/dist-check
mkdir -p "$check"
g++ -std=c++17 -O1 -I "$DPF/distrho/src" tests/vst3_host.cpp -o "$check/host" -ldl
$cross-g++-posix -std=c++17 -O1 -static -I "$DPF/distrho/src" tests/vst3_host.cpp -o "$check/host.exe"
fit='{"format":"fdnlearn.fdn","version":1,"sample_rate_hz":44100,"delays_samples":[809,1301],
"feedback_matrix":[[0.6,0.8],[-0.8,0.6]],"input_gains":[[1,0],[0,1]],"output_gains":[[1,0.5],[0.5,-1]],
"direct_gains":[[0.7,0],[0,0.7]],"absorption":{"kind":"reverberation_time","family":"peq-1",
"frequencies_hz":[125,1000,8000],"times_s":[[1.5,1.1,0.6]],"line_groups":[0,0]}}'
printf '__dpf_state_begin__\0fit\0%s\0__dpf_state_end__\0__dpf_parameters_begin__\0__dpf_parameters_end__\0\376\0' "$fit" \
    >"$check/state"
"$check/host" "$BIN/$NAME.vst3/Contents/$(uname -m)-linux/$NAME.so" "$check/state" 48000 96000 1 "$check/linux" 17
WINEPREFIX=$(cd "$check" && pwd)/wine WINEDEBUG=-all "$wine" "$check/host.exe" \
    "$windows/$NAME.vst3/Contents/x86_64-win/$NAME.vst3" "$check/state" 48000 96000 1 "$check/windows" 17 2>/dev/null
cmp "$check/linux" "$check/windows"
cmp "$check/linux.state" "$check/windows.state"
echo "the Windows plugin plays what the Linux plugin plays (wine)"
