# shellcheck shell=bash
# Installs what is missing: Debian packages by the lists in tools/packages, npm packages by their
# lock file. Sourced after console.sh; needs TOOLS (this folder's parent) and STATE (for logs).

# wanted_packages LIST...: the packages of these lists, less those whose command is there already.
wanted_packages() {
  local list package command
  for list in "$@"; do
    while read -r package command; do
      [[ -z $package || $package == '#'* ]] && continue
      [[ -n $command ]] && command -v "$command" >/dev/null && continue
      printf '%s\n' "$package"
    done <"$TOOLS/packages/$list"
  done | sort -u
}

# missing_packages LIST...: those of the wanted packages that are not installed.
missing_packages() {
  local wanted
  wanted=$(wanted_packages "$@")
  [[ -n $wanted ]] || return 0
  # dpkg-query fails when it does not know one of the names; what it knows it prints all the same.
  # shellcheck disable=SC2016,SC2086
  comm -23 <(printf '%s\n' $wanted) \
    <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted 2>/dev/null |
      sed -n 's/^installed //p' | sort -u)
}

# install_packages LIST...: returns when every package of the lists is there, or dies saying what to run.
install_packages() {
  if ! command -v apt-get >/dev/null; then
    say "No apt-get here; going on. Needed are the equivalents of:" "$(wanted_packages "$@" | paste -sd ' ')"
    return
  fi
  local missing
  missing=$(missing_packages "$@")
  [[ -n $missing ]] || return 0
  local packages
  mapfile -t packages <<<"$missing"

  local by_hand="apt-get update && apt-get install --yes --no-install-recommends ${packages[*]}"
  local as_root=()
  if ((EUID != 0)); then
    command -v sudo >/dev/null ||
      die "${#packages[@]} packages are missing, and only root can install them. As root, run:"$'\n\n'"$by_hand"$'\n'
    by_hand="sudo apt-get update && sudo ${by_hand#*&& }"
    as_root=(sudo)
    # Without a terminal nobody could answer sudo's question for a password.
    if [[ ! -t 0 ]]; then
      sudo -n true 2>/dev/null ||
        die "${#packages[@]} packages are missing, and sudo wants a password. Run:"$'\n\n'"$by_hand"$'\n'
      as_root=(sudo -n)
    fi
  fi

  say "Installing ${#packages[@]} Debian packages: ${packages[*]}"
  mkdir -p "$STATE"
  local log=$STATE/apt.log
  : >"$log"
  if ! run_apt update || ! run_apt install --yes --no-install-recommends "${packages[@]}"; then
    tail -n 20 "$log" >&2
    die "Installing packages failed (the whole story: $log). By hand it would be:"$'\n\n'"$by_hand"$'\n'
  fi
}

# run_apt ARGUMENT...: apt-get with its output in $log and, on a terminal, its progress in one line.
run_apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -q -o DPkg::Lock::Timeout=120 -o APT::Status-Fd=1 "$@" </dev/null 2>&1 |
    while IFS= read -r line; do
      case $line in
        dlstatus:* | pmstatus:*)
          [[ -n $ERASE && -z $QUIET ]] || continue
          IFS=: read -r _ _ percent what <<<"$line"
          printf '%s    %3.0f %% %s' "$ERASE" "$percent" "${what:0:60}"
          ;;
        *) printf '%s\n' "$line" >>"$log" ;;
      esac
    done
  local status=${PIPESTATUS[0]}
  [[ -n $QUIET ]] || printf '%s' "$ERASE"
  return "$status"
}

# install_npm_packages FOLDER: makes its node_modules what its package-lock.json says.
install_npm_packages() {
  local folder=$1
  # The copy tells that npm ci came to its end with exactly this lock file.
  local installed=$folder/node_modules/.installed-lock.json
  cmp -s "$folder/package-lock.json" "$installed" && return
  say "Installing the npm packages of ${folder#"$ROOT"/}"
  mkdir -p "$STATE"
  (cd "$folder" && npm ci --no-audit --no-fund) >"$STATE/npm.log" 2>&1 || {
    tail -n 20 "$STATE/npm.log" >&2
    die "npm ci failed in $folder"
  }
  cp "$folder/package-lock.json" "$installed"
}
