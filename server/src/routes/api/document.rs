//! The OpenAPI document.

use axum::Json;
use serde_json::Value;
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::{hosts, plans, runs, shares};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Podium",
        description = "What the dashboard does, for programs. Send a token of your account as `Authorization: Bearer …`; \
                       a Podium without accounts takes requests without one.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        show,
        plans::validate,
        plans::list,
        plans::create,
        plans::show,
        plans::add_version,
        runs::list,
        runs::start,
        runs::show,
        runs::cancel,
        runs::rows,
        runs::report,
        shares::list,
        shares::create,
        shares::revoke,
        hosts::list,
        hosts::check,
    ),
    security(("token" = [])),
    modifiers(&Token),
)]
struct Api;

/// Tells how a token is sent.
struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut Document) {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = document.components.get_or_insert_default();
        components.security_schemes.insert("token".to_owned(), SecurityScheme::Http(bearer).into());
    }
}

/// This document
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "Document", responses(
    (status = 200, description = "OpenAPI 3.1", body = Object),
))]
pub(super) async fn show() -> Json<Document> {
    Json(Api::openapi())
}

/// The document as JSON.
pub(crate) fn json() -> Value {
    // It is made of texts and maps alone, which always have a JSON form.
    serde_json::to_value(Api::openapi()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_document_names_exactly_the_routes_of_the_api() {
        let document = json();
        let paths = document["paths"].as_object().expect("paths");
        let documented: BTreeSet<_> = paths
            .iter()
            .flat_map(|(path, item)| {
                let methods = item.as_object().expect("operations").keys();
                methods.map(|method| (method.to_uppercase(), path.clone()))
            })
            .collect();
        let served = super::super::routes().into_iter().map(|route| (route.method.to_owned(), route.path.to_owned()));
        assert_eq!(documented, served.collect());
    }
}
