//! The files of options that candidates' commands name: checked before the run, written for each launch, and kept.

use std::path::PathBuf;

use podium_domain::flags::FlagMap;
use podium_domain::framework::Framework;
use podium_domain::options_file::{OptionsFile, options_file, own_file};
use podium_formats::plan::check_tensorrt_options;
use podium_launcher::{FailureClass, LaunchFailure, LaunchStage, place_file};
use podium_store::{ArtifactLimits, Candidate, NewArtifactLink};
use uuid::Uuid;

use super::Halt;
use super::run_task::RunTask;
use crate::service::launch_folder;

/// What is wrong with the file that a plan names, where it can be read. One that cannot is left to the server, which says
/// so in its log.
pub(super) fn problem_of_own_file(framework: Framework, flags: &FlagMap) -> Option<String> {
    let path = own_file(framework, flags)?;
    let check = check_tensorrt_options(&std::fs::read_to_string(path).ok()?);
    let problems: Vec<_> = check.problems.iter().map(ToString::to_string).collect();
    (!problems.is_empty()).then(|| format!("its options file `{path}` cannot be used: {}", problems.join("; ")))
}

fn host_trouble(reason: String) -> LaunchFailure {
    LaunchFailure::new(LaunchStage::Start, FailureClass::HostTrouble, reason)
}

impl RunTask<'_> {
    /// Writes the file that a candidate's options make, points the command at it, and keeps it, or the user's own, as a
    /// file of the run.
    pub(super) async fn place_options(
        &self,
        candidate: &Candidate,
        launch_id: Uuid,
        argv: &mut [String],
    ) -> Result<Result<(), LaunchFailure>, Halt> {
        let flags: FlagMap = serde_json::from_value(candidate.flags.clone()).unwrap_or_default();
        let made = options_file(candidate.framework, &flags);
        if let Some(OptionsFile { name, text }) = &made
            && let Err(error) = place_file(argv, name, text, &launch_folder(self.worker.data_dir(), launch_id))
        {
            let reason = format!("the file of options {name} could not be written: {error}");
            return Ok(Err(host_trouble(reason)));
        }
        if let Some(OptionsFile { name, text }) = made.as_ref().filter(|_| self.host().is_remote()) {
            let there = PathBuf::from(launch_id.to_string()).join(name);
            let there = match self.host().put_file(text.as_bytes(), &there).await {
                Ok(there) => there.display().to_string(),
                Err(error) => return Ok(Err(host_trouble(error.to_string()))),
            };
            let here = launch_folder(self.worker.data_dir(), launch_id).join(name).display().to_string();
            argv.iter_mut().for_each(|word| *word = word.replace(&here, &there));
        }
        let text = match made {
            Some(file) => Some(file.text),
            None => own_file(candidate.framework, &flags).and_then(|path| std::fs::read_to_string(path).ok()),
        };
        if let Some(text) = text {
            let artifact =
                self.store().put_artifact(text.as_bytes(), "application/yaml", ArtifactLimits::default()).await?;
            let link = NewArtifactLink {
                artifact_id: artifact.id,
                launch_id: Some(launch_id),
                kind: "options_file".to_owned(),
                name: format!("{}-{}.yaml", candidate.candidate_id, launch_id.simple()),
            };
            self.store().link_artifact(&self.lease, &link).await?;
        }
        Ok(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_file_that_can_be_read_and_is_wrong_is_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let problem = |path: String| {
            let flags = serde_json::from_value(json!({ "extra_llm_api_options": path })).unwrap();
            problem_of_own_file(Framework::TensorrtLlm, &flags)
        };
        assert_eq!(problem(write("good.yaml", "stream_interval: 2\n")), None);
        assert_eq!(problem(folder.path().join("gone.yaml").display().to_string()), None);
        let wrong = problem(write("bad.yaml", "backend: trt\nstream_interval: many\n")).unwrap();
        assert!(wrong.contains("backend: must be pytorch") && wrong.contains("stream_interval"), "{wrong}");
    }
}
