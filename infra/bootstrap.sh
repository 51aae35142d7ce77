#!/bin/sh
# Makes the machine ready: Debian packages that are missing, and .venv with the pinned Python packages.
#   infra/bootstrap.sh runtime   what `make up` needs
#   infra/bootstrap.sh dev       what tests and checks need on top
#   infra/bootstrap.sh unit      the same without servers and browser
#   infra/bootstrap.sh bench     the same with the load generator wrk instead of a browser
# Silent and quick when there is nothing to do. MODE=compose, or a Docker engine that answers, needs no servers of Debian.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
level=${1:-runtime}
venv=$root/.venv
log=$root/.fleet/bootstrap.log
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export DEBIAN_FRONTEND=noninteractive
cd "$root"

say() { printf '%s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

find_python() {
    for candidate in python3.11 python3.12 python3.13 python3 /usr/bin/python3; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
}

native() {
    case ${MODE:-} in
        native) return 0 ;;
        compose) return 1 ;;
    esac
    ! { have docker && timeout 10 docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }
}

# Names of the Debian packages that are missing, without those that Python needs.
missing_servers() {
    [ "$level" != unit ] || return 0
    # Tests and benchmarks bring up a whole fleet without containers, whatever `make up` does here.
    if [ "$level" != runtime ] || native; then
        [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || echo rabbitmq-server
        have redis-server || echo redis-server
        have nginx || echo nginx
        have initdb || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || echo postgresql
        have setpriv || echo util-linux
    fi
    [ "$level" != dev ] || have chromium || have google-chrome || echo chromium
    [ "$level" != bench ] || have wrk || echo wrk
}

# Asks for the password here, while there is a terminal to ask on.
may_install() {
    have apt-get || die "Please install these packages first (this machine has no apt-get): $*"
    sudo=
    [ "$(id -u)" != 0 ] || return 0
    if [ -t 0 ]; then sudo=sudo; else sudo='sudo -n'; fi
    { have sudo && $sudo true 2>/dev/null; } ||
        die "Please install these Debian packages first (this account may not): $*"
}

# Debian starts what it installs, and again after every reboot; our servers are private ones.
install_packages() {
    policy=/usr/sbin/policy-rc.d
    guard=
    if [ ! -e $policy ]; then
        guard=1
        printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null
        $sudo chmod 755 $policy
    fi
    options='-qq -y --no-install-recommends -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120'
    status=0
    # shellcheck disable=SC2086
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install $options "$@" >>"$log" 2>&1 ||
        { $sudo apt-get update -qq >>"$log" 2>&1 &&
          $sudo env DEBIAN_FRONTEND=noninteractive apt-get install $options "$@" >>"$log" 2>&1; } || status=1
    [ -z "$guard" ] || $sudo rm -f $policy
    for unit in "$@"; do
        have systemctl && $sudo systemctl disable --now "$unit" >/dev/null 2>&1 || true
    done
    [ $status = 0 ] || die "These Debian packages could not be installed; please install them first: $* (see $log)"
}

digest() { cat "$@" | sha256sum | cut -d' ' -f1; }

packages='contracts fleet-kit signing-service device-service sim-service monitoring-service device-simulator once-sandbox infra'
projects=$(for package in $packages; do echo "$package/pyproject.toml"; done)

# shellcheck disable=SC2086
wanted() { digest "requirements/$1.txt" requirements/build.txt $projects; }
satisfied() { [ "$(cat "$venv/.fleet-$1" 2>/dev/null)" = "$(wanted "$1")" ]; }

install_python() {
    [ "$level" = runtime ] || level=dev
    satisfied "$level" && return 0
    [ "$level" = runtime ] && satisfied dev && return 0
    python=$(find_python)
    [ -n "$python" ] || die "Please install Python 3.11 or newer with its venv module (Debian: python3-venv)."
    say "Installing Python packages into .venv (once) …"
    [ -x "$venv/bin/pip" ] || "$python" -m venv "$venv"
    pip="$venv/bin/python -m pip --disable-pip-version-check -q --no-input"
    $pip install -r requirements/build.txt -r "requirements/$level.txt" 2>>"$log" ||
        die "The Python packages could not be installed; see $log"
    editable=$(for package in $packages; do printf -- '-e ./%s ' "$package"; done)
    # shellcheck disable=SC2086
    $pip install --no-deps --no-build-isolation $editable 2>>"$log" ||
        die "This project's own packages could not be installed; see $log"
    wanted "$level" >"$venv/.fleet-$level"
}

mkdir -p .fleet && chmod 700 .fleet
exec 9>"$root/.fleet/bootstrap.lock"
if have flock; then flock 9; fi

if [ ! -x "$venv/bin/python" ] && [ -z "$(find_python)" ]; then
    may_install python3-venv
    say "Installing the Debian package python3-venv …"
    install_packages python3-venv
fi
servers=$(missing_servers | tr '\n' ' ')
if [ -n "$servers" ]; then
    # shellcheck disable=SC2086
    may_install $servers
    say "Installing Debian packages: $servers…"
    # shellcheck disable=SC2086
    install_packages $servers &
    debian=$!
fi
install_python
if [ -n "$servers" ]; then wait "$debian" || exit 1; fi
