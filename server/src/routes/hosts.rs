//! Adding, looking at, changing and removing hosts, by forms.

use axum::Extension;
use axum::extract::{Form, Path, State};
use axum::response::Redirect;
use podium_app::context::id;
use podium_launcher::{LoadFrom, SshConfig};
use podium_service::Caller;

use super::failure::Failure;
use crate::state::AppState;

/// What the form of a host says. Fields that are left empty are not set.
#[derive(Debug, Default, PartialEq, Eq)]
struct HostForm {
    name: String,
    config: SshConfig,
}

impl HostForm {
    fn read(fields: Vec<(String, String)>) -> Self {
        let mut form = Self::default();
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
                _ => {}
            }
        }
        if form.config.destination.is_empty() {
            form.config.destination = form.name.clone();
        }
        form
    }
}

/// Adds a host, looks at it, and leads back to the list.
pub(super) async fn add(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Redirect, Failure> {
    let form = HostForm::read(fields);
    let added = state.service.add_host(caller, &form.name, &form.config).await?;
    state.service.check_host(caller, added.id).await?;
    Ok(Redirect::to("/hosts"))
}

/// Changes a host, looks at it, and leads back to the list.
pub(super) async fn edit(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(host): Path<String>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Redirect, Failure> {
    let (host, form) = (id(&host, "this host")?, HostForm::read(fields));
    state.service.edit_host(caller, host, &form.name, &form.config).await?;
    state.service.check_host(caller, host).await?;
    Ok(Redirect::to("/hosts"))
}

/// Removes a host, and leads back to the list.
pub(super) async fn remove(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(host): Path<String>,
) -> Result<Redirect, Failure> {
    state.service.remove_host(caller, id(&host, "this host")?).await?;
    Ok(Redirect::to("/hosts"))
}

/// Looks, and leads back to the list.
pub(super) async fn check(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(host): Path<String>,
) -> Result<Redirect, Failure> {
    state.service.check_host(caller, id(&host, "this host")?).await?;
    Ok(Redirect::to("/hosts"))
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
    }
}
