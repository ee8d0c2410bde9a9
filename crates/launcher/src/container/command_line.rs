//! The words of Docker or Podman around an engine's own.

use std::path::{Path, PathBuf};

use podium_domain::framework::Framework;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::config::{ContainerConfig, ContainerPlace, OWN_ENTRYPOINT, Runtime};
use super::{LABEL, name_of};
use crate::agent_host::FORWARDED_SECRETS;
use crate::environment::Environment;
use crate::model_cache::{self, ModelCache};
use crate::processes::LAUNCH_VARIABLE;

/// A way to run commands of one framework in a container, as far as it is known before a launch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerCommand {
    pub(crate) runtime: Runtime,
    /// The runtime's program and its own flags.
    pub(crate) program: Vec<String>,
    pub(crate) place: ContainerPlace,
    /// After `run`: everything but name, label, variables and entry point.
    flags: Vec<String>,
    /// Variables that are inherited, by name: their values are on no command line.
    inherited: Vec<String>,
    /// Whether the image's own entry point gets the command.
    own_entrypoint: bool,
}

/// What a launch adds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Launch<'a> {
    pub(crate) id: Uuid,
    pub(crate) argv: &'a [String],
    pub(crate) env: &'a [(String, String)],
    /// Its folder, which the engine sees where its command names something in it.
    pub(crate) folder: &'a Path,
}

/// What of the host counts for its containers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    pub(crate) environment: &'a Environment,
    /// Where relative paths lead from.
    pub(crate) working_folder: Option<&'a Path>,
    /// The number of GPUs.
    pub(crate) gpus: usize,
    /// A program of the host that the command starts.
    pub(crate) own_program: Option<&'a Path>,
}

impl ContainerCommand {
    /// Commands of `framework` on a host that is set up like this; `None` where it has no place there.
    pub(crate) fn of(config: &ContainerConfig, framework: Framework, host: Surroundings<'_>) -> Option<Self> {
        let place = config.places.get(&framework)?.clone();
        let secrets = FORWARDED_SECRETS.into_iter().filter(|name| host.environment.get(name).is_some());
        let own_entrypoint = match &place {
            ContainerPlace::Image { entrypoint: Some(word), .. } => word == OWN_ENTRYPOINT,
            // The images of these prepare the driver's libraries and then start what they are given.
            _ => matches!(framework, Framework::TensorrtLlm | Framework::Sglang),
        };
        Some(Self {
            runtime: config.runtime,
            program: config.program_in(host.environment),
            flags: flags(config, framework, host),
            place,
            inherited: secrets.map(str::to_owned).collect(),
            own_entrypoint,
        })
    }

    /// The runtime with these words.
    pub(crate) fn with<W: Into<String>>(&self, words: impl IntoIterator<Item = W>) -> Vec<String> {
        self.program.iter().cloned().chain(words.into_iter().map(Into::into)).collect()
    }

    /// The whole command of a launch.
    pub(crate) fn launch(&self, launch: Launch<'_>) -> Vec<String> {
        let mut words = Vec::new();
        let mut names = vec![LAUNCH_VARIABLE.to_owned(), "SPT_NOENV".to_owned(), "PYTHONUNBUFFERED".to_owned()];
        let own = launch.env.iter().map(|(name, _)| name).filter(|name| !is_hosts_own(name));
        for name in self.inherited.iter().chain(own) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        let variables = names.into_iter().flat_map(|name| ["--env".to_owned(), name]);
        match &self.place {
            ContainerPlace::Exec { container } => {
                words.push("exec".to_owned());
                words.extend(variables);
                words.push(container.clone());
                words.extend(launch.argv.iter().cloned());
            }
            ContainerPlace::Image { .. } => {
                words.extend(["run".to_owned(), "--name".to_owned(), name_of(launch.id)]);
                words.extend(["--label".to_owned(), format!("{LABEL}={}", launch.id)]);
                words.extend(variables);
                let folder = launch.folder.display().to_string();
                if launch.argv.iter().any(|word| word.contains(&folder)) {
                    words.extend(volume(launch.folder, "ro"));
                }
                words.extend(self.image_and(launch.argv));
            }
        }
        self.with(words)
    }

    /// Flags, entry point, image and command.
    fn image_and(&self, argv: &[String]) -> Vec<String> {
        let ContainerPlace::Image { image, entrypoint } = &self.place else { return argv.to_vec() };
        let mut words = self.flags.clone();
        let named = entrypoint.as_deref().filter(|word| *word != OWN_ENTRYPOINT);
        let mut arguments = argv;
        if let (false, Some((first, rest))) = (self.own_entrypoint, argv.split_first()) {
            let program = named.unwrap_or(first);
            // Podman takes a value that looks like a list of JSON for one.
            let value = match self.runtime {
                Runtime::Docker => program.to_owned(),
                Runtime::Podman => serde_json::json!([program]).to_string(),
            };
            words.extend(["--entrypoint".to_owned(), value]);
            arguments = rest;
        }
        words.push(image.clone());
        words.extend(arguments.iter().cloned());
        words
    }
}

