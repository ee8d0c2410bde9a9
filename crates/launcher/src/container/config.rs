//! How a host's owner says that engines run in containers.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use podium_domain::framework::Framework;
use serde::{Deserialize, Serialize};

use crate::environment::Environment;

/// The program that runs containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Runtime {
    /// Docker's command line, and what copies it.
    #[default]
    Docker,
    /// Podman.
    Podman,
}

impl Runtime {
    /// Every one.
    pub const ALL: [Runtime; 2] = [Runtime::Docker, Runtime::Podman];

    /// The program's name, which is also the word that is stored.
    pub fn word(self) -> &'static str {
        match self {
            Runtime::Docker => "docker",
            Runtime::Podman => "podman",
        }
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Where the servers of one framework run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContainerPlace {
    /// Each in a container of its own, made from an image.
    Image {
        /// The image's reference, for example `vllm/vllm-openai:v0.12.0`.
        image: String,
        /// What starts the server: a program of the image instead of the first word of the server command, or `-` for the
        /// image's own entry point, which is given the whole command. Absent: the first word of the server command.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        entrypoint: Option<String>,
    },
    /// In a container that runs already and that nobody here stops.
    Exec {
        /// The container's name.
        container: String,
    },
}

/// The word that keeps an image's own entry point.
pub(crate) const OWN_ENTRYPOINT: &str = "-";

/// How engines of a host are put into containers. It is stored: no secrets.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainerConfig {
    /// The program that runs them.
    #[serde(default)]
    pub runtime: Runtime,
    /// Where that is; looked up on PATH where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<PathBuf>,
    /// Words before `run`, for the program itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub global_flags: Vec<String>,
    /// Words after `run`, a flag and its value as one word or two. A flag that Podium sets by itself is replaced by the
    /// same flag here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub run_flags: Vec<String>,
    /// Leaves out every flag that Podium would set by itself, but for those that it finds its containers by.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_default_flags: bool,
    /// Folders and files of the host that the engine sees: `/path`, `/path:/in/container` or with `:ro` at the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<String>,
    /// The GPUs that engines get; all of the host's where empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gpus: Vec<u32>,
    /// Where each framework runs. One that is not named here cannot be started on the host.
    #[serde(default)]
    pub places: BTreeMap<Framework, ContainerPlace>,
}

impl ContainerConfig {
    /// Everything that is wrong with it: the setting, and a sentence that says what to do. Nothing is looked up.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if let Some(path) = self.program.as_ref().filter(|path| !path.is_absolute()) {
            problems.push((
                "container_program",
                format!("{} is no absolute path of {}: begin it with /", path.display(), self.runtime),
            ));
        }
        if self.places.is_empty() {
            problems.push((
                "places",
                "no framework has an image: name one, such as vllm=vllm/vllm-openai:v0.12.0".to_owned(),
            ));
        }
        for (framework, place) in &self.places {
            problems.extend(place.problem().map(|text| ("places", format!("{}: {text}", framework.id()))));
        }
        for mount in self.mounts.iter().filter(|mount| !is_mount(mount)) {
            problems.push((
                "mounts",
                format!("`{mount}` is no mount: write /path, /path:/in/container or /path:/in/container:ro"),
            ));
        }
        for (setting, words) in [("global_flags", &self.global_flags), ("run_flags", &self.run_flags)] {
            problems.extend(words.iter().filter_map(|word| Some((setting, flag_problem(word)?))));
        }
        problems
    }
}

impl ContainerConfig {
    /// The runtime's program and its own flags.
    pub(crate) fn program_in(&self, environment: &Environment) -> Vec<String> {
        let found = self.program.clone().or_else(|| environment.find_program(self.runtime.word()));
        let program = found.map_or_else(|| self.runtime.word().to_owned(), |path| path.display().to_string());
        std::iter::once(program).chain(self.global_flags.iter().cloned()).collect()
    }
}

impl ContainerPlace {
    fn problem(&self) -> Option<String> {
        match self {
            ContainerPlace::Image { image, .. } if !is_reference(image) => {
                Some(format!("`{image}` is no image: write it as `docker pull` takes it"))
            }
            ContainerPlace::Image { entrypoint: Some(program), .. } if program.is_empty() || program.contains('\0') => {
                Some("its entry point is no program: name one, or - for the image's own".to_owned())
            }
            ContainerPlace::Exec { container } if !is_name(container) => {
                Some(format!("`{container}` is no name of a container"))
            }
            _ => None,
        }
    }

    /// From one line: `IMAGE`, `IMAGE PROGRAM` with what starts the server, or `exec CONTAINER`.
    pub fn from_line(line: &str) -> Self {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["exec", container] => ContainerPlace::Exec { container: container.to_owned() },
            [image, program] => ContainerPlace::Image { image: image.to_owned(), entrypoint: Some(program.to_owned()) },
            // More words than an image has are told as a problem of it.
            _ => ContainerPlace::Image { image: line.trim().to_owned(), entrypoint: None },
        }
    }

    /// As [`ContainerPlace::from_line`] reads it.
    pub fn line(&self) -> String {
        match self {
            ContainerPlace::Image { image, entrypoint: Some(program) } => format!("{image} {program}"),
            ContainerPlace::Image { image, entrypoint: None } => image.clone(),
            ContainerPlace::Exec { container } => format!("exec {container}"),
        }
    }

    /// The image's reference or the container's name, for people.
    pub fn shown(&self) -> String {
        match self {
            ContainerPlace::Image { image, .. } => image.clone(),
            ContainerPlace::Exec { container } => format!("container {container}"),
        }
    }
}

