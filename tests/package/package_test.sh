#!/usr/bin/env bash
# The Debian packages as files: what is in them, and that it fits together.
set -euo pipefail
source tools/lib/testing.sh

DEBS=tools/package
DEB=$DEBS/groupcast.deb
FILES=$TEST_TMPDIR/groupcast
CONTROL=$TEST_TMPDIR/control
dpkg-deb --extract "$DEB" "$FILES"
dpkg-deb --control "$DEB" "$CONTROL"

field() { dpkg-deb --field "$DEBS/$1.deb" "$2"; }
# listing PACKAGE: "MODE OWNER PATH" of each file and folder.
listing() { dpkg-deb --contents "$DEBS/$1.deb" | awk '{ print $1, $2, $6 }'; }

# The same files give the same bytes.
for package in groupcast groupcast-cli libgroupcast-dev libjs-groupcast; do
  expect_equal "$package is the same when it is packed again" \
    "$(sha256sum <"$DEBS/$package.deb")" "$(sha256sum <"$DEBS/${package}_again.deb")"
  expect_equal "$package has the repository's version" "$(field $package Version)" "$(<VERSION)-1"
  expect_equal "$package belongs to root" "$(listing $package | awk '$2 != "root/root"')" ''
  expect_equal "nobody but root may write to $package" "$(listing $package | awk '$1 !~ /^l/ && $1 ~ /^.....w|^........w/')" ''
  expect_contains "$package has its license" "$(listing $package)" "./usr/share/doc/$package/copyright"
  expect_contains "$package has its changelog" "$(listing $package)" "./usr/share/doc/$package/changelog.Debian.gz"
done

expect_contains "the license of the charts is there" "$(cat "$FILES/usr/share/doc/groupcast/uPlot.LICENSE")" 'MIT'
expect_contains "and is named" "$(cat "$FILES/usr/share/doc/groupcast/copyright")" 'usr/share/groupcast/dashboard/uPlot.*'
for unit in "$FILES"/lib/systemd/system/groupcast-*.service; do
  expect_contains "${unit##*/} has what all units have" "$(cat "$unit.d/groupcast.conf")" 'User=groupcast'
done

# groupcast: programs.
expect_contains "dpkg-shlibdeps found the libraries" "$(field groupcast Depends)" 'libzmq5 ('
expect_contains "all of them" "$(field groupcast Depends)" 'libc6 ('
expect_equal "and no package for developers" "$(grep -o -- '[a-z0-9.]*-dev' <<<"$(field groupcast Depends)" || true)" ''
for program in sbin/groupcast-{channel-server,websocket-service,http-gateway} bin/groupcast-curve-key; do
  headers=$(readelf --wide --headers "$FILES/usr/$program")
  expect_contains "$program can be loaded anywhere" "$headers" 'Type:                              DYN'
  expect_equal "$program is stripped" "$(grep -c '\.symtab' <<<"$headers" || true)" 0
done
for program in channel-server websocket-service http-gateway; do
  run "$FILES/usr/sbin/groupcast-$program" --version
  expect_contains "$program runs" "$output" "$(<VERSION)"
done
run "$FILES/usr/bin/groupcast-api-key" --help
expect_contains "the key tool has the package's name" "$output" 'groupcast-api-key - make an API key'
expect_equal "in all of its text" "$(grep -c tools/ <<<"$output" || true)" 0
run "$FILES/usr/bin/groupcast-api-key" --name=shop --scopes=publish
expect_contains "and makes a key" "$output" '{"name": "shop", "hash": "sha256:'

# groupcast: configuration and maintainer scripts.
expect_equal "dpkg asks before it overwrites the configuration" "$(<"$CONTROL/conffiles")" /etc/groupcast/groupcast.json
for script in postinst prerm postrm; do
  run sh -n "$CONTROL/$script"
  expect_equal "$script is a script" "$status$output" 0
  expect_equal "$script can be run" "$(stat -c %a "$CONTROL/$script")" 755
