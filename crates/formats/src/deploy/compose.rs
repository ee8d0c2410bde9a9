//! A compose file.

use super::container::{CACHE, env, image, needs_locked_memory, remarks};
use super::yaml::{list, text};
use super::{Deployment, comment};

/// Compose replaces `$NAME`; two dollars stand for one.
fn escaped(value: &str) -> String {
    value.replace('$', "$$")
}

/// The file.
pub(super) fn write(deployment: &Deployment) -> String {
    let mut out: String = remarks(deployment).iter().map(|remark| comment(remark)).collect();
    let words: Vec<String> = deployment.argv().iter().map(|word| escaped(word)).collect();
    out += &format!("services:\n  {}:\n    image: {}\n", deployment.name(), text(image(deployment)));
    out += "    network_mode: host\n    ipc: host\n    restart: unless-stopped\n";
    if let Some((program, arguments)) = words.split_first() {
        out += &format!("    entrypoint:\n{}", list([program.as_str()], 6));
        if arguments.is_empty() {
            out += "    command: []\n";
        } else {
            out += &format!("    command:\n{}", list(arguments.iter().map(String::as_str), 6));
        }
    }
    let variables = env(deployment);
    if !variables.is_empty() || !deployment.secrets().is_empty() {
        out += "    environment:\n";
        // A name without a value is taken from the environment.
        out.extend(deployment.secrets().iter().map(|name| format!("      {name}:\n")));
        out.extend(variables.iter().map(|(name, value)| format!("      {name}: {}\n", text(&escaped(value)))));
    }
    out += "    volumes:\n      - type: bind\n";
    match deployment.local_model() {
        Some(path) => {
            let path = text(&escaped(path));
            out += &format!("        source: {path}\n        target: {path}\n        read_only: true\n");
        }
        None => {
            out += "        source: \"${HF_HOME:-${HOME}/.cache/huggingface}\"\n";
            out += &format!("        target: {CACHE}\n");
        }
    }
    if needs_locked_memory(deployment) {
        out += "    shm_size: 16g\n    ulimits:\n      memlock: -1\n      stack: 67108864\n";
    }
    if deployment.gpu_count() != Some(0) {
        out +=
            "    deploy:\n      resources:\n        reservations:\n          devices:\n            - driver: nvidia\n";
        out += &match (deployment.gpu_ids(), deployment.gpu_count()) {
            ([], Some(count)) => format!("              count: {count}\n"),
            ([], None) => "              count: all\n".to_owned(),
            (ids, _) => format!("              device_ids:\n{}", list(ids.iter().map(String::as_str), 16)),
        };
        out += "              capabilities: [gpu]\n";
    }
    out
}
