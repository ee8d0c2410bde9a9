//! Images: whether one is on a host, what it is exactly, and how it comes there.

use std::time::Duration;

use podium_domain::framework::Framework;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::command_line::{ContainerCommand, Surroundings};
use super::config::{ContainerConfig, ContainerPlace, Runtime};
use crate::command::{self, CommandSpec};
use crate::environment::Environment;
use crate::facts::HostFacts;
use crate::failure::{FailureClass, LaunchFailure, LaunchStage};
use crate::frameworks::{FoundBy, FrameworkInstall};
use crate::host::Host;

/// What is known of the image that an engine runs in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFacts {
    /// The reference that the host's settings name, or the image of the container that they name.
    pub reference: String,
    /// The digest by which a registry knows it; that of its configuration for one that never was in a registry.
    pub digest: String,
}

impl ImageFacts {
    /// The reference with the digest, which always means this very image.
    pub fn pinned(&self) -> String {
        match self.reference.contains('@') {
            true => self.reference.clone(),
            false => format!("{}@{}", self.reference, self.digest),
        }
    }
}

/// What a runtime may take to tell of an image or a container.
const INSPECT_DEADLINE: Duration = Duration::from_secs(20);

/// Images are large, and registries slow.
const PULL_DEADLINE: Duration = Duration::from_secs(4 * 3600);

/// What the place's image is; `None` where it is not on the host, or where the container does not run.
pub(crate) async fn inspect(command: &ContainerCommand) -> Option<ImageFacts> {
    inspect_on(None, command).await
}

/// The same on a host; on this machine where none is given.
pub(crate) async fn inspect_on(host: Option<&Host>, command: &ContainerCommand) -> Option<ImageFacts> {
    let reference = match &command.place {
        ContainerPlace::Image { image, .. } => image.clone(),
        ContainerPlace::Exec { container } => {
            let told = ask(host, command, ["container", "inspect", container]).await?;
            if told.pointer("/State/Running") != Some(&Value::Bool(true)) {
                return None;
            }
            let named = [told.pointer("/ImageName"), told.pointer("/Config/Image"), told.pointer("/Image")];
            named.into_iter().flatten().find_map(Value::as_str)?.to_owned()
        }
    };
    let told = ask(host, command, ["image", "inspect", &reference]).await?;
    Some(ImageFacts { digest: digest(&told)?, reference })
}

/// The one object that the runtime tells of.
async fn ask(host: Option<&Host>, command: &ContainerCommand, words: [&str; 3]) -> Option<Value> {
    let mut spec = CommandSpec::new(command.with(words));
    spec.deadline = INSPECT_DEADLINE;
    let ran = match host {
        Some(host) => host.run(&spec).await,
        None => command::run(&spec).await,
    };
    let output = ran.ok().filter(|output| output.exit.success())?;
    serde_json::from_str::<Vec<Value>>(&output.stdout).ok()?.into_iter().next()
}

fn digest(image: &Value) -> Option<String> {
    let repository = image.pointer("/RepoDigests/0").and_then(Value::as_str).and_then(|known| known.split_once('@'));
    let own =
        || image.get("Id").and_then(Value::as_str).map(|id| format!("sha256:{}", id.trim_start_matches("sha256:")));
    repository.map(|(_, digest)| digest.to_owned()).or_else(own)
}

/// The command that fetches the place's image; `None` for a container that runs already.
pub(crate) fn pull_spec(command: &ContainerCommand) -> Option<CommandSpec> {
    let ContainerPlace::Image { image, .. } = &command.place else { return None };
    let mut spec = CommandSpec::new(command.with(["pull", image]));
    spec.deadline = PULL_DEADLINE;
    Some(spec)
}

