//! What a shared report leaves out: hosts' names, artifacts and local paths.

use std::net::IpAddr;

use serde_json::Value;

use super::{HostFacts, MACHINE_FACT, Report};
use crate::flags::shell_join;

/// Stands for a local path.
const PATH: &str = "<path>";

/// Stands for a host's name.
const HOST: &str = "<host>";

/// The name of the host that Podium itself runs on: words that stand in ordinary sentences as well.
pub const THIS_MACHINE: &str = "this machine";

/// Keys whose value is a command line.
const COMMANDS: [&str; 3] = ["server_command", "benchmark_command", "launch_command"];

/// Keys whose value can be a path as a whole, blanks included.
const PLACES: [&str; 3] = ["model", "tokenizer", "dataset_path"];

impl HostFacts {
    /// What the host is called: its name in Podium, unless that is the everyday word for the machine at hand, and the
    /// name that the machine gives itself.
    fn names(&self) -> Vec<&str> {
        let own = self.facts.iter().filter(|(what, _)| what == MACHINE_FACT).map(|(_, name)| name.as_str());
        own.chain([self.name.as_str()]).filter(|name| name.len() > 1 && *name != THIS_MACHINE).collect()
    }
}

impl Report {
    /// The report for people outside: without host, artifacts and logs, and with local paths and the host's name
    /// replaced in every text. It is for sharers who do not include them.
    ///
    /// # Errors
    /// Only where a figure is not a number, which no measurement yields.
    pub fn redacted(&self) -> serde_json::Result<Report> {
        // Every text is looked at, wherever it stands, so that a new field cannot be forgotten here.
        let mut names = self.hardware.host.as_ref().map(HostFacts::names).unwrap_or_default();
        names.extend(self.rows.iter().filter_map(|row| row.podium.as_ref()?.node.as_deref()));
        let mut value = serde_json::to_value(self)?;
        redact_value(&mut value, &names, "");
        serde_json::from_value(value)
    }
}

