//! The settings of a host on the command line.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use podium_domain::framework::Framework;
use podium_launcher::{ContainerConfig, ContainerPlace, LoadFrom, Runtime, SshConfig};

use super::slurm::SlurmSettings;

/// What can be set of a host. What is not named stays as it is.
#[derive(Debug, Args)]
pub(super) struct Settings {
    /// An SSH configuration file to use instead of ~/.ssh/config
    #[arg(long, value_name = "FILE")]
    ssh_config: Option<PathBuf>,

    /// The working folder on the host: relative paths of a plan lead from there [default: the home folder]
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,

    /// Where `podium` is on the host, for simulated engines [default: looked up on PATH]
    #[arg(long, value_name = "FILE")]
    podium: Option<PathBuf>,

    /// The podium-agent of this machine to copy there, for a host of another kind [default: the one beside podium]
    #[arg(long, value_name = "FILE")]
    agent: Option<PathBuf>,

    /// A variable for everything that is started there; no secrets
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = pair)]
    env: Vec<(String, String)>,

    /// Where the load comes from
    #[arg(long, value_enum)]
    load_from: Option<Load>,

    #[command(flatten)]
    container: ContainerSettings,

    #[command(flatten)]
    slurm: SlurmSettings,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Containers")]
struct ContainerSettings {
    /// Put engines into containers
    #[arg(long, value_enum, value_name = "RUNTIME")]
    container: Option<ContainerRuntime>,

    /// The image of a framework's servers
    #[arg(long = "image", value_name = "FRAMEWORK=IMAGE", value_parser = place)]
    images: Vec<(Framework, String)>,

    /// A running container that a framework's servers are started in
    #[arg(long = "exec", value_name = "FRAMEWORK=CONTAINER", value_parser = place)]
    execs: Vec<(Framework, String)>,

    /// The program of the image that starts the server, or - for the image's own entry point, which gets the whole command
    /// [default: the first word of the server command; the image's own for SGLang and TensorRT-LLM]
    #[arg(long = "entrypoint", value_name = "FRAMEWORK=PROGRAM", value_parser = place)]
    entrypoints: Vec<(Framework, String)>,

    /// A folder or file of the host that the engines see: /path, /path:/inside or /path:/inside:ro
    #[arg(long = "mount", value_name = "PATH")]
    mounts: Vec<String>,

    /// The GPUs that engines get [default: all]
    #[arg(long = "gpus", value_name = "IDS", value_delimiter = ',')]
    gpus: Vec<u32>,

    /// A word after `run`, such as --container-flag=--shm-size=32g; it replaces the same flag of Podium's own
    #[arg(long = "container-flag", value_name = "WORD", allow_hyphen_values = true)]
    run_flags: Vec<String>,

    /// A word before `run`, for the runtime itself
    #[arg(long = "runtime-flag", value_name = "WORD", allow_hyphen_values = true)]
    global_flags: Vec<String>,

    /// Where the runtime's program is [default: looked up on PATH]
    #[arg(long, value_name = "FILE")]
    container_program: Option<PathBuf>,

