#!/bin/sh
# Makes a token for the admin listener at the first start, then becomes the gateway.
set -eu
token=/var/lib/leadgate/admin-token
if [ ! -s "$token" ]; then
  umask 077
  python -c 'import secrets; print(secrets.token_urlsafe(24))' >"$token.new"
  mv "$token.new" "$token"
  echo "A token for the admin listener was made: docker compose exec gateway cat $token" >&2
fi
exec "$@"
