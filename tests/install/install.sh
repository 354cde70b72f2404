#!/bin/sh
# Install the build into an empty prefix and use it from outside in four ways: shared and static, by
# find_package and by pkg-config. The prefix is moved first: nothing in it may know where it was.
# usage: install.sh CMAKE GENERATOR CC BUILD CONSUMER LIBDIR
set -eu
cmake=$1 generator=$2 cc=$3 build=$4 consumer=$5 libdir=$6

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
version=$(sed -n 's/.*define MOOT_VERSION_STRING "\(.*\)"/\1/p' \
    "$consumer/../../engine/include/moot/version.h")

expect() { # WHAT PROGRAM shared|static
    case $(ldd "$2") in
    *libmoot.so*) [ "$3" = shared ] || { echo "$1: the shared library was linked"; exit 1; } ;;
    *) [ "$3" = static ] || { echo "$1: the archive was linked"; exit 1; } ;;
    esac
    got=$("$2") || { echo "$1: the program failed"; exit 1; }
    [ "$got" = "moot $version: closed" ] || { echo "$1: it printed: $got"; exit 1; }
    echo "$1: $got"
}

"$cmake" --install "$build" --prefix "$work/first" >"$work/log" || { cat "$work/log"; exit 1; }
mv "$work/first" "$work/prefix"
prefix=$work/prefix

# The program, and nothing of the tree it was built from in the files for hosts.
[ "$("$prefix/bin/moot" --version | head -n 1 | grep -c "$version")" = 1 ] ||
    { echo "the installed program does not tell its version"; exit 1; }
if grep -rn -e "$build" -e "$work/first" "$prefix/$libdir/cmake" "$prefix/$libdir/pkgconfig"; then
    echo "an installed file knows the build tree"
    exit 1
fi

for kind in shared static; do
    target=moot::$kind
    [ $kind = static ] || target=moot::moot
    "$cmake" -G "$generator" -S "$consumer/host" -B "$work/$kind" -DCMAKE_C_COMPILER="$cc" \
        -DCMAKE_PREFIX_PATH="$prefix" -DLIBRARY="$target" >"$work/log" 2>&1 &&
        "$cmake" --build "$work/$kind" >>"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
    expect "find_package, $target" "$work/$kind/host" "$kind"
done

export PKG_CONFIG_PATH="$prefix/$libdir/pkgconfig"
# Word splitting is what pkg-config's output is for.
# shellcheck disable=SC2046
"$cc" -std=c11 "$consumer/host/host.c" -o "$work/by_pc" $(pkg-config --cflags --libs moot) \
    -Wl,-rpath,"$prefix/$libdir"
expect "pkg-config" "$work/by_pc" shared

# As in a package that holds the archive only.
rm -f "$prefix/$libdir"/libmoot.so*
# shellcheck disable=SC2046
"$cc" -std=c11 "$consumer/host/host.c" -o "$work/by_pc_static" \
    $(pkg-config --static --cflags --libs moot)
expect "pkg-config --static" "$work/by_pc_static" static