fn redact_value(value: &mut Value, hosts: &[&str], key: &str) {
    match value {
        Value::String(text) => {
            let redacted = if COMMANDS.contains(&key) {
                redact_command(text)
            } else if PLACES.contains(&key) && starts_path(text) {
                PATH.to_owned()
            } else {
                redact_text(text)
            };
            *text = hosts.iter().fold(redact_url_hosts(&redacted), |text, host| replace_host(&text, host));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| redact_value(item, hosts, key)),
        Value::Object(map) => {
            for key in ["artifacts", "host", "log", "server_log"] {
                map.shift_remove(key);
            }
            for (key, item) in map.iter_mut() {
                // The request path looks like a local one.
                if key != "endpoint" {
                    redact_value(item, hosts, key);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Replaces a host's name where it stands as a word of its own.
fn replace_host(text: &str, host: &str) -> String {
    let part_of_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '-' || c == '_');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(host) {
        let (before, after) = (&rest[..at], &rest[at + host.len()..]);
        out.push_str(before);
        let inside = part_of_word(before.chars().next_back()) || part_of_word(after.chars().next());
        out.push_str(if inside { host } else { HOST });
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Replaces hosts of URLs that are not the reader's own machine.
fn redact_url_hosts(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after.find(|c: char| "/?#\"'`,;<> )".contains(c) || c.is_whitespace()).unwrap_or(after.len());
        let authority = &after[..end];
        let name = authority.rsplit('@').next().unwrap_or(authority);
        let (name, port) = match name.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (name, Some(port)),
            _ => (name, None),
        };
        let is_local = ["127.0.0.1", "localhost", "0.0.0.0", "[::1]"].contains(&name);
        if authority.is_empty() || (is_local && !authority.contains('@')) {
            out.push_str(authority);
        } else {
            out.push_str(HOST);
            if let Some(port) = port {
                out.push(':');
                out.push_str(port);
            }
        }
        rest = &after[end..];
    }
    out.push_str(rest);
    out
}

/// Replaces local paths in the words of a command line and quotes it again.
fn redact_command(command: &str) -> String {
    let Some(words) = shlex::split(command) else {
        // An unclosed quote: not a command line, but it may hold paths all the same.
        return redact_text(command);
    };
    words.iter().map(|word| quote(&redact_word(word))).collect::<Vec<_>>().join(" ")
}

/// Quotes a word for a shell, but leaves the placeholder readable, and the name of an assignment or flag unquoted.
fn quote(word: &str) -> String {
    if is_plain(word) {
        return word.to_owned();
    }
    match word.split_once('=') {
        Some((name, value)) if is_plain(name) => format!("{name}={}", shell_join(&[value.to_owned()])),
        _ => shell_join(&[word.to_owned()]),
    }
}

/// Whether a shell takes `word` as it is, apart from the placeholder.
fn is_plain(word: &str) -> bool {
    !word.is_empty()
        && word
            .replace(PATH, "")
            .replace(HOST, "")
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c))
}

/// One word: a path or an address as a whole, behind a flag's `=` or a short flag, or inside a value.
fn redact_word(word: &str) -> String {
    let after_equals = word.find('=').map_or(0, |at| at + 1);
    let after_short_flag = match word.as_bytes() {
        [b'-', letter, ..] if letter.is_ascii_alphabetic() => 2,
        _ => 0,
    };
    for start in [0, after_equals, after_short_flag] {
        let (flag, value) = word.split_at(start);
        if value.parse::<IpAddr>().is_ok_and(|address| !address.is_loopback() && !address.is_unspecified()) {
            return format!("{flag}{HOST}");
        }
        // Blanks can be part of a path; a script has several commands.
        let is_script = ["; ", " && ", " || ", " | "].iter().any(|between| value.contains(between));
        if starts_path(value) && !is_request_path(value) && !is_script {
            return format!("{flag}{PATH}");
        }
    }
    redact_text(word)
}

/// Replaces paths inside running text: at its start and after blanks, quotes, brackets and separators.
fn redact_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut before: Option<char> = None;
    while let Some(c) = rest.chars().next() {
        let at_start = before.is_none_or(|b| b.is_whitespace() || "\"'`([{<=:,;@|&>".contains(b));
        if at_start && starts_path(rest) && !is_request_path(rest) {
            let end = rest.find(ends_path).unwrap_or(rest.len());
            // A full stop or colon that closes a sentence or a clause is not part of the path.
            let path = rest[..end].trim_end_matches(['.', ':']);
            out.push_str(PATH);
            before = path.chars().next_back();
            rest = &rest[path.len()..];
        } else {
            out.push(c);
            before = Some(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

fn ends_path(c: char) -> bool {
    c.is_whitespace() || "\"'`)]}>,;|&".contains(c)
}

/// Whether `text` begins with a path of this machine: from the root, from a home or from a folder at hand, as a
/// `file:` URL, or with a drive letter.
fn starts_path(text: &str) -> bool {
    if let Some(rest) = text.strip_prefix('/') {
        // `//` is the middle of a URL, and `/` alone is a word of prose.
        return rest.starts_with(|c: char| c.is_alphanumeric() || "._-~$+".contains(c));
    }
    let drive = |b: &[u8]| b.len() > 2 && b[0].is_ascii_alphabetic() && b[1] == b':' && b"\\/".contains(&b[2]);
    let home = text.starts_with('~')
        && text[1..].split('/').next().is_some_and(|user| {
            text.len() > 1 + user.len() && user.chars().all(|c| c.is_alphanumeric() || "._-".contains(c))
        });
    let prefixes = ["./", "../", "$HOME/", "${HOME}/", "file:/"];
    home || prefixes.iter().any(|prefix| text.starts_with(prefix))
        || (drive(text.as_bytes()) && !text[2..].starts_with("//"))
}

/// Paths of the servers' own HTTP interface, which say nothing about a machine.
fn is_request_path(text: &str) -> bool {
    let path = text.split(ends_path).next().unwrap_or(text);
    path.starts_with("/v1/") || ["/health", "/metrics", "/generate", "/health_generate"].contains(&path)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn commands_lose_their_paths_and_stay_commands() {
        let cases = [
            ("vllm serve org/model --max-model-len 4096", "vllm serve org/model --max-model-len 4096"),
            ("/opt/venv/bin/python -m sglang.launch_server", "<path> -m sglang.launch_server"),
            ("llama-server --model '/srv/my models/x.gguf' --parallel 2", "llama-server --model <path> --parallel 2"),
            ("trtllm-serve serve --extra=/home/u/x.yaml", "trtllm-serve serve --extra=<path>"),
            ("HF_HOME=/data/hf vllm serve ~/m", "HF_HOME=<path> vllm serve <path>"),
            (r#"s --json '{"path":"/a/b","n":1}'"#, r#"s --json '{"path":"<path>","n":1}'"#),
            (
                "b --base-url http://127.0.0.1:8000 --endpoint /v1/completions",
                "b --base-url http://127.0.0.1:8000 --endpoint /v1/completions",
            ),
            ("bash -c 'cd /home/u && ./run.sh'", "bash -c 'cd <path> && <path>'"),
            ("s --lora a=/x/y,b=/z", "s --lora a=<path>"),
            ("A='b c' x '--y=d e' '' 'it'\\''s'", r#"A='b c' x --y='d e' '' "it's""#),
            ("docker run -v /data:/data img", "docker run -v <path> img"),
            ("cc -I/home/u/include -L ~/lib", "cc -I<path> -L <path>"),
            ("s --host 10.1.2.3 --peer=192.168.0.9 --host 0.0.0.0", "s --host <host> --peer=<host> --host 0.0.0.0"),
            ("python '/a b/c d.py' x", "python <path> x"),
        ];
        for (command, expected) in cases {
            assert_eq!(redact_command(command), expected, "{command}");
        }
        assert_eq!(redact_command("s --m '/a/b"), "s --m '<path>", "an unclosed quote");
    }

    proptest! {
        /// Wherever a path stands in a command line, what is behind its first folder never gets through.
        #[test]
        fn no_word_lets_a_path_through(
            before in "([a-z]{0,3}[ =:,\"'\\[{(@|;]{1,2})?",
            root in prop::sample::select(vec!["/home/", "~/", "../", "./", "file:///", "/srv/models/"]),
            after in "[ \",'}\\])]{0,2}[a-z]{0,3}",
        ) {
            let word = format!("{before}{root}secret{after}");
            let redacted = redact_command(&shell_join(&["serve".to_owned(), word.clone()]));
            prop_assert!(!redacted.contains("secret"), "{} became {}", word, redacted);
        }
    }

    #[test]
    fn texts_lose_their_paths_and_nothing_else() {
        let cases = [
            ("cannot open /home/u/m.gguf: no such file", "cannot open <path>: no such file"),
            ("see \"/var/log/x.log\".", "see \"<path>\"."),
            ("1/2 of req/s and n/a, 8 / 9", "1/2 of req/s and n/a, 8 / 9"),
            ("GET /v1/completions gave 500", "GET /v1/completions gave 500"),
            ("at https://example.org/a/b", "at https://example.org/a/b"),
            ("C:\\models\\x and ../y", "<path> and <path>"),
            ("/", "/"),
        ];
        for (text, expected) in cases {
            assert_eq!(redact_text(text), expected);
        }
    }

    #[test]
    fn hosts_disappear_where_they_stand_alone() {
        let replace = |text: &str| replace_host(&redact_url_hosts(text), "gpu1");
        assert_eq!(replace("gpu1: gpu12 on gpu1."), "<host>: gpu12 on <host>.");
        assert_eq!(replace("http://10.0.0.7:8000/v1 http://localhost:1"), "http://<host>:8000/v1 http://localhost:1");
        assert_eq!(replace("http://u:p@box/x"), "http://<host>/x");
    }

    #[test]
    fn the_machines_own_name_is_a_name_and_this_machine_is_not() {
        let facts = vec![(MACHINE_FACT.to_owned(), "box-7".to_owned()), ("CPU".to_owned(), "x".to_owned())];
        let host = HostFacts { name: THIS_MACHINE.to_owned(), facts };
        assert_eq!(host.names(), ["box-7"]);
        assert_eq!(HostFacts { name: "far".to_owned(), ..host }.names(), ["box-7", "far"]);
    }
}
