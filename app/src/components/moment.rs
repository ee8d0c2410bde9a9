//! A time of day.

use leptos::prelude::*;
use time::OffsetDateTime;

use crate::format::{absolute, ago, machine};

/// How long ago it was, with the absolute time on hover and for machines.
#[component]
pub fn Moment(
    /// The time.
    at: OffsetDateTime,
) -> impl IntoView {
    view! {
        <time datetime=machine(at) title=absolute(at)>
            {ago(at, OffsetDateTime::now_utc())}
        </time>
    }
}