done
mkdir -p "$TEST_TMPDIR/var/lib/groupcast"
for section in channel_server websocket_service http_gateway; do
  # What the configuration names is not on this machine; its own copy of the pages is.
  sed "s,/usr/share,$FILES/usr/share,; s,/var/lib/groupcast,$TEST_TMPDIR/var/lib/groupcast," \
    "$FILES/etc/groupcast/groupcast.json" >"$TEST_TMPDIR/groupcast.json"
  run "$FILES/usr/sbin/groupcast-${section//_/-}" --config="$TEST_TMPDIR/groupcast.json" --check_config
  expect_equal "the configuration suits $section" "$status" 0
done

# groupcast: units.
for unit in channel websocket gateway; do
  run systemd-analyze security --offline=true --root="$FILES" --threshold=25 --no-pager "groupcast-$unit.service"
  expect_equal "groupcast-$unit.service is exposed by 2.5 at most" "$status" 0
  start=$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "$FILES/lib/systemd/system/groupcast-$unit.service")
  expect_equal "and starts a program of the package" "$(test -x "$FILES$start" && echo yes)" yes
done

# groupcast: man pages.
for page in "$FILES"/usr/share/man/man*/*.gz; do
  name=$(basename "$page" .gz)
  warnings=$(man --warnings --encoding=UTF-8 --local-file --troff-device=utf8 --ditroff "$page" 2>&1 >/dev/null)
  expect_equal "man has no warnings about $name" "$warnings" ''
  text=$(MANWIDTH=200 man --encoding=UTF-8 --no-hyphenation --local-file "$page" 2>/dev/null | col -b)
  expect_contains "$name has a name" "$text" "${name%.*} - "
  expect_equal "$name has no placeholder" "$(grep -o '@[A-Z]*@' <<<"$text" || true)" ''
  program=$FILES/usr/sbin/${name%.*}
  if [[ -x $program ]]; then
    missing=$("$program" --help | grep -oE '^  --[a-z_]+' | while read -r flag; do
      grep -qE -- "^ +$flag(=|,|$)" <<<"$text" || printf '%s ' "$flag"
    done)
    expect_equal "$name has every flag of the program" "$missing" ''
  fi
done

# complete PROGRAM WORD...: what bash offers for the last word, one a line, sorted.
complete_words() {
  (
    # shellcheck disable=SC2317 # only bash's own completion may call the real one
    compopt() { :; }
    # shellcheck disable=SC1090
    source "$FILES/usr/share/bash-completion/completions/$1"
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _groupcast "$1"
    printf '%s\n' "${COMPREPLY[@]}" | sort
  )
}
for program in channel-server websocket-service http-gateway; do
  program=groupcast-$program
  expect_equal "$program: --bi gives --bind_address" "$(complete_words "$program" --bi)" --bind_address=
  offered=$(complete_words "$program" --)
  missing=$("$FILES/usr/sbin/$program" --help | grep -oE '^  --[a-z_]+=?' | while read -r flag; do
    grep -qxF -- "$flag" <<<"$offered" || printf '%s ' "$flag"
  done)
  expect_equal "$program: every flag is offered" "$missing" ''
  expect_equal "$program is completed" "$(bash -c 'source "$0"; complete -p "$1"' \
    "$FILES/usr/share/bash-completion/completions/$program" "$program")" "complete -F _groupcast $program"
done
expect_equal "a switch that is on can be turned off" \
  "$(complete_words groupcast-websocket-service --noperson)" --nopersonal_groups
touch "$TEST_TMPDIR/one.json" "$TEST_TMPDIR/two.json"
expect_equal "paths are completed" "$(complete_words groupcast-channel-server --config = "$TEST_TMPDIR/o")" \
  "$TEST_TMPDIR/one.json"
expect_contains "also before their first letter" "$(complete_words groupcast-channel-server --config =)" "tools"

# groupcast-cli.
CLI=$TEST_TMPDIR/groupcast-cli
dpkg-deb --extract "$DEBS/groupcast-cli.deb" "$CLI"
run "$CLI/usr/bin/groupcast" --version
expect_equal "groupcast has the repository's version" "$output" "groupcast $(<VERSION)"
expect_contains "dpkg-shlibdeps found its libraries" "$(field groupcast-cli Depends)" 'libjwt0 ('
expect_equal "and no package for developers" "$(grep -o -- '[a-z0-9.]*-dev' <<<"$(field groupcast-cli Depends)" || true)" ''
expect_contains "the services recommend it" "$(field groupcast Recommends)" groupcast-cli
expect_equal "no file is in both packages" \
  "$( (listing groupcast; listing groupcast-cli) | awk '$1 !~ /^d/ { print $3 }' | sort | uniq -d)" ''
page=$CLI/usr/share/man/man1/groupcast.1.gz
expect_equal "man has no warnings about groupcast.1" \
  "$(man --warnings --encoding=UTF-8 --local-file --troff-device=utf8 --ditroff "$page" 2>&1 >/dev/null)" ''
text=$(MANWIDTH=200 man --encoding=UTF-8 --no-hyphenation --local-file "$page" 2>/dev/null | col -b)
expect_equal "groupcast.1 has no placeholder" "$(grep -o '@[A-Z]*@' <<<"$text" || true)" ''

# cli_commands: all commands that do something, one a line. The completion knows them.
cli_commands() { sed -n "s/^    '\(..*\)') words='.*/\1/p" "$CLI/usr/share/bash-completion/completions/groupcast"; }
expect_contains "the completion knows the commands" "$(cli_commands)" $'token make\n'
missing=$(cli_commands | while read -r command; do
  # shellcheck disable=SC2086 # a command has several words
  help=$("$CLI/usr/bin/groupcast" $command --help)
  [[ $help != *" COMMAND"* ]] || continue
  grep -qE "^ +groupcast $command -|^ +groupcast $command$" <<<"$text" || printf '%s ' "$command"
  { grep -oE '^  --[a-z_]+' <<<"$help" || true; } | while read -r option; do
    grep -qE -- "^ +$option(=| |$)" <<<"$text" || printf '%s:%s ' "$command" "$option"
  done
done)
expect_equal "groupcast.1 has every command and option" "$missing" ''

