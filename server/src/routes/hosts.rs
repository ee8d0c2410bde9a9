//! Adding, looking at, changing and removing hosts, by forms.

use axum::Extension;
use axum::extract::{Form, Path, State};
use axum::http::Uri;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use leptos::prelude::provide_context;
use podium_app::context::id;
use podium_app::error::AppError;
use podium_app::posted::{HostInput, RejectedHost};
use podium_domain::framework::Framework;
use podium_launcher::{ContainerConfig, ContainerPlace, LoadFrom, Runtime, SlurmConfig, SshConfig};
use podium_service::Caller;
use uuid::Uuid;

use crate::state::AppState;

/// The page of all hosts.
const PAGE: &str = "/hosts";

/// What the form of a host says. Fields that are left empty are not set.
#[derive(Debug, Default, PartialEq, Eq)]
struct HostForm {
    name: String,
    config: SshConfig,
}

impl HostForm {
    fn read(fields: Vec<(String, String)>) -> Self {
        let mut form = Self::default();
        let (mut here, mut runtime, mut container) = (false, None, ContainerForm::default());
        let (mut is_cluster, mut slurm) = (false, SlurmConfig::default());
        for (field, value) in fields {
            let value = value.trim();
            let path = || (!value.is_empty()).then(|| value.into());
            match field.as_str() {
                "name" => form.name = value.to_owned(),
                "destination" => form.config.destination = value.to_owned(),
                "config_file" => form.config.config_file = path(),
                "folder" => form.config.folder = path(),
                "podium" => form.config.podium = path(),
                "agent" => form.config.agent = path(),
                "load_from" if value == "controller" => form.config.load_from = LoadFrom::Controller,
                "env" if !value.is_empty() => {
                    let (name, value) = value.split_once('=').unwrap_or((value, ""));
                    form.config.env.insert(name.to_owned(), value.to_owned());
                }
                "reached" => here = value == "here",
                "slurm" => is_cluster = true,
                "partition" => slurm.partition = value.to_owned(),
                "account" => slurm.account = value.to_owned(),
                "qos" => slurm.qos = value.to_owned(),
                "time_limit" => slurm.time_limit = value.to_owned(),
                "gres" => slurm.gres = value.to_owned(),
                "constraint" => slurm.constraint = value.to_owned(),
                "options" => slurm.options = value.split_whitespace().map(str::to_owned).collect(),
                "slurm_conf" => slurm.conf = path(),
                "container" => runtime = Runtime::ALL.into_iter().find(|runtime| runtime.word() == value),
                _ => container.read(&field, value),
            }
        }
        form.config.container = runtime.map(|runtime| ContainerConfig { runtime, ..container.config });
        form.config.slurm = is_cluster.then_some(slurm);
        if here {
            form.config.destination = String::new();
        } else if form.config.destination.is_empty() {
            form.config.destination = form.name.clone();
        }
        form
    }

    fn input(self, host: Option<Uuid>) -> HostInput {
        HostInput { host, name: self.name, config: self.config }
    }
}

/// The fields of a form that say how engines are put into containers.
#[derive(Debug, Default)]
struct ContainerForm {
    config: ContainerConfig,
}

impl ContainerForm {
    fn read(&mut self, field: &str, value: &str) {
        let config = &mut self.config;
        let lines = || value.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
        match field {
            "container_program" => config.program = (!value.is_empty()).then(|| value.into()),
            "mounts" => config.mounts = lines(),
            "run_flags" => config.run_flags = lines(),
            "global_flags" => config.global_flags = lines(),
            "no_default_flags" => config.no_default_flags = true,
            // A word that is no number is no GPU; the page's field takes none.
            "gpus" => config.gpus = value.split(',').filter_map(|id| id.trim().parse().ok()).collect(),
            _ => {
                let framework = field.strip_prefix("place-").and_then(|id| id.parse::<Framework>().ok());
                if let Some(framework) = framework.filter(|_| !value.is_empty()) {
                    config.places.insert(framework, ContainerPlace::from_line(value));
                }
            }
        }
    }
}

/// Adds a host, looks at it, and leads back to the list; or shows the form again with what is wrong.
pub(super) async fn add(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    parts: Parts,
    Form(fields): Form<Vec<(String, String)>>,
) -> Response {
    let form = HostForm::read(fields);
    let done = async {
        let added = state.service.add_host(caller, &form.name, &form.config).await?;
        state.service.check_host(caller, added.id).await?;
        Ok(())
    };
    answer(&state, parts, done.await, Some(form.input(None))).await
}

