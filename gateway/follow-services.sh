#!/bin/sh
# Entry point of the image: starts nginx, and has it read its configuration anew when a service has another address.
# nginx looks names up once, when it reads its configuration; a reload ends no connection.
upstreams="${SIGNING_UPSTREAM%:*} ${DEVICE_UPSTREAM%:*} ${SIM_UPSTREAM%:*} ${MONITORING_UPSTREAM%:*}"

# Every address, or nothing while one name has none: nginx refuses a configuration that it cannot resolve.
addresses() {
    for name in $upstreams; do
        found=$(getent hosts "$name") || return 1
        echo "$found" | sort  # a name with several addresses has them in another order each time
    done
}

follow() {
    known=$(addresses)
    while sleep "${FOLLOW_SECONDS:-2}"; do
        found=$(addresses) || continue
        [ "$found" = "$known" ] && continue
        nginx -s reload && known=$found
    done
}

follow &
exec /docker-entrypoint.sh "$@"
