//! What a host's users ask of the containers that its engines run in.

use uuid::Uuid;

use super::command_line::ContainerCommand;
use super::config::ContainerPlace;
use super::image::{ImageFacts, inspect_on, pull_spec};
use super::name_of;
use crate::command::{CommandError, CommandOutput};
use crate::engine::{EngineSpec, command_line};
use crate::host::Host;

impl Host {
    /// The image that commands of `place` run in; `None` where it is not on the host, or where the container that it names
    /// does not run.
    pub async fn image(&self, place: &ContainerCommand) -> Option<ImageFacts> {
        inspect_on(Some(self), place).await
    }

    /// Fetches the image; `None` for a container that somebody else runs.
    ///
    /// # Errors
    /// As [`Host::run`]. An exit code other than 0 says that the runtime could not.
    pub async fn pull_image(&self, place: &ContainerCommand) -> Option<Result<CommandOutput, CommandError>> {
        let spec = pull_spec(place)?;
        Some(self.run(&spec).await)
    }
}

impl ContainerCommand {
    /// The image's reference or the container's name, for people.
    pub fn shown(&self) -> String {
        self.place.shown()
    }

    /// The command that fetches the image; `None` for a container that somebody else runs.
    pub fn pull_command(&self) -> Option<Vec<String>> {
        Some(pull_spec(self)?.argv)
    }

    /// The command that removes a launch's container; `None` where it runs on.
    pub fn clean_up_command(&self, launch: Uuid) -> Option<Vec<String>> {
        let image = matches!(self.place, ContainerPlace::Image { .. });
        image.then(|| self.with(["rm", "--force", "--volumes", &name_of(launch)]))
    }
}

impl EngineSpec {
    /// The words that are executed on the host: the engine's command, or the container's around it. No secret is among
    /// them, unless the engine's own command holds one.
    pub fn executed(&self) -> Vec<String> {
        command_line(self)
    }
}