/// Changes a host, looks at it, and leads back to the list; or shows the form again with what is wrong.
pub(super) async fn edit(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(host): Path<String>,
    parts: Parts,
    Form(fields): Form<Vec<(String, String)>>,
) -> Response {
    let form = HostForm::read(fields);
    let host = match id(&host, "this host") {
        Ok(host) => host,
        Err(error) => return answer(&state, parts, Err(error), None).await,
    };
    let done = async {
        state.service.edit_host(caller, host, &form.name, &form.config).await?;
        state.service.check_host(caller, host).await?;
        Ok(())
    };
    // Where the host is gone there is no form to show the message at.
    let (done, input) = match done.await {
        Err(error @ AppError::NotFound { .. }) => (Err(error), None),
        other => (other, Some(form.input(Some(host)))),
    };
    answer(&state, parts, done, input).await
}

/// Removes a host, and leads back to the list.
pub(super) async fn remove(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(host): Path<String>,
    parts: Parts,
) -> Response {
    let done = async { Ok(state.service.remove_host(caller, id(&host, "this host")?).await?) };
    answer(&state, parts, done.await, None).await
}

/// Looks, and leads back to the list.
pub(super) async fn check(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(host): Path<String>,
    parts: Parts,
) -> Response {
    let done = async { Ok(state.service.check_host(caller, id(&host, "this host")?).await.map(drop)?) };
    answer(&state, parts, done.await, None).await
}

/// Leads to the list of hosts, or shows it with what was not done and why.
async fn answer(state: &AppState, mut parts: Parts, done: Result<(), AppError>, form: Option<HostInput>) -> Response {
    let Err(error) = done else { return Redirect::to(PAGE).into_response() };
    // The form's own address is no page.
    parts.uri = Uri::from_static(PAGE);
    let rejected = RejectedHost { form, error };
    state.page(parts, move || provide_context(rejected.clone())).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(fields: &[(&str, &str)]) -> HostForm {
        HostForm::read(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn the_name_is_the_destination_until_there_is_another() {
        assert_eq!(form(&[("name", " gpu1 "), ("destination", "")]).config.destination, "gpu1");
        let full = form(&[
            ("name", "gpu1"),
            ("destination", "me@10.0.0.7"),
            ("folder", "/data"),
            ("podium", ""),
            ("env", "A=b=c"),
            ("env", ""),
            ("load_from", "controller"),
        ]);
        assert_eq!(full.config.destination, "me@10.0.0.7");
        assert_eq!((full.config.folder, full.config.podium), (Some("/data".into()), None));
        assert_eq!(full.config.env.into_iter().collect::<Vec<_>>(), [("A".to_owned(), "b=c".to_owned())]);
        assert_eq!(full.config.load_from, LoadFrom::Controller);
        assert_eq!(full.config.container, None);
    }

    #[test]
    fn a_cluster_is_read_where_it_is_ticked() {
        let fields = [
            ("name", "cluster"),
            ("reached", "here"),
            ("slurm", "on"),
            ("gres", " gpu:h100:8 "),
            ("options", "--mem=64G\r\n\r\n--exclusive"),
            ("slurm_conf", ""),
        ];
        let config = form(&fields).config;
        assert!(config.is_cluster_here());
        assert_eq!(config.problems(), []);
        let slurm = config.slurm.expect("it is ticked");
        assert_eq!((slurm.gres.as_str(), slurm.conf), ("gpu:h100:8", None));
        assert_eq!(slurm.options, ["--mem=64G", "--exclusive"]);
        assert_eq!(form(&[("name", "gpu1"), ("gres", "8")]).config.slurm, None);
    }

    #[test]
    fn containers_are_read_with_or_without_ssh() {
        let fields = [
            ("name", "box"),
            ("reached", "here"),
            ("container", "podman"),
            ("place-vllm", "vllm/vllm-openai:v1"),
            ("place-sglang", "exec own"),
            ("place-tensorrt_llm", ""),
            ("mounts", "/data\r\n\r\n/x:/y:ro\r\n"),
            ("run_flags", "--shm-size=32g\n--label a b"),
            ("gpus", "6, 7"),
            ("no_default_flags", "on"),
        ];
        let here = form(&fields).config;
        assert!(here.is_here());
        let container = here.container.expect("there are containers");
        assert_eq!((container.runtime, container.places.len()), (Runtime::Podman, 2));
        assert_eq!(container.mounts, ["/data", "/x:/y:ro"]);
        assert_eq!(container.run_flags, ["--shm-size=32g", "--label a b"]);
        assert_eq!((container.gpus, container.no_default_flags), (vec![6, 7], true));
        let ssh = form(&[("name", "gpu1"), ("container", "docker"), ("reached", "ssh")]).config;
        assert_eq!(ssh.destination, "gpu1");
        assert!(ssh.container.is_some());
    }
}
