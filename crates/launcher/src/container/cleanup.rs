//! Containers and what runs in them outlive the program that started them: they are removed by name, after a look that
//! their label says whose they are.

use std::time::Duration;

use uuid::Uuid;

use super::command_line::{ContainerCommand, Surroundings};
use super::config::{ContainerConfig, ContainerPlace, Runtime};
use super::{LABEL, launch_of, name_of};
use crate::command::{self, CommandSpec};
use crate::environment::Environment;
use crate::leftovers::{Leftover, LeftoverKind};
use crate::processes::LAUNCH_VARIABLE;

/// What a runtime may take to list, look at or remove a container.
const DEADLINE: Duration = Duration::from_secs(15);

/// Ends every process of a launch inside a container: SIGTERM, 5 seconds, SIGKILL. It is constant; the launch's variable
/// is its argument. Processes of a container may belong to another user than the one who reaches the host, so that they
/// are looked for from inside.
const END_INSIDE: &str = "\
find_own() {
  for process in /proc/[0-9]*; do
    if grep -qs \"$1\" \"$process/environ\"; then echo \"${process#/proc/}\"; fi
  done
}
own=$(find_own \"$1\")
[ -n \"$own\" ] || exit 0
kill -TERM $own 2>/dev/null
for wait in 1 2 3 4 5 6 7 8 9 10; do
  own=$(find_own \"$1\")
  [ -n \"$own\" ] || exit 0
  sleep 0.5 2>/dev/null || sleep 1
done
kill -KILL $own 2>/dev/null
exit 0";

/// A container that a launch left or uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Container {
    pub(crate) launch: Uuid,
    pub(crate) name: String,
    /// For people, for example `Up 3 minutes`.
    pub(crate) status: String,
}

impl Container {
    pub(crate) fn leftover(self) -> Leftover {
        let Self { launch, name, status } = self;
        Leftover { kind: LeftoverKind::Container, launch: Some(launch), name, detail: status }
    }
}

async fn run<W: Into<String>>(program: &[String], words: impl IntoIterator<Item = W>) -> Result<String, String> {
    let words = program.iter().cloned().chain(words.into_iter().map(Into::into));
    let mut spec = CommandSpec::new(words);
    spec.deadline = DEADLINE;
    match command::run(&spec).await {
        Ok(output) if output.exit.success() => Ok(output.stdout),
        Ok(output) => Err(output.stderr.trim().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Every container of a launch, running or not.
pub(crate) async fn containers(config: &ContainerConfig, environment: &Environment) -> Result<Vec<Container>, String> {
    let filter = format!("label={LABEL}");
    let listed = run(
        &config.program_in(environment),
        ["ps", "--all", "--filter", &filter, "--format", "{{.Names}} {{.Status}}"],
    )
    .await?;
    let read = listed.lines().filter_map(|line| {
        let (name, status) = line.split_once(' ').unwrap_or((line, ""));
        Some(Container { launch: launch_of(name)?, name: name.to_owned(), status: status.to_owned() })
    });
    Ok(read.collect())
}

/// Removes a launch's container, running or not. One that is not there is no error.
///
/// # Errors
/// The container of that name is not the launch's, or the runtime refuses.
pub(crate) async fn remove(program: &[String], runtime: Runtime, launch: Uuid) -> Result<(), String> {
    let name = name_of(launch);
    let format = format!("{{{{index .Config.Labels \"{LABEL}\"}}}}");
    let label = match run(program, ["container", "inspect", "--format", &format, &name]).await {
        Ok(label) => label,
        // Either it is not there, or the runtime does not work; the list tells one from the other.
        Err(_) => {
            let filter = format!("name={name}");
            let listed = run(program, ["ps", "--all", "--quiet", "--filter", &filter]).await?;
            return if listed.trim().is_empty() { Ok(()) } else { Err(format!("{name} could not be looked at")) };
        }
    };
    if label.trim() != launch.to_string() {
        return Err(format!("the container {name} does not carry the label {LABEL}={launch}, and is left alone"));
    }
    let mut words = vec!["rm", "--force", "--volumes"];
    if runtime == Runtime::Podman {
        // It would wait for the end of what was told to end already.
        words.extend(["--time", "0"]);
    }
    words.push(&name);
    run(program, words).await.map(drop)
}

/// Ends a launch's processes in a container that runs on.
pub(crate) async fn remove_exec(program: &[String], container: &str, launch: Uuid) -> Result<(), String> {
    let mark = format!("{LAUNCH_VARIABLE}={launch}");
    run(program, ["exec", container, "sh", "-c", END_INSIDE, "sh", &mark]).await.map(drop)
}

/// Removes what a launch of `command` may have left.
pub(crate) async fn clear(command: &ContainerCommand, launch: Uuid) -> Result<(), String> {
    match &command.place {
        ContainerPlace::Image { .. } => remove(&command.program, command.runtime, launch).await,
        ContainerPlace::Exec { container } => remove_exec(&command.program, container, launch).await,
    }
}

/// Does so without anybody waiting for it.
pub(crate) fn remove_detached(command: ContainerCommand, launch: Uuid) {
    // Without a runtime this program ends; the next sweep finds what is left.
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(async move {
            if let Err(reason) = clear(&command, launch).await {
                tracing::warn!(%launch, reason, "a container could not be removed");
            }
        });
    }
}

/// Removes what these launches left in containers; those of which a container was found, and what could not be done.
pub(crate) async fn sweep(
    config: &ContainerConfig,
    environment: &Environment,
    launches: &[Uuid],
) -> (Vec<Uuid>, Option<String>) {
    let program = config.program_in(environment);
    let mut problem = None;
    let there = containers(config, environment).await.unwrap_or_else(|reason| {
        problem = Some(reason);
        Vec::new()
    });
    let found: Vec<Uuid> = there.iter().map(|container| container.launch).filter(|id| launches.contains(id)).collect();
    for launch in &found {
        problem = remove(&program, config.runtime, *launch).await.err().or(problem);
    }
    let nothing = Surroundings { environment, working_folder: None, gpus: 0, own_program: None };
    for framework in config.places.keys() {
        if let Some(command) = ContainerCommand::of(config, *framework, nothing)
            && matches!(command.place, ContainerPlace::Exec { .. })
        {
            for launch in launches {
                // A container that does not run holds no process.
                if super::inspect(&command).await.is_some() {
                    problem = clear(&command, *launch).await.err().or(problem);
                }
            }
        }
    }
    (found, problem)
}

/// What the runtime says of the container of a launch that has ended: whether its memory limit ended it.
pub(crate) async fn ran_out_of_memory(command: &ContainerCommand, launch: Uuid) -> bool {
    if !matches!(command.place, ContainerPlace::Image { .. }) {
        return false;
    }
    let name = name_of(launch);
    let told = run(&command.program, ["container", "inspect", "--format", "{{.State.OOMKilled}}", &name]).await;
    told.is_ok_and(|told| told.trim() == "true")
}