/// Why the runtime cannot be used on this machine, with what to do; its version where it can.
pub(crate) async fn usable(config: &ContainerConfig, environment: &Environment) -> Result<String, String> {
    let runtime = config.runtime;
    if config.program.is_none() && environment.find_program(runtime.word()).is_none() {
        return Err(format!("{runtime} is not on PATH here: install it, or name its program in the host's settings"));
    }
    let mut words = config.program_in(environment);
    // Docker's own version is told without its daemon, which does the work.
    let version = match runtime {
        Runtime::Docker => "{{.Server.Version}}",
        Runtime::Podman => "{{.Client.Version}}",
    };
    words.extend(["version", "--format", version].map(str::to_owned));
    let mut spec = CommandSpec::new(words);
    spec.deadline = INSPECT_DEADLINE;
    match command::run(&spec).await {
        Ok(output) if output.exit.success() => Ok(output.stdout.trim().to_owned()),
        Ok(output) => {
            let said = output.stderr.lines().chain(output.stdout.lines()).find(|line| !line.trim().is_empty());
            Err(format!(
                "{runtime} cannot be used here: it said `{}`; start its service, or give this login the right to use it",
                said.unwrap_or("nothing").trim()
            ))
        }
        Err(error) => Err(format!("{runtime} cannot be used here: {error}")),
    }
}

/// Puts what the settings say in the place of what was found outside of containers.
pub(crate) async fn describe(config: &ContainerConfig, environment: &Environment, facts: &mut HostFacts) {
    let install = |(framework, place): (&Framework, &ContainerPlace)| FrameworkInstall {
        framework: *framework,
        program: place.shown().into(),
        found_by: FoundBy::Container,
        env: Vec::new(),
        version: None,
        commit: None,
    };
    facts.frameworks = config.places.iter().map(install).collect();
    match usable(config, environment).await {
        Ok(version) => {
            let known = facts.container_runtimes.iter_mut().find(|runtime| runtime.name == config.runtime.word());
            if let Some(runtime) = known {
                runtime.version.get_or_insert(version);
            }
            facts.problems.extend(image_problems(config, environment).await);
        }
        Err(problem) => facts.problems.push(problem),
    }
}

/// A framework of which the settings say nothing.
pub(crate) fn no_place(framework: Framework) -> LaunchFailure {
    let reason = format!("the host's settings name no image for {}", framework.name());
    LaunchFailure::new(LaunchStage::Start, FailureClass::CommandNotFound, reason)
        .hint(format!("name one in the host's settings, as {}=IMAGE", framework.id()))
}

/// What is missing of the images and containers that the settings name.
async fn image_problems(config: &ContainerConfig, environment: &Environment) -> Vec<String> {
    let mut problems = Vec::new();
    for framework in config.places.keys().copied() {
        let host = Surroundings { environment, working_folder: None, gpus: 0, own_program: None };
        let Some(command) = ContainerCommand::of(config, framework, host) else { continue };
        if inspect(&command).await.is_some() {
            continue;
        }
        let runtime = config.runtime;
        problems.push(match &command.place {
                ContainerPlace::Image { image, .. } => format!(
                    "the image {image} of {} is not on the host yet: the first run fetches it, or `{runtime} pull {image}` now",
                    framework.name()
                ),
                ContainerPlace::Exec { container } => format!(
                    "the container {container} of {} does not run: `{runtime} start {container}`",
                    framework.name()
                ),
            });
    }
    problems
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_image_is_known_by_its_registrys_digest_or_else_by_its_own() {
        let pulled = json!({ "Id": "sha256:11", "RepoDigests": ["vllm/vllm-openai@sha256:22"] });
        assert_eq!(digest(&pulled).as_deref(), Some("sha256:22"));
        for id in ["sha256:11", "11"] {
            assert_eq!(digest(&json!({ "Id": id, "RepoDigests": [] })).as_deref(), Some("sha256:11"));
        }
        let facts = ImageFacts { reference: "a/b:1".into(), digest: "sha256:22".into() };
        assert_eq!(facts.pinned(), "a/b:1@sha256:22");
        let pinned = ImageFacts { reference: "a/b@sha256:22".into(), ..facts };
        assert_eq!(pinned.pinned(), "a/b@sha256:22");
    }

    #[tokio::test]
    async fn a_runtime_that_is_not_there_or_refuses_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::from_pairs([("PATH", folder.path().to_str().unwrap())]);
        let config = ContainerConfig::default();
        assert!(usable(&config, &environment).await.unwrap_err().contains("docker is not on PATH here"));
        let program = folder.path().join("docker");
        std::fs::write(&program, "#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n").unwrap();
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let refused = usable(&config, &environment).await.unwrap_err();
        assert!(refused.contains("Cannot connect to the Docker daemon") && refused.contains("start its service"));
    }
}
