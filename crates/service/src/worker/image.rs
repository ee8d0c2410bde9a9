//! The images that a run's engines are made from: fetched before anything is measured, and recorded with each launch.

use std::time::{Duration, Instant};

use podium_domain::flags::{shell_join, shell_split};
use podium_domain::framework::Framework;
use podium_launcher::{CommandError, CommandOutput, ContainerCommand, EngineSpec};
use podium_store::{ArtifactLimits, NewArtifactLink};
use serde_json::{Map, Value, json};

use super::Halt;
use super::run_task::RunTask;

/// How often a run says that an image is still on its way.
const STILL_FETCHING: Duration = Duration::from_secs(30);

impl RunTask<'_> {
    /// Fetches the images that the host lacks. One that cannot be had fails its candidates when they are launched.
    pub(super) async fn prepare_images(&self) -> Result<(), Halt> {
        for (framework, part) in &self.plan.frameworks {
            if self.signal.cause().is_some() {
                // Whoever works on the run next stops there, with what such a run has to list.
                return Ok(());
            }
            let command = shell_split(&part.server_command).unwrap_or_default();
            let resolved = self.host().resolve_command(*framework, &command, &self.facts).await;
            let Some(place) = resolved.ok().and_then(|resolved| resolved.container) else { continue };
            if !self.options.excluded.contains(framework) && self.host().image(&place).await.is_none() {
                self.fetch_image(*framework, &place).await?;
            }
        }
        Ok(())
    }

    async fn fetch_image(&self, framework: Framework, place: &ContainerCommand) -> Result<(), Halt> {
        let Some(command) = place.pull_command() else { return Ok(()) };
        let shown = place.shown();
        self.note(format!("the image {shown} of {} is being fetched: {}", framework.name(), shell_join(&command)))
            .await?;
        let began = Instant::now();
        let fetching = self.host().pull_image(place);
        tokio::pin!(fetching);
        let fetched = loop {
            tokio::select! {
                fetched = &mut fetching => break fetched,
                () = self.signal.token().cancelled() => return Ok(()),
                () = tokio::time::sleep(STILL_FETCHING) => {
                    let text = format!("the image {shown} is still being fetched, for {} s now", began.elapsed().as_secs());
                    self.note(text).await?;
                }
            }
        };
        let Some(fetched) = fetched else { return Ok(()) };
        let took_s = began.elapsed().as_secs();
        self.note(outcome(&shown, took_s, &fetched)).await?;
        let Ok(output) = fetched else { return Ok(()) };
        let text = format!("$ {}\n{}{}", shell_join(&command), output.stdout, output.stderr);
        let text = self.host().scrubber().scrub(&text).into_owned();
        let artifact = self.store().put_artifact(text.as_bytes(), "text/plain", ArtifactLimits::default()).await?;
        let link = NewArtifactLink {
            artifact_id: artifact.id,
            launch_id: None,
            kind: "image_pull".to_owned(),
            name: format!("{}-image-pull.txt", framework.id()),
        };
        Ok(self.store().link_artifact(&self.lease, &link).await?)
    }

    /// What is to be kept of the container that an engine runs in; nothing for a plain process.
    pub(super) async fn contained(&self, spec: &EngineSpec) -> Map<String, Value> {
        let mut facts = Map::new();
        let Some(place) = &spec.container else { return facts };
        let shown = |words: Vec<String>| shell_join(&self.host().scrubber().scrub_argv(&words));
        if let Some(image) = self.host().image(place).await {
            let value = json!({ "reference": image.reference, "digest": image.digest, "pinned": image.pinned() });
            facts.insert("image".to_owned(), value);
        }
        let commands = json!({
            "pull": place.pull_command().map(shown),
            "launch": shown(spec.executed()),
            "clean_up": place.clean_up_command(spec.launch_id).map(shown),
        });
        facts.insert("container".to_owned(), commands);
        facts
    }
}

/// How the fetching of an image ended.
fn outcome(image: &str, took_s: u64, fetched: &Result<CommandOutput, CommandError>) -> String {
    match fetched {
        Ok(output) if output.exit.success() => format!("the image {image} was fetched in {took_s} s"),
        Ok(output) => {
            let said = output.stderr.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("nothing").trim();
            format!("the image {image} could not be fetched: {said}")
        }
        Err(error) => format!("the image {image} could not be fetched: {error}"),
    }
}

/// The facts of a launch with what is known of its container.
pub(super) fn with_container(mut facts: Value, contained: &Map<String, Value>) -> Value {
    if let Some(facts) = facts.as_object_mut() {
        facts.extend(contained.clone());
    }
    facts
}