/// A command that ends by itself, with where it runs as `command` says. Its container is gone with it.
pub(crate) fn run_to_end(command: &ContainerCommand, id: Uuid, argv: &[String]) -> Vec<String> {
    let mut words = Vec::new();
    match &command.place {
        ContainerPlace::Exec { container } => {
            words.extend(["exec".to_owned(), container.clone()]);
            words.extend(argv.iter().cloned());
        }
        ContainerPlace::Image { .. } => {
            words.extend(["run", "--rm", "--name"].map(str::to_owned));
            words.extend([name_of(id), "--label".to_owned(), format!("{LABEL}={id}")]);
            words.extend(command.image_and(argv));
        }
    }
    command.with(words)
}

/// Variables that describe the host, and would mislead a container.
fn is_hosts_own(name: &str) -> bool {
    const NAMES: [&str; 9] =
        ["PATH", "HOME", "USER", "SHELL", "TMPDIR", "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "LLAMA_CACHE"];
    NAMES.contains(&name) || ["LD_", "XDG_", "PODIUM_", "PYTHON"].iter().any(|start| name.starts_with(start))
}

fn volume(path: &Path, options: &str) -> Vec<String> {
    let path = path.display();
    vec!["--volume".to_owned(), format!("{path}:{path}:{options}")]
}

fn flags(config: &ContainerConfig, framework: Framework, host: Surroundings<'_>) -> Vec<String> {
    let mut flags = Vec::new();
    if !config.no_default_flags {
        let own = pairs(&config.run_flags);
        let kept =
            defaults(config, framework, host).into_iter().filter(|default| !own.iter().any(|o| o.replaces(default)));
        flags.extend(kept.flat_map(|pair| [pair.flag, pair.value]));
    }
    let mounts: Vec<(&str, String)> =
        config.mounts.iter().map(|mount| (place_inside(mount), volume_of(mount))).collect();
    // Relative paths of a plan lead from the working folder, where the container has it at the same place.
    let seen = |folder: &&Path| {
        mounts
            .iter()
            .any(|(inside, volume)| volume.starts_with(&format!("{inside}:{inside}")) && folder.starts_with(inside))
    };
    let workdir = host.working_folder.filter(seen).map(|folder| folder.display().to_string());
    flags.extend(mounts.iter().flat_map(|(_, volume)| ["--volume".to_owned(), volume.clone()]));
    flags.extend(host.own_program.into_iter().flat_map(|program| volume(program, "ro")));
    flags.extend(workdir.into_iter().flat_map(|folder| ["--workdir".to_owned(), folder]));
    flags.extend(config.run_flags.iter().cloned());
    flags
}

/// The place of a mount in the container.
fn place_inside(mount: &str) -> &str {
    let mut parts = mount.split(':');
    let host = parts.next().unwrap_or_default();
    parts.next().unwrap_or(host)
}

/// A mount as the runtimes take it: they want both places.
fn volume_of(mount: &str) -> String {
    if mount.contains(':') { mount.to_owned() } else { format!("{mount}:{mount}") }
}

/// A flag with its value.
#[derive(Debug, PartialEq, Eq)]
struct Pair {
    flag: String,
    value: String,
}

impl Pair {
    fn new(flag: &str, value: impl Into<String>) -> Self {
        Self { flag: flag.to_owned(), value: value.into() }
    }

    /// Whether this one of the host's owner stands in place of a default. Of flags that may stand several times, one for the same key does.
    fn replaces(&self, default: &Pair) -> bool {
        let long = match self.flag.as_str() {
            "--net" => "--network",
            "-e" => "--env",
            other => other,
        };
        let key = |value: &str| value.split('=').next().unwrap_or_default().to_owned();
        let repeatable = ["--ulimit", "--env", "--device", "--volume"].contains(&long);
        long == default.flag && (!repeatable || key(&self.value) == key(&default.value))
    }
}

/// Flags and values of words: `--flag=value`, `--flag value` and `--flag`.
fn pairs(words: &[String]) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for word in words {
        match (word.split_once('='), pairs.last_mut()) {
            (_, Some(Pair { value, .. })) if !word.starts_with('-') && value.is_empty() => value.clone_from(word),
            (Some((flag, value)), _) => pairs.push(Pair::new(flag, value)),
            (None, _) => pairs.push(Pair::new(word, "")),
        }
    }
    pairs
}