fn is_reference(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-/:@".contains(c))
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

fn is_mount(text: &str) -> bool {
    let parts: Vec<_> = text.split(':').collect();
    let path = |part: &str| part.starts_with('/') && !part.contains('\0');
    match parts[..] {
        [host] => path(host),
        [host, inside] => path(host) && path(inside),
        [host, inside, options] => {
            path(host) && path(inside) && options.chars().all(|c| c.is_ascii_alphabetic() || c == ',')
        }
        _ => false,
    }
}

/// Why a word cannot be among the flags: it would take from Podium what it finds its containers by, or hold a secret.
fn flag_problem(word: &str) -> Option<String> {
    let (flag, value) = word.split_once('=').unwrap_or((word, ""));
    if word.is_empty() || word.contains('\0') {
        return Some("an empty word is no flag".to_owned());
    }
    if ["--name", "--label-file", "--detach", "-d", "--rm", "--entrypoint", "--cidfile"].contains(&flag) {
        return Some(format!("{flag} cannot be set: Podium starts, names and removes its containers itself"));
    }
    let variable = if flag == "--env" || flag == "-e" { value.split_once('=') } else { word.split_once('=') };
    let secret = variable.filter(|(name, value)| !value.is_empty() && crate::scrub::names_a_secret(name));
    secret.map(|(name, _)| {
        format!(
            "{name} looks like a secret, and a host's settings are stored: set it in the environment of `podium`, which \
             hands HF_TOKEN and HUGGINGFACE_HUB_TOKEN to engines"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: impl FnOnce(&mut ContainerConfig)) -> Vec<(&'static str, String)> {
        let image = ContainerPlace::Image { image: "vllm/vllm-openai:v0.12.0@sha256:ab".into(), entrypoint: None };
        let mut config =
            ContainerConfig { places: BTreeMap::from([(Framework::Vllm, image)]), ..ContainerConfig::default() };
        change(&mut config);
        config.problems()
    }

    #[test]
    fn good_settings_have_no_problem_and_are_read_back() {
        assert_eq!(with(|_| {}), []);
        let config = ContainerConfig {
            runtime: Runtime::Podman,
            mounts: vec!["/data:/data:ro".into()],
            gpus: vec![6, 7],
            places: BTreeMap::from([(Framework::Sglang, ContainerPlace::Exec { container: "box".into() })]),
            ..ContainerConfig::default()
        };
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<ContainerConfig>(&text).unwrap(), config);
    }

    #[test]
    fn a_place_is_written_on_one_line() {
        for line in ["vllm/vllm-openai:v1", "ghcr.io/x/y:server /app/llama-server", "i -", "exec box"] {
            assert_eq!(ContainerPlace::from_line(line).line(), line);
        }
        assert_eq!(ContainerPlace::from_line(" exec  box "), ContainerPlace::Exec { container: "box".into() });
        assert!(ContainerPlace::from_line("a b c").problem().is_some());
    }

    #[test]
    fn what_could_not_work_or_would_store_a_secret_is_told_at_its_setting() {
        let settings = |problems: Vec<(&'static str, String)>| problems.into_iter().map(|(s, _)| s).collect::<Vec<_>>();
        assert_eq!(settings(with(|c| c.places.clear())), ["places"]);
        for image in ["", "-v", "--privileged", "a b", "$(x)", "a\nb"] {
            let place = ContainerPlace::Image { image: image.into(), entrypoint: None };
            assert_eq!(settings(with(|c| drop(c.places.insert(Framework::Vllm, place)))), ["places"], "{image}");
        }
        for container in ["", "-it", "a/b"] {
            let place = ContainerPlace::Exec { container: container.into() };
            assert_eq!(settings(with(|c| drop(c.places.insert(Framework::Vllm, place)))), ["places"], "{container}");
        }
        for mount in ["data", "/a:b", "/a:/b:r o", "/a:/b:ro:x", ""] {
            assert_eq!(settings(with(|c| c.mounts.push(mount.into()))), ["mounts"], "{mount}");
        }
        for flag in ["--name=x", "--rm", "-d", "", "--env=HF_TOKEN=hf_x", "HF_TOKEN=x"] {
            assert_eq!(settings(with(|c| c.run_flags.push(flag.into()))), ["run_flags"], "{flag}");
        }
        assert_eq!(with(|c| c.run_flags.extend(["--env".into(), "HF_TOKEN".into(), "--shm-size=32g".into()])), []);
        assert_eq!(settings(with(|c| c.program = Some("docker".into()))), ["container_program"]);
    }
}
