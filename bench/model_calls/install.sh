#!/bin/sh
# One environment per peer, newest release from PyPI, under $PEERS (default ~/.cache/seedbed-bench); about 3 GB.
# A peer whose install fails leaves no environment behind: run.py then says "not installed" in its row.
set -u
PEERS=${PEERS:-$HOME/.cache/seedbed-bench}
PYTHON=${PYTHON:-python3.11}
mkdir -p "$PEERS"

install() {
    name=$1
    shift
    [ -e "$PEERS/$name/installed" ] && return
    rm -rf "${PEERS:?}/$name"
    if "$PYTHON" -m venv "$PEERS/$name" &&
        "$PEERS/$name/bin/pip" --disable-pip-version-check install --quiet "$@"; then
        touch "$PEERS/$name/installed"
        echo "$name: installed"
    else
        rm -rf "${PEERS:?}/$name"
        echo "$name: install failed" >&2
    fi
}

# The server is measured with uvloop when it is here, because what it costs is taken from the same two cores.
install server uvloop
# What follows the name of each package is what its release imports without declaring it.
install datatrove datatrove orjson aiofiles aiosqlite 'xxhash<4' httpx
install curator bespokelabs-curator
install datadesigner data-designer
install sdghub sdg-hub
install distilabel 'distilabel[openai]' requests
