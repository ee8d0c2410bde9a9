//! Pages that have to ask the service before they can be drawn.

use std::future::Future;

use leptos::either::Either;
use leptos::prelude::*;
use leptos_meta::Title;

use crate::error::AppError;
use crate::pages::NotFoundPage;

/// What `work` makes, or the page for its error with that error's status.
pub fn loaded<V>(work: impl Future<Output = Result<V, AppError>> + Send + 'static) -> impl IntoView
where
    V: IntoView + 'static,
{
    Suspend::new(async move {
        match work.await {
            Ok(view) => Either::Left(view),
            Err(error) => Either::Right(view! { <ErrorPage error /> }),
        }
    })
}

/// Says what went wrong, in place of the page.
#[component]
fn ErrorPage(error: AppError) -> impl IntoView {
    match error.respond() {
        AppError::NotFound { .. } => NotFoundPage().into_any(),
        error => view! {
            <Title text="Error" />
            <h1>{heading(&error)}</h1>
            <p>{capitalised(&error.to_string())} "."</p>
            <p>
                <a class="button" href="/">
                    "See all runs"
                </a>
            </p>
        }
        .into_any(),
    }
}

fn heading(error: &AppError) -> &'static str {
    match error {
        AppError::Forbidden { .. } => "Not allowed",
        AppError::Unavailable { .. } | AppError::Transport { .. } => "Not available at the moment",
        _ => "This page cannot be shown",
    }
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}
