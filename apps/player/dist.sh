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
