# shellcheck shell=bash
# Bare roots of Debian 12, which stand for machines that have nothing. Sourced after tool.sh; only root can use it.

# debian_sources: this machine's apt lines for Debian 12.
debian_sources() {
  local lines
  # shellcheck disable=SC2016
  lines=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    awk '$2 ~ /^bookworm(-updates|-security)?$/ { print "deb", $0 }' | sort -u)
  [[ -n $lines ]] || die "apt here knows no Debian 12; add its sources (bookworm) first."
  printf '%s\n' "$lines"
}

# make_root ROOT [PACKAGE]...: a minimal Debian 12 with these packages.
make_root() {
  local root=$1 mirror include
  shift
  include=$(IFS=, && printf '%s' "$*")
  mirror=$(debian_sources | awk '$3 == "bookworm" { print $2; exit }')
  debootstrap --variant=minbase ${include:+"--include=$include"} bookworm "$root" "$mirror" \
    >"$STATE/debootstrap.log" 2>&1 || die "debootstrap failed; see $STATE/debootstrap.log"
}

# copy_settings ROOT: how this machine gets at packages. Certificates and keys add to what the root has.
copy_settings() {
  local root=$1 path
  debian_sources >"$root/etc/apt/sources.list"
  for path in /etc/apt/keyrings /etc/apt/trusted.gpg.d /usr/share/keyrings /usr/local/share/ca-certificates \
    /etc/ssl/certs/ca-certificates.crt; do
    if [[ -e $path ]]; then
      mkdir -p "$root${path%/*}"
      cp -rLn "$path" "$root${path%/*}/"
    fi
  done
  apt-config dump --format '%F "%v";%n' |
    grep -E '^(Acquire::([a-z]+::Proxy|Check-|ForceIPv|.*::Ca)|.*Verify)' >"$root/etc/apt/apt.conf.d/99host" || true
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  cp /etc/hosts "$root/etc/hosts"
}

# machine_environment: what a login there has, and how this machine reaches the network. One a line.
machine_environment() {
  printf '%s\n' HOME=/root USER=root SHELL=/bin/bash LANG=C.UTF-8 "TERM=${TERM-dumb}" \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
  env | grep -iE '^(https?_proxy|no_proxy|SSL_CERT_FILE|SSL_CERT_DIR|NODE_EXTRA_CA_CERTS)=' || true
  if command -v npm >/dev/null; then
    local key value
    for key in registry cafile proxy https-proxy; do
      value=$(npm config get "$key" 2>/dev/null || true)
      [[ $value == null || -z $value ]] || printf 'npm_config_%s=%s\n' "${key//-/_}" "$value"
    done
  fi
}

# timed WHAT COMMAND...: runs it and adds a line to the file $RESULTS.
timed() {
  local what=$1 start=$EPOCHSECONDS
  shift
  say "$what"
  if "$@"; then
    printf '%s\t%s s\tok\n' "$what" $((EPOCHSECONDS - start)) >>"$RESULTS"
  else
    printf '%s\t%s s\tFAILED\n' "$what" $((EPOCHSECONDS - start)) >>"$RESULTS"
    return 1
  fi
}
