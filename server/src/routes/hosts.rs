//! Looking at a host again.

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Redirect;
use podium_app::context::id;
use podium_service::Caller;

use super::failure::Failure;
use crate::state::AppState;

/// Looks, and leads back to the list.
pub(super) async fn check(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(host): Path<String>,
) -> Result<Redirect, Failure> {
    state.service.check_host(caller, id(&host, "this host")?).await?;
    Ok(Redirect::to("/hosts"))
}
