//! The dashboard: pages, islands and the signatures of the server functions.
//!
//! Pages are rendered on the server and are complete without JavaScript; only what is an
//! [island](islands) is also compiled for the browser. Exactly one of two features is on:
//!
//! * `ssr`: the host build, with routing, pages and the bodies of the server functions;
//! * `hydrate`: the browser build, with the islands and the stubs that call the server functions.

// The views of the larger pages are deeply nested types.
#![recursion_limit = "256"]

#[cfg(all(feature = "ssr", feature = "hydrate"))]
compile_error!(
    "podium-app was asked for both `ssr` and `hydrate`: a server built so starts and never answers. \
     Never build with --all-features; the browser build goes through `cargo xtask site`."
);

pub mod api;
pub mod dto;
pub mod error;
pub mod format;
pub mod islands;
pub mod spark;

#[cfg(feature = "ssr")]
pub mod components;
#[cfg(feature = "ssr")]
pub mod context;
#[cfg(feature = "ssr")]
pub mod convert;
#[cfg(feature = "ssr")]
mod escape;
#[cfg(feature = "ssr")]
pub mod form_edit;
#[cfg(feature = "ssr")]
mod markdown;
#[cfg(feature = "ssr")]
pub mod pages;
#[cfg(feature = "ssr")]
pub mod posted;
#[cfg(feature = "ssr")]
mod shell;
#[cfg(feature = "ssr")]
pub mod words;

#[cfg(feature = "ssr")]
pub use shell::{App, SiteRoot, shell};
