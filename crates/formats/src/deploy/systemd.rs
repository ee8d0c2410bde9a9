//! A systemd unit.

use super::container::{options_remarks, secrets_remark};
use super::{Deployment, comment};

/// The unit.
pub(super) fn write(deployment: &Deployment) -> String {
    let name = deployment.name();
    let mut out = comment(&format!("{}: the command that was measured, word for word.", deployment.title()));
    out += &format!("[Unit]\nDescription={} (chosen with Podium)\n", plain(deployment.title()));
    out += "Wants=network-online.target\nAfter=network-online.target\n\n[Service]\n";
    out += &comment("Give it a user of its own that may read the model: User=…");
    for remark in options_remarks(deployment, "in the server's WorkingDirectory=") {
        out += &comment(&remark);
    }
    if let Some(remark) = secrets_remark(deployment, "stand as NAME=value in this file, readable by root alone:") {
        out += &comment(&remark);
        out += &format!("EnvironmentFile=-/etc/{name}.env\n");
    }
    if !deployment.gpu_ids().is_empty() {
        out += &format!(
            "Environment={}\n",
            quote(&format!("CUDA_VISIBLE_DEVICES={}", deployment.gpu_ids().join(",")), false)
        );
    }
    for (variable, value) in deployment.env() {
        out += &format!("Environment={}\n", quote(&format!("{variable}={value}"), false));
    }
    let argv = deployment.argv();
    // The program's own word has rules of its own: a full path of plain characters, or the wrapper that looks it up.
    let wrapper = match argv.first().is_some_and(|program| is_plain_path(program)) {
        true => "",
        false => "/usr/bin/env -- ",
    };
    let words: Vec<String> = argv.iter().map(|word| quote(word, true)).collect();
    out += &format!("ExecStart={wrapper}{}\n", words.join(" "));
    out + "Restart=on-failure\nRestartSec=10\nTimeoutStopSec=60\n\n[Install]\nWantedBy=multi-user.target\n"
}

fn is_plain_path(program: &str) -> bool {
    program.starts_with('/')
        && !program.ends_with('/')
        && program.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+".contains(c))
}

/// Text without specifiers.
fn plain(text: &str) -> String {
    text.replace('%', "%%").replace('\n', " ")
}

/// A word as systemd reads it back: quoted where it has to be, with specifiers, and in commands variables, taken
/// literally.
fn quote(word: &str, in_command: bool) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    let mut out = String::with_capacity(word.len() + 2);
    out.push('"');
    for c in word.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '%' => out.push_str("%%"),
            '$' if in_command => out.push_str("$$"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