    /// Leave out every flag of Podium's own but name and label
    #[arg(long)]
    no_default_flags: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Load {
    /// The host itself, beside the engine
    Target,
    /// This machine, through a forwarded port
    Controller,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ContainerRuntime {
    /// Docker
    Docker,
    /// Podman
    Podman,
    /// No containers: plain processes again
    None,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is not NAME=VALUE"))?;
    Ok((name.to_owned(), value.to_owned()))
}

fn place(text: &str) -> Result<(Framework, String), String> {
    let (framework, value) = pair(text)?;
    let known = || Framework::ALL.map(Framework::id).join(", ");
    let framework = Framework::from_str(&framework).map_err(|_| format!("`{framework}` is none of {}", known()))?;
    Ok((framework, value))
}

/// Replaces what was there where something new is said.
pub(super) fn set<T>(old: &mut Option<T>, new: Option<T>) {
    if new.is_some() {
        *old = new;
    }
}

pub(super) fn set_list<T>(old: &mut Vec<T>, new: Vec<T>) {
    if !new.is_empty() {
        *old = new;
    }
}

impl Settings {
    /// The settings with what was said here.
    pub(super) fn apply(self, config: &mut SshConfig) {
        set(&mut config.config_file, self.ssh_config);
        set(&mut config.folder, self.folder);
        set(&mut config.podium, self.podium);
        set(&mut config.agent, self.agent);
        config.env.extend(self.env);
        match self.load_from {
            Some(Load::Target) => config.load_from = LoadFrom::Target,
            Some(Load::Controller) => config.load_from = LoadFrom::Controller,
            None => {}
        }
        self.container.apply(&mut config.container);
        self.slurm.apply(&mut config.slurm);
    }
}

impl ContainerSettings {
    fn is_silent(&self) -> bool {
        let lists = [&self.mounts, &self.run_flags, &self.global_flags];
        let places = [&self.images, &self.execs, &self.entrypoints];
        self.container.is_none()
            && places.iter().all(|places| places.is_empty())
            && lists.iter().all(|list| list.is_empty())
            && self.gpus.is_empty()
            && self.container_program.is_none()
            && !self.no_default_flags
    }

    fn apply(self, container: &mut Option<ContainerConfig>) {
        if self.is_silent() {
            return;
        }
        let runtime = match self.container {
            Some(ContainerRuntime::None) => {
                *container = None;
                return;
            }
            Some(ContainerRuntime::Docker) => Some(Runtime::Docker),
            Some(ContainerRuntime::Podman) => Some(Runtime::Podman),
            None => None,
        };
        let config = container.get_or_insert_default();
        config.runtime = runtime.unwrap_or(config.runtime);
        set(&mut config.program, self.container_program);
        set_list(&mut config.global_flags, self.global_flags);
        set_list(&mut config.run_flags, self.run_flags);
        set_list(&mut config.mounts, self.mounts);
        set_list(&mut config.gpus, self.gpus);
        config.no_default_flags |= self.no_default_flags;
        for (framework, image) in self.images {
            config.places.insert(framework, ContainerPlace::Image { image, entrypoint: None });
        }
        for (framework, container) in self.execs {
            config.places.insert(framework, ContainerPlace::Exec { container });
        }
        for (framework, program) in self.entrypoints {
            // One of a framework without an image has nothing to start.
            if let Some(ContainerPlace::Image { entrypoint, .. }) = config.places.get_mut(&framework) {
                *entrypoint = Some(program);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        settings: Settings,
    }

    fn applied(config: &SshConfig, words: &[&str]) -> SshConfig {
        let line = Line::try_parse_from(std::iter::once(&"x").chain(words)).expect("good words");
        let mut config = config.clone();
        line.settings.apply(&mut config);
        config
    }

    #[test]
    fn what_is_not_named_stays_and_the_rest_is_replaced() {
        let first = applied(
            &SshConfig::default(),
            &[
                "--folder=/data",
                "--container=podman",
                "--image=vllm=vllm/vllm-openai:v1",
                "--gpus=6,7",
                "--container-flag=--shm-size=32g",
                "--container-flag",
                "--ulimit",
                "--container-flag=nofile=9",
                "--entrypoint=vllm=-",
            ],
        );
        let container = first.container.clone().expect("there are containers");
        assert_eq!((container.runtime, &container.gpus[..]), (Runtime::Podman, &[6, 7][..]));
        assert_eq!(container.run_flags, ["--shm-size=32g", "--ulimit", "nofile=9"]);
        let image = ContainerPlace::Image { image: "vllm/vllm-openai:v1".into(), entrypoint: Some("-".into()) };
        assert_eq!(container.places[&Framework::Vllm], image);
        assert_eq!(first.problems().len(), 1, "all but the folder is good here: {:?}", first.problems());

        let edited = applied(&first, &["--exec=sglang=box"]);
        assert_eq!(edited.folder, first.folder);
        let places = edited.container.as_ref().expect("they stay").places.len();
        assert_eq!(places, 2);
        assert_eq!(applied(&edited, &["--container=none"]).container, None);
        assert!(Line::try_parse_from(["x", "--image=nosuch=y"]).is_err());

        assert_eq!(applied(&edited, &["--folder=/x"]).slurm, None);
        let cluster = applied(&edited, &["--gres=gpu:h100:8", "--sbatch=mem=64G", "--sbatch", "--exclusive"]);
        let slurm = applied(&cluster, &["--slurm", "--partition=big"]).slurm.expect("it stays a cluster");
        assert_eq!((slurm.gres.as_str(), slurm.partition.as_str()), ("gpu:h100:8", "big"));
        assert_eq!(slurm.options, ["mem=64G", "--exclusive"]);
    }
}