# complete_cli WORD...: what bash offers for the last word after "groupcast", one a line, sorted.
complete_cli() {
  (
    # shellcheck disable=SC2317 # only bash's own completion may call the real one
    compopt() { :; }
    # shellcheck disable=SC1091
    source "$CLI/usr/share/bash-completion/completions/groupcast"
    COMP_WORDS=(groupcast "$@") COMP_CWORD=$# COMPREPLY=()
    _groupcast_cli
    printf '%s\n' "${COMPREPLY[@]}" | sort
  )
}
expect_equal "commands are completed" "$(complete_cli d)" doctor
expect_equal "and those below a command" "$(complete_cli token --h)$(complete_cli token m)" '--helpmake'
expect_equal "options are those of the command" "$(complete_cli pub --ts)$(complete_cli sub news --si)" '--since='
expect_equal "also of one with two words" "$(complete_cli token make --ex)" '--expires='
expect_equal "and paths" "$(complete_cli token make --key = "$TEST_TMPDIR/o")" "$TEST_TMPDIR/one.json"
expect_equal "the completion does not take the name of the services'" \
  "$(grep -c '^_groupcast()' "$CLI/usr/share/bash-completion/completions/groupcast" || true)" 0

# The function of zsh, with zsh's own functions replaced: they need a terminal.
complete_zsh() {
  zsh -f -c '
    compset() { words[CURRENT]=${words[CURRENT]#*=}; }
    _files() { print -r -- files of "${words[CURRENT]}"; }
    _describe() { print -rl -- "${(P@)${@[(r)commands|options]}}"; }
    completion=$1; shift
    words=(groupcast "$@") CURRENT=$(($# + 1))
    complete_it() { source "$completion"; }
    complete_it' zsh "$CLI/usr/share/zsh/vendor-completions/_groupcast" "$@"
}
expect_contains "zsh knows the commands" "$(complete_zsh '')" 'sub:print the messages of groups'
expect_contains "and their options" "$(complete_zsh token make '')" '--expires=:how long the token is valid'
expect_equal "and paths" "$(complete_zsh token make --key=a)" 'files of a'

# The other packages.
expect_contains "the JavaScript client is where Debian has such files" "$(listing libjs-groupcast)" \
  ./usr/share/javascript/groupcast/groupcast.js
expect_equal "it is for all machines" "$(field libjs-groupcast Architecture)" all

finish_tests