/// What engines need, above all those that use several GPUs.
fn defaults(config: &ContainerConfig, framework: Framework, host: Surroundings<'_>) -> Vec<Pair> {
    let mut pairs = vec![
        // The load comes from outside the container, and the port is the host's.
        Pair::new("--network", "host"),
        // Processes of several GPUs talk over shared memory.
        Pair::new("--ipc", "host"),
        // The log is read while it is written; the runtime's own copy could fill the disk.
        Pair::new("--log-driver", "none"),
    ];
    let gpus = if config.gpus.is_empty() { host.gpus } else { config.gpus.len() };
    if gpus > 0 {
        let ids: Vec<String> = config.gpus.iter().map(u32::to_string).collect();
        pairs.extend(gpu_flags(config.runtime, &ids));
    }
    if framework == Framework::TensorrtLlm && gpus > 1 {
        pairs.push(Pair::new("--ulimit", "memlock=-1"));
        pairs.push(Pair::new("--ulimit", "stack=67108864"));
        if config.runtime == Runtime::Docker {
            // Podman refuses a size beside the host's own shared memory, which has none.
            pairs.push(Pair::new("--shm-size", "16g"));
        }
        pairs.push(Pair::new("--env", "NCCL_IB_DISABLE=1"));
    }
    for ModelCache { path, named_by, .. } in
        model_cache::find(host.environment).into_iter().filter(|cache| cache.exists)
    {
        let path = path.display().to_string();
        // A colon ends a place in these words.
        if !path.contains(':') {
            let is_llama = named_by.as_deref() == Some("LLAMA_CACHE") || path.ends_with("/llama.cpp");
            let variable = if is_llama { "LLAMA_CACHE" } else { "HF_HUB_CACHE" };
            pairs.push(Pair::new("--volume", format!("{path}:{path}")));
            pairs.push(Pair::new("--env", format!("{variable}={path}")));
        }
    }
    pairs
}

/// All GPUs where none is named.
fn gpu_flags(runtime: Runtime, ids: &[String]) -> Vec<Pair> {
    let all = || vec!["all".to_owned()];
    match runtime {
        Runtime::Docker if ids.is_empty() => vec![Pair::new("--gpus", "all")],
        // Docker reads this value as a line of CSV, in which a comma between ids would end the field: the quotes have to
        // reach it. A shell would need another pair around them, and here is none.
        Runtime::Docker => vec![Pair::new("--gpus", format!("\"device={}\"", ids.join(",")))],
        Runtime::Podman => {
            let ids = if ids.is_empty() { all() } else { ids.to_vec() };
            ids.into_iter().map(|id| Pair::new("--device", format!("nvidia.com/gpu={id}"))).collect()
        }
    }
}

