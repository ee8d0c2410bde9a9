//! `docker run`.

use podium_domain::flags::shell_join;

use super::container::{CACHE, env, image, needs_locked_memory, remarks};
use super::{Deployment, comment};

/// A shell script of one command.
pub(super) fn write(deployment: &Deployment) -> String {
    let quoted = |words: &[&str]| shell_join(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
    let mut lines =
        vec![format!("docker run --rm --name {}", deployment.name()), "--network host --ipc=host".to_owned()];
    match (deployment.gpu_count(), deployment.gpu_ids()) {
        (Some(0), _) => {}
        // Docker reads this value as a list of its own, so the quotes have to reach it.
        (_, ids) if !ids.is_empty() => lines.push(quoted(&["--gpus", &format!("\"device={}\"", ids.join(","))])),
        (Some(count), _) => lines.push(format!("--gpus {count}")),
        (None, _) => lines.push("--gpus all".to_owned()),
    }
    if needs_locked_memory(deployment) {
        lines.push("--ulimit memlock=-1 --ulimit stack=67108864 --shm-size=16g".to_owned());
    }
    lines.extend(deployment.secrets().iter().map(|name| quoted(&["-e", name])));
    lines.extend(env(deployment).iter().map(|(name, value)| quoted(&["-e", &format!("{name}={value}")])));
    match deployment.local_model() {
        Some(path) => lines.push(quoted(&["--mount", &bind(path)])),
        None => lines.push(format!("-v \"${{HF_HOME:-$HOME/.cache/huggingface}}:{CACHE}\"")),
    }
    if let Some((program, arguments)) = deployment.argv().split_first() {
        lines.push(quoted(&["--entrypoint", program]));
        lines.push(quoted(&[image(deployment)]));
        lines.push(shell_join(arguments));
    }
    lines.retain(|line| !line.is_empty());
    let mut out = "#!/bin/sh\n".to_owned();
    out.extend(remarks(deployment).iter().map(|remark| comment(remark)));
    out + &lines.join(" \\\n  ") + "\n"
}

/// A read-only mount at the same place. Docker reads it as a line of CSV.
fn bind(path: &str) -> String {
    let field = |key: &str| match path.contains([',', '"', '\n', '\r']) {
        true => format!("\"{key}={}\"", path.replace('"', "\"\"")),
        false => format!("{key}={path}"),
    };
    format!("type=bind,{},{},readonly", field("source"), field("target"))
}
