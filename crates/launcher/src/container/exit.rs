//! What the end of a container's program says, and the container after it.

use crate::failure::{ExitFacts, FailureClass, LaunchFailure, LaunchStage};
use crate::recognise;

/// The runtime itself failed, and the command was not started.
const RUNTIME_FAILED: i32 = 125;

/// The command is there and cannot be started.
const NOT_STARTED: i32 = 126;

/// What a runtime says of itself where it fails, and what to do. Their programs print these words.
const COMPLAINTS: [(&[&str], &str); 5] = [
    (
        &["could not select device driver", "nvidia-container-cli", "unresolvable CDI devices"],
        "the runtime cannot give GPUs to containers: install NVIDIA's container toolkit on the host and set it up for \
         this runtime",
    ),
    (
        &["manifest unknown", "pull access denied", "image not known", "No such image", "repository does not exist"],
        "the image is not there and cannot be pulled: check its name, and log the host in at its registry",
    ),
    (
        &["Cannot connect to the Docker daemon", "permission denied while trying to connect"],
        "start Docker on the host, or add the login's user to the group docker",
    ),
    (
        &[
            "No such container",
            "no such container",
            "no container with name",
            "is not running",
            "container state improper",
        ],
        "start the container that the host's settings name",
    ),
    (
        &["is already in use by container", "is already in use by"],
        "a container of that name is there already: `podium clean` shows what runs left",
    ),
];

/// The runtime passes a signal on as an exit code.
pub(crate) fn real_exit(exit: ExitFacts) -> ExitFacts {
    match exit.code {
        Some(code @ 129..=159) => ExitFacts { code: None, signal: Some(code - 128) },
        _ => exit,
    }
}

/// Why a container's program ended that nobody stopped. `out_of_memory` is what the runtime says of the container.
pub(crate) fn explain(stage: LaunchStage, exit: ExitFacts, lines: &[String], out_of_memory: bool) -> LaunchFailure {
    let mut failure = recognise::explain_exit(stage, exit, lines);
    let told_by_log = !matches!(
        failure.class,
        FailureClass::ExitedEarly
            | FailureClass::CrashSignal
            | FailureClass::HostOutOfMemory
            | FailureClass::CommandNotFound
    );
    if told_by_log {
        return failure;
    }
    if out_of_memory {
        failure.class = FailureClass::HostOutOfMemory;
        failure.reason = format!("the container ran into its memory limit; {}", failure.reason);
        failure.evidence.push("the container runtime says: OOMKilled".to_owned());
        return failure.hint("raise the limit among the host's container flags (--memory), or leave it out");
    }
    match exit.code {
        Some(RUNTIME_FAILED) => {
            failure.class = FailureClass::HostTrouble;
            failure.reason = format!("the container was not started; {}", failure.reason);
            let said = |words: &&str| lines.iter().any(|line| line.contains(words));
            let known = COMPLAINTS.iter().find(|(words, _)| words.iter().any(said));
            failure.hint(known.map_or("the last lines of the log say why", |(_, hint)| hint))
        }
        Some(NOT_STARTED) => {
            failure.class = FailureClass::CommandNotFound;
            failure.hint("the image holds the command's program, which cannot be started: see the last line of the log")
        }
        Some(127) => failure.hint(
            "the image has no such program on its PATH: correct the plan's server_command, or name the image's entry point \
             in the host's settings",
        ),
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(code: i32, lines: &[&str], out_of_memory: bool) -> LaunchFailure {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let exit = real_exit(ExitFacts { code: Some(code), signal: None });
        explain(LaunchStage::Loading, exit, &lines, out_of_memory)
    }

    #[test]
    fn the_runtimes_codes_are_told_from_the_engines() {
        assert_eq!(class(137, &["loading"], false).class, FailureClass::HostOutOfMemory);
        assert_eq!(class(139, &["loading"], false).class, FailureClass::CrashSignal);
        assert_eq!(class(127, &["x"], false).class, FailureClass::CommandNotFound);
        assert_eq!(class(126, &["x"], false).class, FailureClass::CommandNotFound);
        assert_eq!(class(1, &["x"], false).class, FailureClass::ExitedEarly);
        let limited = class(137, &["loading"], true);
        assert!(limited.reason.contains("memory limit") && limited.evidence.iter().any(|e| e.contains("OOMKilled")));
        let gpu = class(1, &["torch.OutOfMemoryError: CUDA out of memory."], true);
        assert_eq!(gpu.class, FailureClass::GpuOutOfMemory, "the log is trusted more");
    }

    #[test]
    fn what_the_runtime_could_not_do_says_what_to_do() {
        // What podman 4.3.1 printed here, and Docker's message where the container toolkit is missing.
        let image = class(125, &["Error: nosuch:1: image not known"], false);
        assert_eq!(image.class, FailureClass::HostTrouble);
        assert!(image.hint.unwrap().contains("pulled"));
        let gpu = class(
            125,
            &["docker: Error response from daemon: could not select device driver \"\" with capabilities: [[gpu]]."],
            false,
        );
        assert!(gpu.hint.unwrap().contains("container toolkit"));
    }
}