/// The folder that relative paths lead from.
pub(crate) fn working_folder() -> Option<PathBuf> {
    std::env::current_dir().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn config(runtime: Runtime, image: &str) -> ContainerConfig {
        let image = || ContainerPlace::Image { image: image.to_owned(), entrypoint: None };
        let places = [Framework::Vllm, Framework::TensorrtLlm].map(|framework| (framework, image()));
        ContainerConfig { runtime, places: BTreeMap::from(places), ..ContainerConfig::default() }
    }

    fn command(config: &ContainerConfig, framework: Framework, gpus: usize) -> ContainerCommand {
        let environment = Environment::from_pairs([("HF_TOKEN", "hf_secret"), ("PATH", "/nowhere")]);
        let host = Surroundings {
            environment: &environment,
            working_folder: Some(Path::new("/data/models")),
            gpus,
            own_program: None,
        };
        ContainerCommand::of(config, framework, host).unwrap()
    }

    fn launched(command: &ContainerCommand, argv: &[&str]) -> Vec<String> {
        let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
        let env = [("PATH", "/x"), ("VLLM_USE_V1", "1"), ("HF_TOKEN", "hf_secret")].map(|(n, v)| (n.into(), v.into()));
        command.launch(Launch { id: Uuid::nil(), argv: &argv, env: &env, folder: Path::new("/d/launches/1") })
    }

    const NAME: &str = "podium-00000000000000000000000000000000";

    #[test]
    fn docker_gets_one_word_for_several_gpus_and_no_secret() {
        let config = ContainerConfig { gpus: vec![6, 7], ..config(Runtime::Docker, "vllm/vllm-openai:v0.12.0") };
        let words = launched(&command(&config, Framework::Vllm, 8), &["vllm", "serve", "m", "--x", "$(id)"]);
        let label = format!("{LABEL}={}", Uuid::nil());
        let expected = [
            "docker",
            "run",
            "--name",
            NAME,
            "--label",
            &label,
            "--env",
            "PODIUM_LAUNCH",
            "--env",
            "SPT_NOENV",
            "--env",
            "PYTHONUNBUFFERED",
            "--env",
            "HF_TOKEN",
            "--env",
            "VLLM_USE_V1",
            "--network",
            "host",
            "--ipc",
            "host",
            "--log-driver",
            "none",
            "--gpus",
            "\"device=6,7\"",
            "--entrypoint",
            "vllm",
            "vllm/vllm-openai:v0.12.0",
            "serve",
            "m",
            "--x",
            "$(id)",
        ];
        assert_eq!(words, expected);
        assert!(!words.iter().any(|word| word.contains("hf_secret")));
    }

    #[test]
    fn podman_gets_devices_and_an_entry_point_that_cannot_be_taken_for_a_list() {
        let config = ContainerConfig { gpus: vec![6, 7], ..config(Runtime::Podman, "i") };
        let words = launched(&command(&config, Framework::Vllm, 8), &["[\"a\"]", "b"]).join(" ");
        assert!(words.contains("--device nvidia.com/gpu=6 --device nvidia.com/gpu=7"), "{words}");
        assert!(words.ends_with(r#"--entrypoint ["[\"a\"]"] i b"#), "{words}");
        let all = launched(&command(&self::config(Runtime::Podman, "i"), Framework::Vllm, 2), &["a"]).join(" ");
        assert!(all.contains("--device nvidia.com/gpu=all"), "{all}");
        let none = launched(&command(&self::config(Runtime::Podman, "i"), Framework::Vllm, 0), &["a"]).join(" ");
        assert!(!none.contains("nvidia"), "{none}");
    }

    #[test]
    fn several_gpus_of_tensorrt_llm_get_memory_and_every_default_can_be_replaced() {
        let mut config = config(Runtime::Docker, "i");
        let words = launched(&command(&config, Framework::TensorrtLlm, 2), &["trtllm-serve", "m"]).join(" ");
        let wanted = "--gpus all --ulimit memlock=-1 --ulimit stack=67108864 --shm-size 16g --env NCCL_IB_DISABLE=1";
        assert!(words.contains(wanted), "{words}");
        assert!(words.ends_with(" i trtllm-serve m"), "its own entry point gets the command: {words}");
        assert!(!launched(&command(&config, Framework::TensorrtLlm, 1), &["t"]).contains(&"--shm-size".to_owned()));

        let own =
            ["--shm-size=32g", "--net", "bridge", "--ulimit", "memlock=9", "--gpus", "2", "-e", "NCCL_IB_DISABLE=0"];
        config.run_flags = own.map(str::to_owned).to_vec();
        let words = launched(&command(&config, Framework::TensorrtLlm, 2), &["t"]).join(" ");
        assert!(words.contains(&own.join(" ")), "{words}");
        for replaced in ["16g", "--network host", "memlock=-1", "--gpus all", "NCCL_IB_DISABLE=1"] {
            assert!(!words.contains(replaced), "{replaced}: {words}");
        }
        assert!(words.contains("--ulimit stack=67108864") && words.contains("--ipc host"), "{words}");
        config.no_default_flags = true;
        assert!(!launched(&command(&config, Framework::TensorrtLlm, 2), &["t"]).contains(&"--ipc".to_owned()));
    }

    #[test]
    fn the_working_folder_is_the_containers_where_it_is_mounted() {
        let mut config = config(Runtime::Docker, "i");
        config.mounts = vec!["/data".into(), "/other:/inside:ro".into()];
        let words = launched(&command(&config, Framework::Vllm, 0), &["v", "/d/launches/1/options.yaml"]).join(" ");
        assert!(words.contains("--volume /data:/data --volume /other:/inside:ro --workdir /data/models"), "{words}");
        assert!(words.contains("--volume /d/launches/1:/d/launches/1:ro"), "its folder is seen: {words}");
        config.mounts.remove(0);
        assert!(!launched(&command(&config, Framework::Vllm, 0), &["v"]).contains(&"--workdir".to_owned()));
    }

    #[test]
    fn a_container_that_runs_gets_the_command_as_it_is() {
        let mut config = config(Runtime::Docker, "i");
        config.places.insert(Framework::Vllm, ContainerPlace::Exec { container: "box".into() });
        let command = command(&config, Framework::Vllm, 8);
        let words = launched(&command, &["vllm", "serve"]);
        let tail: Vec<_> = words.iter().rev().take(3).rev().map(String::as_str).collect();
        assert_eq!((words[1].as_str(), tail), ("exec", vec!["box", "vllm", "serve"]));
        assert!(!words.contains(&"--network".to_owned()));
        let help = run_to_end(&command, Uuid::nil(), &["vllm".to_owned(), "--help".to_owned()]);
        assert_eq!(help[1..], ["exec", "box", "vllm", "--help"]);
    }
}
