//! What all container forms share.

use podium_domain::framework::Framework;

use super::Deployment;

/// Stands where no image is known.
const NO_IMAGE: &str = "your-image:tag";

/// Where the model cache is inside a container.
pub(super) const CACHE: &str = "/models/cache";

/// The image, or a word to replace.
pub(super) fn image(deployment: &Deployment) -> &str {
    deployment.image().map_or(NO_IMAGE, |image| &image.reference)
}

/// What a reader has to look at before it can run, as sentences.
pub(super) fn remarks(deployment: &Deployment) -> Vec<String> {
    let mut remarks = vec![format!("{}: the command that was measured, word for word.", deployment.title())];
    match deployment.image() {
        Some(image) if image.guessed => {
            remarks
                .push("The image is its makers' own for the version that was measured: check that it exists.".into());
        }
        Some(_) => {}
        None => remarks.push(format!("No image is known for it: replace {NO_IMAGE} by one that holds the program.")),
    }
    remarks.extend(secrets_remark(deployment, "are taken from the environment; nothing here holds their values."));
    remarks.extend(options_remarks(deployment, "inside the container, in the folder that the server starts in"));
    remarks
}

/// What to write into the file of options that the command names, a line each.
pub(super) fn options_remarks(deployment: &Deployment, place: &str) -> Vec<String> {
    let Some(file) = deployment.options_file() else { return Vec::new() };
    let first = format!("The command names {}, which has to stand {place}, with these lines:", file.name);
    std::iter::once(first).chain(file.text.lines().map(|line| format!("    {line}"))).collect()
}

/// A sentence on the secrets, where there are any.
pub(super) fn secrets_remark(deployment: &Deployment, what: &str) -> Option<String> {
    let names = deployment.secrets().join(", ");
    (!names.is_empty()).then(|| format!("Secrets ({names}) {what}"))
}

/// Whether several GPUs talk to each other in TensorRT-LLM, which needs locked memory and a large shared one.
pub(super) fn needs_locked_memory(deployment: &Deployment) -> bool {
    deployment.framework() == Some(Framework::TensorrtLlm) && deployment.gpu_count().is_some_and(|count| count > 1)
}

/// Variables of the server, secrets apart.
pub(super) fn env(deployment: &Deployment) -> Vec<(String, String)> {
    let mut env = deployment.env().to_vec();
    let mut add = |name: &str, value: &str| {
        if !env.iter().any(|(known, _)| known == name) {
            env.push((name.to_owned(), value.to_owned()));
        }
    };
    if needs_locked_memory(deployment) {
        add("NCCL_IB_DISABLE", "1");
    }
    if deployment.local_model().is_none() {
        add("HF_HOME", CACHE);
    }
    env
}
