//! Engines in containers: how a host's owner sets it up, the command line of Docker or Podman around an engine's own, the
//! images, and what has to be cleared away by name because a container outlives the program that started it.
//!
//! The command line goes from here to the kernel as words, like every other: there is no shell on the host, and a word of
//! a plan is a word of the engine's command.

mod cleanup;
mod command_line;
mod config;
mod exit;
mod host;
mod image;

pub(crate) use cleanup::{Container, clear, containers, ran_out_of_memory, remove_detached, sweep};
pub use command_line::ContainerCommand;
pub(crate) use command_line::{Launch, Surroundings, run_to_end, working_folder};
pub use config::{ContainerConfig, ContainerPlace, Runtime};
pub(crate) use exit::{explain, real_exit};
pub use image::ImageFacts;
pub(crate) use image::{describe, inspect, no_place};

use uuid::Uuid;

/// The label that every container of a launch carries, with the launch's id as its value.
pub(crate) const LABEL: &str = "podium.launch";

/// What the names of containers begin with.
const NAME_PREFIX: &str = "podium-";

/// The name of a launch's container: no two launches share one.
pub(crate) fn name_of(launch_id: Uuid) -> String {
    format!("{NAME_PREFIX}{}", launch_id.simple())
}

/// The launch whose container has this name.
fn launch_of(name: &str) -> Option<Uuid> {
    let id = name.strip_prefix(NAME_PREFIX)?;
    Uuid::try_parse(id).ok().filter(|launch| name_of(*launch) == name)
}
