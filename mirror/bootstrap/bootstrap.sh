#!/bin/sh
# Sets up an operator's machine from this bundle, without a network:
#
#     sha256sum bundle/bootstrap                    # compare it with what the packer said, by another way
#     sh bundle/bootstrap --prefix /opt/sealift
#
# What to trust: this file lists the sha256 of everything that it installs, and reads each file whole and compares it
# before anything is used. So it is as good as this file is, and this file is as good as the sum that you compared:
# `sealift bundle create` and `sealift bundle sign` print it on the packer's side. Once it is installed, `sealift bundle
# verify --trust` proves by its signatures that the bundle, this file included, is the packer's.
#
# It needs sh, coreutils and Python, with its module venv: one of the versions below. It writes below the prefix alone,
# which must not exist; when anything is wrong it says what, ends with a code other than 0, and leaves nothing.
set -eu
wanted='@PYTHONS@'
bundle=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
for version in $wanted ''; do
  python=$(command -v "python${version:-3}") || continue
  if "$python" -I -c 'import sys; sys.exit("%d.%d" % sys.version_info[:2] not in sys.argv[1].split())' "$wanted" 2>/dev/null
  then
    exec "$python" -I - "$bundle" "$@" <<'INSTALLER'
@INSTALLER@
INSTALLER
  fi
done
echo "Python: none of $wanted is on PATH" >&2
echo "  why: the bundle has wheels for these versions alone" >&2
echo "  instead: install one of them (Debian: python3; RHEL: python3.11)" >&2
exit 11
